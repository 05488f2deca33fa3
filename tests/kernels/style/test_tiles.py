"""Cutting an image into tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.kernels.style.tiles import cut, halo, measure_regions
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE as VGG

LAYERS = (1, 8, 29)
shapes = st.tuples(st.integers(16, 300), st.integers(16, 300))
sides = st.integers(1, 12).map(lambda units: units * VGG.alignment)


@given(shapes, sides)
def test_cores_cover_every_pixel_once(shape: tuple[int, int], side: int) -> None:
    covered = np.zeros(shape, dtype=int)
    for tile in cut(shape, side, VGG, LAYERS):
        covered[tile.core] += 1
        assert max(s.stop - s.start for s in tile.core) <= side
    assert (covered == 1).all()


@given(shapes, sides)
def test_cores_cover_every_activation_once(shape: tuple[int, int], side: int) -> None:
    for layer in LAYERS:
        step = VGG.stride(layer)
        covered = np.zeros((shape[0] // step, shape[1] // step), dtype=int)
        for tile in cut(shape, side, VGG, LAYERS):
            origin = [s.start // step for s in tile.region]
            rows, columns = tile.core_activations(step)
            covered[
                rows.start + origin[0] : rows.stop + origin[0],
                columns.start + origin[1] : columns.stop + origin[1],
            ] += 1
        assert (covered == 1).all()


@given(shapes, sides)
def test_regions_are_aligned_and_reach_the_halo_or_the_border(shape: tuple[int, int], side: int) -> None:
    margin = halo(VGG, LAYERS)
    for tile in cut(shape, side, VGG, LAYERS):
        for core, region, size in zip(tile.core, tile.region, shape, strict=True):
            assert region.start % VGG.alignment == 0
            assert region.stop % VGG.alignment == 0 or region.stop == size
            assert region.start == max(0, core.start - margin)
            assert region.stop == min(size, core.stop + margin)


def test_halo_follows_from_the_layers() -> None:
    assert halo(VGG, [1]) == 16
    assert halo(VGG, [1, 6, 11, 20, 29]) == 80
    assert halo(VGG, [8]) < halo(VGG, [20]) < halo(VGG, [29])


def test_no_tile_is_the_whole_image() -> None:
    (whole,) = cut((50, 37), None, VGG, LAYERS)
    assert whole.core == whole.region == (slice(0, 50), slice(0, 37))


@pytest.mark.parametrize("side", [0, -16, 8, 100])
def test_tile_that_does_not_fall_on_the_poolings_is_refused(side: int) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        cut((64, 64), side, VGG, LAYERS)


@given(shapes, st.one_of(st.none(), sides))
def test_measured_regions_are_those_of_the_tiles(shape: tuple[int, int], side: int | None) -> None:
    pixels = [
        (rows.stop - rows.start) * (columns.stop - columns.start)
        for rows, columns in (tile.region for tile in cut(shape, side, VGG, LAYERS))
    ]
    assert measure_regions(shape, side, VGG, LAYERS) == (max(pixels), sum(pixels))
