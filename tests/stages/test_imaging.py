"""Images of one specimen: thin, and in slices."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

import faket_dask.stages.imaging as imaging
from faket_dask.kernels.detector import Detector
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.gold import Beads
from faket_dask.kernels.microscope import Microscope
from faket_dask.kernels.optics import Defocus
from faket_dask.kernels.projection import project
from faket_dask.stages.imaging import Contents, Slab, simulate_counts

PIXEL_A = 10.0
MICROSCOPE = Microscope(detector=Detector(PIXEL_A, 1.0, 1.0, 1.0), ice_thickness_A=400.0, damage=False)


def specimen(depth: int = 40, rows: int = 70, columns: int = 160) -> np.ndarray:
    """Return blobs of 2 V in a slab."""
    rng = np.random.default_rng(4)
    volume = np.zeros((depth, rows, columns), np.float32)
    z, y, x = np.ogrid[:depth, :rows, :columns]
    for cz, cy, cx in rng.uniform((0, 0, 0), volume.shape, (60, 3)):
        volume += (2 * np.exp(-((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2) / 8)).astype(np.float32)
    return volume


def slab(volume: np.ndarray, layers_per_slice: int) -> Slab:
    def read() -> Iterator[tuple[slice, np.ndarray]]:
        for start in range(0, volume.shape[1], 32):
            rows = slice(start, min(start + 32, volume.shape[1]))
            yield rows, volume[:, rows]

    return Slab(volume.shape[0], layers_per_slice, read)


def relative(
    volume: np.ndarray, layers_per_slice: int | None, angle: float = 0.0, contents: Contents = Contents()
) -> np.ndarray:
    noiseless = project(volume, [angle], width=96)[0]
    exposure = Exposure(angle, Defocus(3.0), 1e10, 20.0)
    parts = None if layers_per_slice is None else slab(volume, layers_per_slice)
    counts = simulate_counts(
        noiseless, PIXEL_A, MICROSCOPE, exposure, np.random.default_rng(0), contents=contents, slab=parts
    )
    return counts / counts.mean() - 1


@pytest.mark.parametrize("angle", [0.0, 40.0, -60.0])
def test_slices_of_a_thin_specimen_agree_with_the_thin_object(angle):
    volume = specimen()
    thin, sliced, whole = (relative(volume, layers, angle) for layers in (None, 5, 40))
    # 400 Å of specimen at 10 Å pixels, where electrons hardly move sideways.
    assert np.std(sliced - thin) < 0.02 * np.std(thin)
    # One slice is the thin object, but for half a voxel of height.
    assert np.std(whole - thin) < 1e-3 * np.std(thin)


def test_slices_differ_from_the_thin_object_where_it_does_not_hold():
    # A point 1000 Å above the axis appears with its own defocus, 0.1 µm nearer to focus.
    volume = np.zeros((205, 64, 160), np.float32)
    volume[202, 32, 80] = 50.0
    sliced = relative(volume, 5)
    noiseless = project(volume, [0.0], width=96)[0]
    height_um = 1e-4 * PIXEL_A * (202 - 102)
    own, axis = (
        simulate_counts(
            noiseless,
            PIXEL_A,
            MICROSCOPE,
            Exposure(0.0, Defocus(3.0 - change), 1e10, 20.0),
            np.random.default_rng(0),
        )
        for change in (height_um, 0.0)
    )
    own, axis = own / own.mean() - 1, axis / axis.mean() - 1
    assert np.std(sliced - own) < 0.05 * np.std(own)
    assert np.std(sliced - axis) > 0.1 * np.std(own)


def test_slices_that_do_not_fit_into_memory_at_once_give_the_same_image(monkeypatch):
    volume = specimen()
    beads = Beads(np.array([[50.0, 300.0, 20.0]]), np.array([45.0]), 22.0)
    contents = Contents(beads, 0.2, 40)
    together = relative(volume, 5, 30.0, contents)
    monkeypatch.setattr(imaging, "STACK_BYTES", 3 * 4 * 70 * 96)
    np.testing.assert_array_equal(relative(volume, 5, 30.0, contents), together)


def test_bead_is_darker_by_what_gold_absorbs():
    volume = np.zeros((20, 64, 160), np.float32)
    z, y, x = np.ogrid[:20, :64, :160]
    volume[(z - 10) ** 2 + (y - 32) ** 2 + (x - 80) ** 2 <= 16] = 22.0
    beads = Beads(np.array([[0.0, 320.0, 0.0]]), np.array([40.0]), 22.0)
    plain, absorbing = (
        relative(volume, None, contents=contents) for contents in (Contents(), Contents(beads))
    )
    inner = np.s_[30:35, 46:51]
    assert absorbing[inner].mean() < plain[inner].mean() - 0.15
    assert math.isclose(absorbing[:10].mean(), plain[:10].mean(), abs_tol=0.05)
