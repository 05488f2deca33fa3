import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.specimen import Fiducials, Recipe, Species, place, render_block
from faket_dask.specimen.halo import Halo
from faket_dask.specimen.ice import ICE_V


def test_ice_is_missing_about_a_bead_and_its_label_stays():
    halo = Halo(thickness_A=60.0, loss=0.4)
    recipe = Recipe((40, 40, 40), 10.0, (Fiducials(1, 100.0, halo),), ice_texture=0.0)
    table = place(recipe, np.random.default_rng(0))
    block = render_block(recipe, table, 0, 40)
    places = np.moveaxis(np.indices((40, 40, 40))[::-1], 0, -1) * 10.0
    distance = np.linalg.norm(places - table.centre_A[0], axis=-1)
    np.testing.assert_array_equal(block.instance_mask == 1, distance <= 50)
    shell = (distance > 55) & (distance < 110)
    expected = -ICE_V * 0.4 * (1 - (distance[shell] - 50) / 60)
    np.testing.assert_allclose(block.density[shell], expected, atol=1e-5)
    np.testing.assert_array_equal(block.density[distance > 110], 0.0)


def test_other_objects_keep_clear_of_halos_and_blocks_agree():
    components = (Fiducials(2, 90.0, Halo(40.0, 0.3)), Species("comma", count=40))
    recipe = Recipe((30, 40, 40), 10.0, components, ice_texture=0.0)
    table = place(recipe, np.random.default_rng(2))
    block = render_block(recipe, table, 0, 40)
    places = np.moveaxis(np.indices((30, 40, 40))[::-1], 0, -1) * 10.0
    for row in map(table.row, np.flatnonzero(table.class_name == "fiducial")):
        distance = np.linalg.norm(places - row.centre_A, axis=-1)
        assert (block.class_mask[distance < row.radius_A + 40] < 2).all()
    halves = [render_block(recipe, table, *rows).density for rows in ((0, 17), (17, 40))]
    np.testing.assert_array_equal(np.concatenate(halves, axis=1), block.density)


def test_more_than_all_of_the_ice_cannot_be_missing():
    with pytest.raises(InputError, match="a share is at most 1"):
        Halo(loss=1.5)
