"""Simulated images with errors, their stored truth, and slices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from dask.distributed import Client
from scipy.ndimage import gaussian_filter

import faket_dask
from faket_dask.config import parse
from faket_dask.errors import InputError
from faket_dask.formats.mrc import write_stack
from faket_dask.kernels.noise.spectra import log_spectrum_distance
from tests.runs import small_document

Simulate = Callable[..., xr.Dataset]


@pytest.fixture
def simulate(one_worker: Client, tmp_path: Path) -> Simulate:
    """Return a function that simulates a specimen with many electrons and opens its stacks."""
    number = iter(range(9))

    def run(references: list[Any] | None = None, beads: int = 2, **microscope: Any) -> xr.Dataset:
        folder = tmp_path / str(next(number))
        document = small_document(
            folder,
            specimen={"count": 1, "fiducials": {"count": beads}},
            microscope={"dose_e_per_A2": 5000, "damage": False} | microscope,
            references=references or [],
            outputs={"modalities": ["benchmark"], "report": False},
        )
        dataset = faket_dask.run(parse(document, tmp_path), one_worker)
        path = dataset.spec.folder.specimen_tilts("specimen-000")
        return xr.open_zarr(path, consolidated=False).load()

    return run


def displacement_px(moved: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Return the displacement ``(x, y)`` that a plane fitted to the cross-spectrum's phase has."""
    size = np.array(moved.shape)
    window = np.outer(np.hanning(size[0]), np.hanning(size[1]))
    cross = np.fft.fft2((moved - moved.mean()) * window) * np.conj(
        np.fft.fft2((still - still.mean()) * window)
    )
    ky, kx = np.meshgrid(*(np.fft.fftfreq(n) for n in size), indexing="ij")
    use = (np.hypot(ky, kx) < 0.2) & (np.hypot(ky, kx) > 0.02)
    matrix = -2 * np.pi * np.column_stack((kx[use], ky[use]))
    weight = np.sqrt(np.abs(cross[use]))
    return np.linalg.lstsq(matrix * weight[:, None], np.angle(cross[use]) * weight, rcond=None)[0]


def test_stored_shifts_are_those_that_the_images_show(simulate: Simulate) -> None:
    still, moved = simulate(), simulate(errors={"shift_A": 10.0})
    assert not still.shift_x.any()
    for tilt in range(still.sizes["tilt"]):
        shown = 10 * displacement_px(moved.benchmark.values[tilt], still.benchmark.values[tilt])
        told = (float(moved.shift_x[tilt]), float(moved.shift_y[tilt]))
        assert shown == pytest.approx(told, abs=2.0)


def test_images_show_the_true_tilt_angle_and_the_projections_the_told_one(simulate: Simulate) -> None:
    ideal, tilted = simulate(), simulate(errors={"tilt_angle_deg": 3.0})
    np.testing.assert_array_equal(tilted.noiseless, ideal.noiseless)
    np.testing.assert_array_equal(tilted.tilt_angle, ideal.tilt_angle)
    true = tilted.noiseless_at_true_angles
    assert np.abs(tilted.true_tilt_angle - tilted.tilt_angle).max() > 1
    assert float(np.abs(true - tilted.noiseless).max()) > 1
    assert "noiseless_at_true_angles" not in ideal


def test_hot_pixels_and_gain_are_stored(simulate: Simulate) -> None:
    faulty = simulate(errors={"gain": 0.05, "hot_pixels": 0.002})
    hot = faulty.hot_pixels.values.astype(bool)
    assert hot.sum() == round(0.002 * 96 * 80)
    stack = faulty.benchmark.values
    assert (stack[:, hot] > 4 * stack[:, ~hot].mean()).all()
    flat = stack[:, ~hot].mean(0)
    assert np.corrcoef(flat, faulty.gain.values[~hot])[0, 1] > 0.3


def test_slices_of_a_thin_slab_agree_with_one_projection(simulate: Simulate) -> None:
    thin, sliced = simulate(), simulate(multislice={"slice_A": 60})
    for one, other in zip(thin.benchmark.values, sliced.benchmark.values, strict=True):
        assert np.std(one - other) < 0.06 * np.std(one)


def test_each_image_has_its_own_stored_defocus(simulate: Simulate) -> None:
    jittered = simulate(defocus_um=3.0, errors={"defocus_um": 0.3, "astigmatism_um": 0.1})
    assert np.unique(jittered.defocus).size == jittered.sizes["tilt"]
    assert (jittered.astigmatism > 0).all()
    assert set(jittered.benchmark.coords) >= {"defocus", "astigmatism", "true_tilt_angle", "exposure"}


def test_images_get_the_amplitudes_of_the_recorded_tilt_nearest_in_angle(
    tmp_path: Path, simulate: Simulate
) -> None:
    rng = np.random.default_rng(0)
    tilts = [
        rng.normal(size=(96, 96)) + share * gaussian_filter(rng.normal(size=(96, 96)), 1.0)
        for share in (0, 10)
    ]
    recorded = np.stack([500 + 70 * tilt / tilt.std() for tilt in tilts]).astype(np.float32)
    write_stack(tmp_path / "recorded.mrc", iter(recorded), recorded.shape, 10.0)
    reference = {"name": "r", "stack": "recorded.mrc", "tilt_angles": [-30, 30], "mask": "none"}
    dose = {"dose_e_per_A2": 10}
    matched = simulate([reference], beads=0, match_amplitudes="r", **dose).benchmark
    plain = simulate(beads=0, **dose).benchmark
    for angle, nearest in ((-40, 0), (40, 1)):
        tilt = matched.values[np.flatnonzero(matched.tilt_angle == angle)[0]]
        assert tilt.mean() == pytest.approx(500, abs=5)
        assert tilt.std() == pytest.approx(70, rel=0.1)
        distances = [log_spectrum_distance(tilt, other) for other in recorded]
        assert distances[nearest] < 0.3 < distances[1 - nearest]
    # Phases, and so what is seen, stay.
    assert np.corrcoef(matched.values[2].ravel(), plain.values[2].ravel())[0, 1] > 0.4


def test_amplitudes_of_a_reference_that_is_not_recorded_are_refused(tmp_path: Path) -> None:
    document = small_document(tmp_path, microscope={"match_amplitudes": "a"})
    with pytest.raises(InputError, match=r"match_amplitudes: 'a' is no recorded reference"):
        parse(document, tmp_path)
