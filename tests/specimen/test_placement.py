from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from faket_dask.errors import InputError
from faket_dask.specimen import (
    Fiducials,
    PackingError,
    ParticleTable,
    Recipe,
    Sheet,
    Species,
    Vesicle,
    check_fits,
    place,
    render_block,
)

BOOT = Species("boot", ("boot",), count=4)
ANVIL = Species("anvil", ("anvil",), count=3)

CROWDED = Recipe(
    (50, 60, 90),
    14.0,
    (
        Species("comma", ("comma",), count=(5, 20)),
        BOOT,
        ANVIL,
        Vesicle(1, (120.0, 180.0), deformation=0.2),
        Sheet(1, (120.0, 180.0), bend=0.2),
        Fiducials((2, 4)),
    ),
    ice_texture=0.0,
)


def placed(recipe: Recipe, seed: int) -> ParticleTable:
    return place(recipe, np.random.default_rng(seed))


def labelled_voxels(recipe: Recipe, table: ParticleTable) -> np.ndarray:
    """Count the voxels of each instance, from 1."""
    block = render_block(recipe, table, 0, recipe.shape[1])
    return np.bincount(block.instance_mask.ravel(), minlength=len(table) + 1)[1:]


@settings(max_examples=10)
@given(seed=st.integers(0, 9999))
def test_objects_do_not_overlap(seed):
    table = placed(CROWDED, seed)
    together = labelled_voxels(CROWDED, table)
    alone = [
        labelled_voxels(CROWDED, table.select(np.array([row])))[table.instance[row] - 1]
        for row in range(len(table))
    ]
    assert together.tolist() == alone
    assert min(alone) > 0


def test_counts_reach_both_ends_of_their_range():
    counts = [placed(CROWDED, seed).counts() for seed in range(25)]
    assert all(c["boot"] == 4 and c["anvil"] == 3 and c["vesicle"] == c["sheet"] == 1 for c in counts)
    assert all(5 <= c["comma"] <= 20 and 2 <= c["fiducial"] <= 4 for c in counts)
    assert {c["fiducial"] for c in counts} == {2, 3, 4}


def test_density_gives_the_count():
    recipe = Recipe((40, 80, 100), 10.0, (Species("comma", ("comma",), density_per_um3=100_000.0),))
    assert recipe.grid.volume_um3 == pytest.approx(0.04 * 0.08 * 0.1)
    assert len(placed(recipe, 0)) == 32


def test_placement_follows_from_the_seed():
    first, again, other = placed(CROWDED, 1), placed(CROWDED, 1), placed(CROWDED, 2)
    assert first.seed() == again.seed()
    assert first.class_name.tolist() == again.class_name.tolist()
    assert first.seed() != other.seed()


def test_rows_are_in_rendering_order_inside_the_volume():
    table = placed(CROWDED, 3)
    order = ["vesicle", "sheet", "comma", "boot", "anvil", "fiducial"]
    ranks = [order.index(name) for name in table.class_name]
    assert ranks == sorted(ranks)
    assert table.instance.tolist() == list(range(1, len(table) + 1))
    assert (table.class_id == [CROWDED.class_ids[name] for name in table.class_name]).all()
    reach = np.where(table.class_name == "fiducial", table.radius_A - CROWDED.voxel_size_A, 0)[:, None]
    assert (table.centre_A >= reach)[~table.is_cut].all()
    assert (table.centre_A <= np.array(CROWDED.grid.extent_A) - reach)[~table.is_cut].all()


def test_orientations_stay_uniform_in_a_thin_crowded_slab():
    # A coil is 300 Å long; were a place chosen before the orientation, flat ones would be favoured.
    recipe = Recipe((25, 250, 250), 14.0, (Species("coil", ("coil",), count=110),))
    rotation = np.concatenate([placed(recipe, seed).rotation for seed in range(5)])
    for entry in rotation.reshape(-1, 9).T:
        assert stats.kstest(entry, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_conformations_are_equally_likely():
    recipe = Recipe(
        (30, 130, 130), 14.0, (Species("shifty", ("comma", "boot", "propeller"), count=300),), ice_texture=0.0
    )
    table = placed(recipe, 0)
    shares = np.bincount(table.variant, minlength=3)
    assert stats.chisquare(shares).pvalue > 1e-3
    assert len(np.unique(table.radius_A)) == 3
    assert set(table.class_id) == {1}


def test_bead_diameters_are_uniform_in_their_range():
    recipe = Recipe((40, 130, 130), 14.0, (Fiducials(300, (60.0, 140.0)),))
    diameters = 2 * placed(recipe, 0).radius_A
    assert stats.kstest(diameters, stats.uniform(60, 80).cdf).pvalue > 1e-3


def test_membrane_proteins_do_not_overlap():
    recipe = Recipe(
        (45, 50, 50),
        14.0,
        (
            Species("spike", ("boot",), count=10, on_membrane=True, membrane_offset_A=90.0),
            Vesicle(1, 200.0),
        ),
        ice_texture=0.0,
    )
    table = placed(recipe, 0)
    together = labelled_voxels(recipe, table)
    for row in range(1, len(table)):
        alone = labelled_voxels(recipe, table.select(np.array([row])))
        assert together[table.instance[row] - 1] == alone[table.instance[row] - 1]


def test_membrane_protein_without_membrane_is_refused():
    spike = Species("spike", ("boot",), count=1, on_membrane=True)
    recipe = Recipe((60, 60, 60), 14.0, (spike, Vesicle(0, 200.0)))
    with pytest.raises(InputError, match="none was drawn"):
        placed(recipe, 0)


def test_packing_error_names_class_and_counts():
    recipe = Recipe((30, 40, 40), 14.0, (Species("anvil", ("anvil",), count=125),))
    with pytest.raises(PackingError, match=r"only \d+ of 125 'anvil' found room, with \d+% of the volume"):
        placed(recipe, 0)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("coil", Species("coil", ("coil",), count=1)),
        ("fiducial", Fiducials(1, (100.0, 290.0))),
    ],
)
def test_object_larger_than_the_slab_is_refused(name, group):
    recipe = Recipe((20, 90, 90), 14.0, (group,))
    with pytest.raises(InputError, match=rf"'{name}' is up to \d+ Å across and the volume only 266 Å"):
        check_fits(recipe)


def test_particles_beyond_the_volume_are_refused():
    recipe = Recipe((40, 40, 40), 14.0, (Species("comma", ("comma",), density_per_um3=1e8),))
    with pytest.raises(InputError, match="the particles alone would fill"):
        check_fits(recipe)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_balanced_classes_have_equal_counts(seed: int) -> None:
    species = [replace(BOOT, count=(2, 9)), replace(ANVIL, count=(4, 6))]
    crowd = Species("comma", ("comma",), count=(8, 9), labelled=False)
    table = placed(Recipe((50, 60, 90), 14.0, (*species, crowd), balanced=True), seed)
    counts = table.labelled().counts()
    assert len(set(counts.values())) == 1
    assert 4 <= counts["boot"] <= 6
    assert (table.class_name == "comma").sum() >= 8


def test_unbalanceable_classes_are_named() -> None:
    with pytest.raises(InputError, match=r"'boot' asks for at least 7 and 'anvil' for at most 3"):
        Recipe((50, 60, 90), 14.0, (replace(BOOT, count=7), ANVIL), balanced=True)
