"""Exports of images with errors of angle and position: told as by a microscope, or as they are."""

from pathlib import Path

import numpy as np
import pytest
from dask.distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.dataset.imaging import draw_imaging_conditions
from faket_dask.formats.openers import open_tilt_series
from faket_dask.interchange.export import export
from faket_dask.interchange.exporters.source import SeriesAlignment
from tests.runs import small_document


@pytest.fixture(scope="module")
def misaligned(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    folder = tmp_path_factory.mktemp("misaligned")
    document = small_document(
        folder / "data",
        specimen={"count": 1},
        microscope={"errors": {"tilt_angle_deg": 1.0, "shift_A": 20.0, "defocus_um": 0.3}},
        references=[],
        outputs={"modalities": ["benchmark"], "report": False},
    )
    return faket_dask.run(parse(document, folder), one_worker)


def written(dataset: faket_dask.Dataset, folder: Path, alignment: SeriesAlignment) -> Path:
    list(export(dataset, ["mrc", "relion5", "imod"], folder, ["benchmark"], alignment=alignment))
    return folder


def test_true_alignment_tells_angles_and_displacements_of_the_images(
    misaligned: faket_dask.Dataset, tmp_path: Path
) -> None:
    spec = misaligned.spec
    true = draw_imaging_conditions(spec.config, "specimen-000", spec.geometry.acquisition("specimen-000"))
    folder = written(misaligned, tmp_path, SeriesAlignment.TRUE)
    relion = open_tilt_series(folder / "relion5/tomograms.star").geometry
    np.testing.assert_allclose(relion.tilt_angles, true.tilt_angles, atol=1e-4)
    np.testing.assert_allclose(relion.shift_A, true.shift_A, atol=1e-3)
    # IMOD's transforms move what the images show back by as much; only the place of the axis is told elsewhere.
    transforms = np.loadtxt(next((folder / "imod").rglob("*.xf")))
    np.testing.assert_allclose(transforms[:, 4:], -true.shift_A / 10, atol=1e-2)
    command = next((folder / "imod").rglob("tilt.com")).read_text()
    assert "InputProjections specimen-000_benchmark_ali.mrc" in command
    assert "specimen-000_benchmark.xf" in next((folder / "imod").rglob("newst.com")).read_text()


def test_stack_beside_its_transforms_is_read_aligned(misaligned: faket_dask.Dataset, tmp_path: Path) -> None:
    spec = misaligned.spec
    true = draw_imaging_conditions(spec.config, "specimen-000", spec.geometry.acquisition("specimen-000"))
    folder = written(misaligned, tmp_path, SeriesAlignment.TRUE) / "mrc"
    stack = folder / "specimen-000_benchmark.mrc"
    series = open_tilt_series(stack, transforms=stack.with_suffix(".xf")).aligned()
    assert series.alignment is not None
    centre = np.array(series.alignment.centre) - (80 // 2, 96 // 2)
    np.testing.assert_allclose(series.alignment.shift + centre, true.shift_A / 10, atol=1e-2)


def test_nominal_alignment_tells_the_run_files_angles_and_no_displacement(
    misaligned: faket_dask.Dataset, tmp_path: Path
) -> None:
    folder = written(misaligned, tmp_path, SeriesAlignment.NOMINAL)
    relion = open_tilt_series(folder / "relion5/tomograms.star").geometry
    np.testing.assert_allclose(relion.tilt_angles, [-40, -20, 0, 20, 40], atol=1e-4)
    assert relion.shift_A is None
    assert not list((folder / "mrc").glob("*.xf"))
    assert not list((folder / "imod").rglob("newst.com"))


def test_contrast_transfer_is_the_true_one_of_each_tilt(
    misaligned: faket_dask.Dataset, tmp_path: Path
) -> None:
    spec = misaligned.spec
    true = draw_imaging_conditions(spec.config, "specimen-000", spec.geometry.acquisition("specimen-000"))
    ctf = open_tilt_series(
        written(misaligned, tmp_path, SeriesAlignment.NOMINAL) / "relion5/tomograms.star"
    ).ctf
    assert ctf is not None
    told = [defocus.mean_um for defocus in ctf.defocus]
    assert told == pytest.approx([defocus.mean_um for defocus in true.defocus], abs=1e-4)
    assert np.std(told) > 0.05
