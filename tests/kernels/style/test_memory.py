"""The memory model: what a plan relies on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.kernels.style.memory import targets_bytes, tiled_work, tiles_from_largest, transfer_bytes

STYLE, CONTENT = (1, 6, 11, 20, 29), (8,)
sizes = st.integers(64, 4000)


@given(sizes, sizes, st.integers(4, 60))
def test_smaller_tiles_never_need_more(height: int, width: int, units: int) -> None:
    small, large = (transfer_bytes((height, width), 16 * n, STYLE, CONTENT) for n in (units, units + 8))
    # Tiles of nearly equal size: one more of them can make a core one unit of 16 wider, no more.
    assert small <= large * 1.25
    assert small <= transfer_bytes((height, width), None, STYLE, CONTENT)


def test_the_full_size_of_the_paper_fits_into_a_small_fixed_memory() -> None:
    full = transfer_bytes((3500, 3500), 512, STYLE, CONTENT)
    assert full < 1.6 * 2**30
    assert full < transfer_bytes((3500, 3500), None, STYLE, CONTENT) / 8
    assert transfer_bytes((3500, 3500), 512, STYLE, CONTENT, "bfloat16") < full
    assert transfer_bytes((3500, 3500), 512, STYLE, CONTENT, iterations=5) > full


def test_the_matched_method_keeps_a_history_that_does_not_depend_on_the_tile() -> None:
    small, large = (
        transfer_bytes((size, size), 512, STYLE, (), method="matched")
        - transfer_bytes((size, size), 512, STYLE, ())
        for size in (2048, 4096)
    )
    assert 0 < 3.9 * small < large < 4.1 * small
    assert large < 2**30


def test_targets_need_less_than_the_transfer() -> None:
    for tile in (None, 256):
        assert targets_bytes((1024, 1024), tile, STYLE) < transfer_bytes((1024, 1024), tile, STYLE, CONTENT)


def test_tiles_are_tried_from_the_whole_image_down() -> None:
    tiles = list(tiles_from_largest([(100, 50), (90, 130)]))
    assert tiles[0] is None
    assert tiles[1:] == [128, 112, 96, 80, 64, 48, 32, 16]


@pytest.mark.parametrize("tile", [None, 2048])
def test_a_single_tile_is_no_extra_work(tile: int | None) -> None:
    assert tiled_work((1024, 1024), tile, STYLE) == 1


def test_small_tiles_are_mostly_halo() -> None:
    work = [tiled_work((1024, 1024), tile, STYLE) for tile in (512, 256, 64)]
    assert np.all(np.diff(work) > 0)
    assert 1.5 < work[0] < 2.2
