"""Organelles that the faces of a volume cut, and the proteins and contents that are counted by what is shown."""

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.specimen import Recipe, Species, Tubule, Vesicle, place
from faket_dask.specimen.amounts import PerVolume
from faket_dask.specimen.occupancy import Occupancy
from faket_dask.specimen.shape import Shape, VoxelMask
from faket_dask.specimen.voxel_grid import VoxelGrid

VOXEL_A = 20.0


def test_mask_takes_the_voxels_that_a_list_of_them_takes():
    rng = np.random.default_rng(0)
    low, mask = np.array([-2, 1, 3]), rng.random((6, 5, 4)) < 0.4
    voxels = np.argwhere(mask) + low
    grid = VoxelGrid((8, 8, 8), 10.0)
    listed, masked = (Occupancy(grid, margin=(2, 2, 2)) for _ in range(2))
    listed.add_surface(Shape(voxels.astype(np.int32), np.zeros(3)), (0, 0, 0))
    masked.add_surface_mask(VoxelMask(low, mask))
    listed.add_compartment(Shape((voxels + 1).astype(np.int32), np.zeros(3)), (0, 0, 0))
    masked.add_compartment_mask(VoxelMask(low + 1, mask))
    assert np.array_equal(listed._space, masked._space)
    assert masked.shown_mask_share(VoxelMask(low, mask)) == pytest.approx(
        listed.shown_share(Shape(voxels.astype(np.int32), np.zeros(3)), (0, 0, 0))
    )
    assert not masked.fits_mask(VoxelMask(low, mask), masked.region([0]))


def test_large_organelle_that_lies_flat_is_turned_about_z_alone():
    cell = Tubule(
        1, 900.0, name="cell", length_A=3000.0, bend_radius_A=9000.0, may_be_cut=True, lies_flat=True
    )
    table = place(Recipe((30, 40, 40), VOXEL_A, (cell,)), np.random.default_rng(0))
    assert table.counts() == {"cell": 1}
    assert table.is_cut.all()
    assert table.rotation[0][2, 2] == pytest.approx(1)


@pytest.mark.parametrize("seed", [0, 1])
def test_proteins_by_area_are_as_many_as_the_shown_membrane_has_room_for(seed):
    cell = Vesicle(1, 900.0, name="cell", may_be_cut=True)
    protein = Species(
        "pump", "transporter-like", density_per_um2=400.0, on_membrane="cell", membrane_offset_A=19.0
    )
    inside = Species("boot", density_per_um3=20000.0, inside="cell")
    recipe = Recipe((30, 60, 60), VOXEL_A, (cell, protein, inside))
    table = place(recipe, np.random.default_rng(seed))
    counts = table.counts()
    whole = 400.0 * 4 * np.pi * 900.0**2 / 1e8
    assert 0 < counts.get("pump", 0) < 1.2 * whole
    assert 0 < counts.get("boot", 0) <= 20000.0 * recipe.grid.volume_um3


def test_fewer_organelles_than_drawn_are_an_error_only_below_the_range():
    def recipe(count):
        return Recipe((30, 40, 40), VOXEL_A, (Vesicle(count, 250.0, deformation=0.0, may_be_cut=True),))

    table = place(recipe((1, 200)), np.random.default_rng(0))
    assert 1 <= table.counts()["vesicle"] < 60
    with pytest.raises(InputError, match="of 200 'vesicle' found room"):
        place(recipe((200, 200)), np.random.default_rng(0))


def test_density_on_membranes_needs_membranes():
    with pytest.raises(InputError, match="density_per_um2 is for particles on_membrane"):
        Species("pump", "comma", density_per_um2=3.0)


def test_numbers_by_the_volume_are_rounded_up():
    vesicles = Vesicle(PerVolume((1.0, 50.0)), 250.0)
    assert vesicles.count_range(VoxelGrid((50, 100, 100), 20.0)) == (1, 1)
    assert vesicles.count_range(VoxelGrid((50, 200, 1000), 20.0)) == (1, 4)
