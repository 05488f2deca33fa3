"""Tilts made ready for back-projection."""

import numpy as np
import pytest

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.binning import bin_axes
from faket_dask.kernels.projection import project
from faket_dask.stages.reconstruction import (
    Half,
    binned_coordinates,
    choose_half,
    choose_tilts,
    density_scale,
    prepare_tilt,
)

ANGLES = np.arange(-60.0, 61, 3)


@pytest.mark.parametrize("tilt_stride", [1, 2, 3, 7])
def test_thinning_keeps_the_tilt_at_zero(tilt_stride: int) -> None:
    kept = choose_tilts(ANGLES, tilt_stride)
    assert 0 in ANGLES[kept]
    assert set(np.diff(kept)) <= {tilt_stride}
    assert len(kept) >= 41 // tilt_stride


@pytest.mark.parametrize(("size", "binning"), [(96, 2), (97, 2), (99, 4), (98, 3), (101, 1)])
def test_binned_pixels_keep_the_centre(size: int, binning: int) -> None:
    places = binned_coordinates(size, binning, 5.0)
    assert places[len(places) // 2] == size // 2 * 5.0
    assert set(np.diff(places)) == {binning * 5.0}


@pytest.mark.parametrize("kind", ["ramp", "crowther", "hann", "exact", "shrec"])
@pytest.mark.parametrize("binning", [1, 2])
def test_every_filter_puts_a_bead_where_it_was(kind: str, binning: int) -> None:
    shape, place = (36, 20, 96), (60.0, 10.0, 24.0)
    z, y, x = np.indices(shape)
    distance = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2
    volume = np.exp(-distance / (2 * 2.5**2)).astype(np.float32)
    stack = project(volume, ANGLES)
    ready = np.stack(
        [
            prepare_tilt(
                tilt=t, kind=kind, tilt_angles=ANGLES, index=i, thickness_px=36 / binning, binning=binning
            )
            for i, t in enumerate(stack)
        ]
    )
    tomogram = back_project(ready, ANGLES, 36 // binning)
    found = np.array(np.unravel_index(np.argmin(tomogram), tomogram.shape))
    expected = np.array(np.unravel_index(np.argmax(bin_axes(volume, binning, (0, 1, 2))), tomogram.shape))
    np.testing.assert_array_equal(found, expected)
    assert np.corrcoef(tomogram.ravel(), -bin_axes(volume, binning, (0, 1, 2)).ravel())[0, 1] > 0.6


def test_exact_weights_differ_between_tilts() -> None:
    tilt = np.random.default_rng(0).standard_normal((16, 32)).astype(np.float32)
    uneven = np.array([-60.0, -50, 0, 3, 6])
    first, last = (
        prepare_tilt(tilt=tilt, kind="exact", tilt_angles=uneven, index=index, thickness_px=20)
        for index in (0, 4)
    )
    assert np.abs(first - last).max() > 0.1 * np.abs(first).max()


def reconstruct(
    stack: np.ndarray, angles: np.ndarray, kind: str, depth: int, *, weighted_as: np.ndarray | None = None
) -> np.ndarray:
    """Reconstruct a tomogram; its tilts may be weighted as if they had other angles."""
    for_weights = angles if weighted_as is None else weighted_as
    ready = [
        prepare_tilt(tilt=tilt, kind=kind, tilt_angles=for_weights, index=index, thickness_px=depth)
        for index, tilt in enumerate(stack)
    ]
    return back_project(np.stack(ready), angles, depth)


def blob(shape: tuple[int, int, int], width: float) -> np.ndarray:
    places = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) // 2
    return np.exp(-(places**2).sum(axis=0) / (2 * width**2)).astype(np.float32)


def test_unevenly_spaced_tilts_are_weighted_by_their_spans() -> None:
    uneven = np.concatenate((np.arange(-60.0, 0, 2), np.arange(0.0, 61, 6)))
    rng = np.random.default_rng(0)
    volume = np.zeros((48, 4, 128), dtype=np.float32)
    for place in rng.integers((8, 0, 32), (40, 4, 96), (12, 3)):
        volume += np.roll(blob(volume.shape, 2.0), place - np.array(volume.shape) // 2, axis=(0, 1, 2))
    stack = project(volume, uneven)

    def correlation(tomogram: np.ndarray) -> float:
        return float(np.corrcoef(tomogram.ravel(), -volume.ravel())[0, 1])

    exact = correlation(reconstruct(stack, uneven, "exact", 48))
    even = np.linspace(-60, 60, uneven.size)
    for kind in ("ramp", "crowther", "hann"):
        alike = correlation(reconstruct(stack, uneven, kind, 48, weighted_as=even))
        weighted = correlation(reconstruct(stack, uneven, kind, 48))
        assert weighted > alike + 0.02
        assert weighted > exact - 0.03


@pytest.mark.parametrize("kind", ["ramp", "crowther", "hann", "shrec"])
@pytest.mark.parametrize("angles", [np.arange(-90.0, 90, 2), np.arange(-60.0, 61, 3)])
def test_density_scale_is_what_a_blob_shows(kind: str, angles: np.ndarray) -> None:
    volume = blob((160, 16, 192), 5.0)
    tomogram = reconstruct(project(volume, angles), angles, kind, 160)
    # Amplitudes at low frequencies along x, which lie in the middle of what is recorded.
    shown, true = (np.fft.fftn(each)[0, 0, 3:7] for each in (-tomogram, volume))
    stated = density_scale(kind, volume.shape[1:], angles)
    assert np.mean((shown / true).real) == pytest.approx(stated, rel=0.04)
    if kind == "shrec":
        assert 4.2 < stated / density_scale("ramp", volume.shape[1:], angles) < 4.4


def test_density_scale_grows_with_the_binning_of_tilts() -> None:
    volume = blob((96, 16, 128), 6.0)
    angles = np.arange(-90.0, 90, 2)
    ready = [
        prepare_tilt(tilt=tilt, kind="ramp", tilt_angles=angles, index=index, thickness_px=48, binning=2)
        for index, tilt in enumerate(project(volume, angles))
    ]
    tomogram = back_project(np.stack(ready), angles, 48)
    shown, true = np.fft.fftn(-tomogram)[0, 0, 3:6], np.fft.fftn(volume[::2, ::2, ::2])[0, 0, 3:6]
    stated = density_scale("ramp", (8, 64), angles, binning=2)
    assert stated == pytest.approx(2)
    assert np.mean((shown / true).real) == pytest.approx(stated, rel=0.05)


@pytest.mark.parametrize("tilts", [2, 5, 8])
def test_halves_part_the_tilts(tilts: int) -> None:
    before = np.random.default_rng(tilts).permutation(tilts) * 3.0
    for first, second in ((Half.ODD, Half.EVEN), (Half.EARLY, Half.LATE)):
        one, other = choose_half(first, tilts, before), choose_half(second, tilts, before)
        assert sorted([*one, *other]) == list(range(tilts))
        assert one.size - other.size == tilts % 2
    early, late = choose_half(Half.EARLY, tilts, before), choose_half(Half.LATE, tilts, before)
    assert before[early].max() < before[late].min()


def test_missing_halves_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be halved"):
        choose_half(Half.ODD, 1)
    with pytest.raises(ValueError, match="early half needs the exposure"):
        choose_half(Half.EARLY, 4)
