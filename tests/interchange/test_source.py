"""Truth that exports tell: which images carry a contrast transfer, and the exposures of their tilts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import faket_dask
from faket_dask.config import parse
from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack
from faket_dask.geometry import TiltGeometry
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.interchange.exporters.source import Source
from faket_dask.kernels.optics import Defocus
from tests.ctf import means_um
from tests.runs import small_document

MICROSCOPE = {"defocus_um": [2, 4], "astigmatism_um": 0.3, "astigmatism_angle_deg": 70, "dose_e_per_A2": 1.5}
SYNTHETIC = ("content", "baseline", "noisy", "faket")


def make_source(folder: Path, **changes: Any) -> Source:
    document = small_document(folder / "data", microscope=MICROSCOPE, **changes)
    spec = faket_dask.plan(parse(document, folder)).spec
    dataset: Any = SimpleNamespace(spec=spec)
    return Source(dataset, SYNTHETIC)


def test_published_pipeline_has_a_ctf_in_images_of_the_microscope_model_alone(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    for series in source.series:
        assert [source.ctf(series, name) for name in ("noiseless", *SYNTHETIC)] == [None] * 5
        ctf = source.ctf(series, "benchmark")
        own = source.spec.geometry.acquisition(series.specimen)
        assert set(ctf.defocus) == {Defocus(own.defocus_um, 0.3, 70.0)}
        assert (ctf.voltage_kV, ctf.spherical_aberration_mm, ctf.amplitude_contrast) == (300, 2.7, 0.08)
        geometry = source.geometry(series, "benchmark")
        assert geometry.exposure_before_e_per_A2.tolist() == [4.5, 3.0, 0.0, 1.5, 6.0]


def test_transferred_signal_has_the_ctf_of_the_reference(tmp_path: Path) -> None:
    source = make_source(tmp_path, signal={"ctf": "reference"})
    for series in source.series:
        assert source.ctf(series, "noiseless") is None
        assert source.geometry(series, "noiseless").exposure_e_per_A2 is None
        style = source.spec.geometry.acquisition(f"reference-{series.reference}")
        for modality in SYNTHETIC:
            assert set(source.ctf(series, modality).defocus) == {Defocus(style.defocus_um, 0.3, 70.0)}
        own = source.spec.geometry.acquisition(series.specimen)
        assert {tilt.mean_um for tilt in source.ctf(series, "benchmark").defocus} == {own.defocus_um}


@pytest.mark.parametrize("known", [True, False])
def test_exposures_of_a_recorded_reference_are_those_that_damaged_the_signal(
    tmp_path: Path, known: bool
) -> None:
    """A recording of three tilts stands for five: each has the exposures of the nearest, wherever they come from."""
    angles, before = np.array([-40.0, 0.0, 40.0]), np.array([20.0, 0.0, 10.0])
    stack = np.random.default_rng(0).normal(size=(3, 40, 48)).astype(np.float32)
    write_stack(tmp_path / "real.mrc", stack, stack.shape, 10.0)
    write_angles(tmp_path / "real.rawtlt", -angles)
    tilts = tuple(Defocus(um, 0.2, 100.0) for um in (2.0, 3.0, 4.0))
    write_ctffind(tmp_path / "real_CTF.txt", SeriesCtf(tilts, "a test", 200.0))
    if known:
        geometry = TiltGeometry(
            angles, 10.0, exposure_e_per_A2=np.full(3, 10.0), acquisition_order=np.array([2, 0, 1])
        )
        write_mdoc(tmp_path / "real.mrc.mdoc", geometry, "real.mrc", (40, 48), 200)
    reference = {"name": "real", "stack": str(tmp_path / "real.mrc"), "mask": "none"}
    source = make_source(
        tmp_path,
        references=[reference],
        signal={"ctf": "reference"},
        noise={"statistics": "given", "given": {"signal_scale": [0.5], "noise_scale": [0.5]}},
    )
    series = source.series[0]
    ctf, geometry = source.ctf(series, "noisy"), source.geometry(series, "noisy")
    np.testing.assert_allclose(
        means_um(ctf), [2, 2, 3, 3, 4]
    )  # −20° and 20° lie half-way; the first is taken
    assert (ctf.voltage_kV, ctf.amplitude_contrast) == (200.0, 0.08)
    expected = before if known else np.array([3.0, 0.0, 1.5])
    np.testing.assert_allclose(geometry.exposure_before_e_per_A2, expected[[0, 0, 1, 1, 2]])
    assert set(geometry.exposure_e_per_A2) == {10.0 if known else 1.5}
    assert sorted(geometry.acquisition_order) == list(range(5))
