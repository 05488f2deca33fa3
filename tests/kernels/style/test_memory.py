"""The memory model that a plan relies on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.kernels.style.memory import (
    matching_bytes,
    targets_bytes,
    tiled_work,
    tiles_from_largest,
    transfer_bytes,
)
from faket_dask.kernels.style.network import Precision
from faket_dask.kernels.style.settings import GramMatchingSettings, StyleSettings
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE as VGG

STYLE = (1, 6, 11, 20, 29)
sizes = st.integers(64, 4000)


def peak(
    shape: tuple[int, int], tile: int | None, precision: Precision = "float32", iterations: int = 1
) -> int:
    return transfer_bytes(shape, tile, VGG, StyleSettings(iterations=iterations), precision)


@given(sizes, sizes, st.integers(4, 60))
def test_no_tile_needs_more_than_the_whole_image(height: int, width: int, units: int) -> None:
    assert peak((height, width), 16 * units) <= peak((height, width), None)


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(4, 60))
def test_smaller_tiles_never_need_more(extra_rows: int, extra_columns: int, units: int) -> None:
    """With three tiles or more along either side; of two tiles, each has a halo on one side alone."""
    least = 3 * 16 * (units + 8)
    shape = (least + extra_rows, least + extra_columns)
    small, large = (peak(shape, 16 * n) for n in (units, units + 8))
    # Tiles of nearly equal size: one more of them can make a core one unit of 16 wider, no more.
    assert small <= large * 1.25


def test_full_size_of_the_paper_fits_into_a_small_fixed_memory() -> None:
    full = peak((3500, 3500), 512)
    assert full < 1.6 * 2**30
    assert full < peak((3500, 3500), None) / 8
    assert peak((3500, 3500), 512, "bfloat16") < full
    assert peak((3500, 3500), 512, iterations=5) > full


def test_gram_matching_keeps_a_history_that_does_not_depend_on_the_tile() -> None:
    without_content = StyleSettings(content_layers={})
    small, large = (
        matching_bytes((size, size), 512, VGG, GramMatchingSettings())
        - transfer_bytes((size, size), 512, VGG, without_content)
        for size in (2048, 4096)
    )
    assert 0 < 3.9 * small < large < 4.1 * small
    assert large < 2**30


def test_targets_need_less_than_the_transfer() -> None:
    for tile in (None, 256):
        assert targets_bytes((1024, 1024), tile, VGG, STYLE) < peak((1024, 1024), tile)


def test_tiles_are_tried_from_the_whole_image_down() -> None:
    tiles = list(tiles_from_largest([(100, 50), (90, 130)], VGG.alignment))
    assert tiles[0] is None
    assert tiles[1:] == [128, 112, 96, 80, 64, 48, 32, 16]


@pytest.mark.parametrize("tile", [None, 2048])
def test_single_tile_is_no_extra_work(tile: int | None) -> None:
    assert tiled_work((1024, 1024), tile, VGG, STYLE) == 1


def test_small_tiles_are_mostly_halo() -> None:
    work = [tiled_work((1024, 1024), tile, VGG, STYLE) for tile in (512, 256, 64)]
    assert np.all(np.diff(work) > 0)
    assert 1.5 < work[0] < 2.2
