"""The tile is settled from the configuration alone."""

import pytest

from faket_dask.config import StyleSection
from faket_dask.errors import InputError
from faket_dask.stages.tiling import GIB, resolve_tile, task_bytes


def test_small_tilts_are_transferred_whole_and_large_ones_in_tiles() -> None:
    assert resolve_tile(StyleSection(), (1024, 1024), []).tile == "whole"
    large = resolve_tile(StyleSection(), (3500, 3500), [])
    assert large.tile_px is not None
    assert task_bytes(large, (3500, 3500), [], large.tile_px) <= large.memory_per_task_GiB * GIB
    assert task_bytes(large, (3500, 3500), [], large.tile_px + 128) > large.memory_per_task_GiB * GIB


def test_less_memory_means_smaller_tiles() -> None:
    tiles = [
        resolve_tile(StyleSection(memory_per_task_GiB=memory), (3500, 3500), []).tile_px or 3500
        for memory in (2.5, 4.0, 8.0)
    ]
    assert tiles == sorted(tiles)
    assert len(set(tiles)) == 3


def test_large_reference_counts_too() -> None:
    assert resolve_tile(StyleSection(), (1024, 1024), [(6000, 6000)]).tile_px is not None


def test_resolved_tile_stays() -> None:
    given = StyleSection(tile=256)
    assert resolve_tile(given, (3500, 3500), []) == given
    assert StyleSection(tile="whole").tile_px is None
    with pytest.raises(ValueError, match="still `auto`"):
        _ = StyleSection().tile_px


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(InputError, match=r"memory_per_task_GiB is 1, but a tilt of 3500 x 3500 .* takes"):
        resolve_tile(StyleSection(memory_per_task_GiB=1), (3500, 3500), [])


@pytest.mark.parametrize("preset", ["published", "matched"])
def test_tile_of_a_huge_tilt_is_searched_without_making_tiles(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("tiles are made")

    monkeypatch.setattr("faket_dask.kernels.style.tiles.Tile", refuse)
    style = StyleSection.model_validate({"preset": preset})
    with pytest.raises(InputError, match=r"32768 x 32768 pixels takes .* raise it to \d+\.?\d* or more"):
        resolve_tile(style, (32768, 32768), [])


def test_memory_that_the_message_names_is_enough() -> None:
    with pytest.raises(InputError, match="raise it to") as error:
        resolve_tile(StyleSection(), (8184, 11520), [])
    named = float(str(error.value).split("raise it to ")[1].split()[0])
    assert resolve_tile(StyleSection(memory_per_task_GiB=named), (8184, 11520), []).tile_px is not None
