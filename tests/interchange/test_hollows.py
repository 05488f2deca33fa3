"""Instance masks whose hollow particles are filled."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.interchange.exporters.hollows import fill_hollows
from faket_dask.specimen.particles import ParticleTable, Row, particle_table

VOXEL_A = 10.0


def shells(places: list[tuple[tuple[int, int, int], float]]) -> tuple[np.ndarray, ParticleTable]:
    """Make hollow balls ``((x, y, z), radius)`` in voxels; later ones displace earlier ones."""
    mask = np.zeros((24, 26, 28), dtype=np.uint16)
    z, y, x = np.indices(mask.shape)
    rows = []
    for number, (place, radius) in enumerate(places, start=1):
        distance = np.sqrt((x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2)
        mask[np.abs(distance - radius) < 0.9] = number
        rows.append(Row("vesicle", 1, np.array(place) * VOXEL_A, np.eye(3), radius * VOXEL_A, 0))
    return mask, particle_table(rows)


def fill(mask: np.ndarray, table: ParticleTable) -> np.ndarray:
    return fill_hollows(mask, table, VOXEL_A)[:, :, :]


def test_hollow_is_filled_up_to_the_shell() -> None:
    mask, table = shells([((12, 12, 12), 6)])
    filled = fill(mask, table)
    z, y, x = np.indices(mask.shape) - 12
    distance = np.sqrt(x**2 + y**2 + z**2)
    assert (filled[distance < 5] == 1).all()
    np.testing.assert_array_equal(filled[distance >= 6], mask[distance >= 6])


def test_particle_within_another_keeps_its_voxels_and_its_centre() -> None:
    mask, table = shells([((12, 12, 12), 8), ((12, 12, 14), 3)])
    filled = fill(mask, table)
    np.testing.assert_array_equal(filled[mask > 0], mask[mask > 0])
    assert filled[14, 12, 12] == 2


def test_radius_that_is_not_known_is_found() -> None:
    mask, table = shells([((12, 12, 12), 6)])
    unknown = particle_table([Row("vesicle", 1, table.centre_A[0], np.eye(3), 0.0, 0)])
    np.testing.assert_array_equal(fill(mask, unknown), fill(mask, table))


def test_particle_without_a_voxel_has_the_one_at_its_centre() -> None:
    mask, table = shells([((12, 12, 12), 6)])
    filled = fill(np.zeros_like(mask), table)
    assert filled[12, 12, 12] == filled.sum() == 1


@given(
    places=st.lists(
        st.tuples(st.tuples(st.integers(0, 27), st.integers(0, 25), st.integers(0, 23)), st.floats(1.5, 7)),
        min_size=1,
        max_size=4,
    ),
    rows=st.tuples(st.integers(0, 25), st.integers(1, 26)),
)
def test_only_empty_voxels_change_and_blocks_agree_with_the_whole(
    places: list[tuple[tuple[int, int, int], float]], rows: tuple[int, int]
) -> None:
    mask, table = shells(places)
    lazy = fill_hollows(mask, table, VOXEL_A)
    filled = lazy[:, :, :]
    np.testing.assert_array_equal(filled[mask > 0], mask[mask > 0])
    x, y, z = np.rint(table.centre_A / VOXEL_A).astype(int).T
    assert (filled[z, y, x] > 0).all()
    block = slice(rows[0], rows[0] + rows[1])
    np.testing.assert_array_equal(lazy[:, block, :], filled[:, block, :])
