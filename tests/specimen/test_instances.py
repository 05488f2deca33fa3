"""Instances of a class mask."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from faket_dask.errors import InputError
from faket_dask.specimen.instances import BLOCK_ROWS, SMALLEST_PART, find_instances
from faket_dask.specimen.particles import ParticleTable, make_table


@dataclass(frozen=True)
class Mask:
    """Class mask in memory."""

    values: np.ndarray
    path: Path = Path("labels.mrc")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def rows(self, start: int, stop: int, /) -> np.ndarray:
        return self.values[:, start:stop]


def table(*rows: tuple[int, tuple[float, float, float]]) -> ParticleTable:
    numbers = [number for number, _ in rows]
    centres = np.array([centre for _, centre in rows], float).reshape(-1, 3)
    return make_table([f"c{n}" for n in numbers], numbers, centres, np.tile(np.eye(3), (len(rows), 1, 1)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.2, 0.6))
def test_parts_are_those_of_the_whole_volume_whatever_the_blocks(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.random((3, 2 * BLOCK_ROWS + 5, 4)) < share) * rng.integers(1, 3, (3, 1, 4))
    mask = Mask(values.astype(np.uint8))
    found = find_instances(mask, table(), 1.0, {1: "one", 2: "two"})
    whole = np.zeros(values.shape, np.int64)
    for number in (1, 2):
        parts, _ = ndimage.label(values == number)
        whole[parts > 0] = parts[parts > 0] + whole.max()
    sizes = np.bincount(whole.ravel())
    instances = np.concatenate(
        [found.rows(y, min(y + 50, values.shape[1])) for y in range(0, values.shape[1], 50)], 1
    )
    np.testing.assert_array_equal(instances > 0, (sizes >= SMALLEST_PART)[whole] & (whole > 0))
    pairs = set(zip(instances[instances > 0].tolist(), whole[instances > 0].tolist(), strict=True))
    assert (
        len(pairs) == len(found.table) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    )
    for row in range(len(found.table)):
        places = np.argwhere(instances == row + 1)
        np.testing.assert_allclose(found.table.centre_A[row], places.mean(axis=0)[::-1])
        assert (values[tuple(places.T)] == found.table.class_id[row]).all()


def test_hollow_particle_has_its_shell_and_touching_ones_are_shared() -> None:
    z, y, x = np.indices((24, 80, 24))
    first = np.sqrt((x - 12) ** 2 + (y - 12) ** 2 + (z - 12) ** 2)
    second = np.sqrt((x - 12) ** 2 + (y - 29) ** 2 + (z - 12) ** 2)
    values = ((first < 9) & (first > 6)) | ((second < 9) & (second > 6))
    found = find_instances(Mask(values.astype(np.uint8)), table((1, (12, 12, 12)), (1, (12, 29, 12))), 1.0)
    instances = found.rows(0, 80)
    assert (instances[values & (first < second)] == 1).all()
    assert (instances[values & (second < first)] == 2).all()


def test_fragment_beside_a_particle_is_its_own_and_one_far_away_is_refused() -> None:
    values = np.zeros((4, 100, 4), np.uint8)
    values[:, 10:20] = values[:, 22:24] = 1
    rows = table((1, (1, 15, 1)))
    assert set(np.unique(find_instances(Mask(values), rows, 1.0).rows(0, 100))) == {0, 1}
    values[:, 90:] = 1
    with pytest.raises(
        InputError, match=r"160 voxels of 1 about voxel \(2, 94, 2\), and the nearest .* 80 voxels away"
    ):
        find_instances(Mask(values), rows, 1.0)


def test_more_instances_than_a_mask_holds_are_refused() -> None:
    values = np.zeros((2, 2 * 257, 4 * 260), np.uint8)
    values[:, ::2].reshape(2, 257, 260, 4)[..., :2] = 1
    with pytest.raises(InputError, match="66820 instances do not fit a 16-bit mask"):
        find_instances(Mask(values.repeat(2, 0)), table(), 1.0, {1: "one"})
