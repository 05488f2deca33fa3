import pickle
from dataclasses import replace

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.mrc_writing import write_volume
from faket_dask.specimen import (
    Chain,
    Cluster,
    Crowding,
    CrowdingError,
    Distractors,
    Recipe,
    Species,
    Vesicle,
    check_fits,
    place,
    render_block,
)
from faket_dask.specimen.placement import draw_placement

CROWD = (Species("anvil", share=1), Species("boot", share=2), Species("comma", share=1))


def draw(*components, shape=(40, 60, 60), seed=0, **options):
    recipe = Recipe(shape, 14.0, components, ice_texture=0.0, **options)
    return recipe, draw_placement(recipe, np.random.default_rng(seed))


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_crowding_reaches_its_fraction_by_volume(fraction):
    recipe, (table, molecular, occupied) = draw(Crowding(fraction, CROWD))
    assert molecular == pytest.approx(fraction, rel=0.1)
    assert occupied == pytest.approx(fraction, rel=0.1)  # phantoms are as large as their labels
    assert not table.class_id.any()
    block = render_block(recipe, table, 0, recipe.shape[1])
    assert not block.class_mask.any()
    assert (block.density > 1).mean() > 0.8 * fraction


def test_crowding_counts_other_particles_in():
    _, (table, molecular, _) = draw(Species("lantern", count=20), Crowding(0.2, CROWD))
    assert molecular == pytest.approx(0.2, rel=0.1)
    assert table.labelled().counts() == {"lantern": 20}


def test_shares_are_of_the_volume():
    recipe, (table, _, _) = draw(Crowding(0.2, CROWD), shape=(40, 100, 100))
    volumes = {
        species.name: table.counts()[species.name]
        * species.load_templates(recipe.grid)[0].molecular_volume_A3
        for species in CROWD
    }
    assert volumes["boot"] / sum(volumes.values()) == pytest.approx(0.5, abs=0.03)


def test_labelled_crowd_is_in_the_masks():
    recipe, (table, _, occupied) = draw(Crowding(0.2, CROWD, labelled=True))
    assert recipe.class_ids == {"anvil": 1, "boot": 2, "comma": 3}
    block = render_block(recipe, table, 0, recipe.shape[1])
    assert (block.class_mask > 0).mean() == pytest.approx(occupied, abs=1e-6)
    assert set(np.unique(block.instance_mask)) == {0, *table.instance}


@pytest.mark.parametrize(("inside", "is_inside"), [("vesicle", True), ("outside", False)])
def test_crowding_fills_its_compartment_alone(inside, is_inside):
    _, (table, _, _) = draw(
        Vesicle(3, 230.0, deformation=0.0), Crowding(0.2, CROWD[2:], inside=inside), shape=(40, 60, 60)
    )
    vesicle = table.class_name == "vesicle"
    distance = np.linalg.norm(table.centre_A[~vesicle][:, None] - table.centre_A[vesicle], axis=2)
    assert len(distance) > 10
    assert ((distance.min(axis=1) < 230) == is_inside).all()


def test_fraction_out_of_reach_says_what_was_reached():
    with pytest.raises(
        CrowdingError, match=r"molecules fill \d+.\d% of .* not 45.0%.*lower fraction"
    ) as caught:
        draw(Crowding(0.45, (Species("coil", share=1),)), shape=(30, 40, 40))
    error = pickle.loads(pickle.dumps(caught.value))
    assert 0.05 < error.reached < error.requested


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Crowding(0.6, CROWD), "fraction is 0.6"),
        (lambda: Crowding(0.3, ()), "no species"),
        (lambda: Crowding(0.3, (Species("boot", count=1),)), "has no share"),
        (lambda: Crowding(0.3, (Species("boot", share=1, chain=Chain()),)), "belong into specimen.species"),
        (lambda: Species("boot", share=0), "share is 0"),
        (lambda: Recipe((40, 40, 40), 10.0, (Species("boot", share=1),)), "move it to crowding.species"),
        (lambda: Species("boot", count=1, chain=Chain(), cluster=Cluster()), "one of chain and cluster"),
        (lambda: Chain(1), "two particles or more"),
        (lambda: Chain(bend_deg=200), "bend_deg is 200"),
        (lambda: Cluster(1), "two particles or more"),
        (lambda: Distractors(shapes=0), "shapes is 0"),
    ],
)
def test_impossible_crowds_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("radius_A", "share", "message"),
    [
        (105, 1, None),
        (105, 3, "particles of 2 MDa and more have 75% of the crowd"),
        (130, 1, "nothing above 3.5 MDa"),
    ],
)
def test_ribosomes_are_at_most_half_and_nothing_is_heavier(tmp_path, radius_A, share, message):
    """A ball of 105 Å has 2.5 MDa, of 130 Å 4.8 MDa."""
    z, y, x = np.ogrid[-18:19, -18:19, -18:19]
    ball = (np.sqrt(x**2 + y**2 + z**2) * 8 < radius_A).astype(np.float32)
    write_volume(tmp_path / "ball.mrc", ball, 8.0)
    species = (Species("ball", str(tmp_path / "ball.mrc"), share=share), Species("boot", share=1))
    recipe = Recipe((40, 60, 60), 14.0, (Crowding(0.1, species),))
    if message is None:
        check_fits(recipe)
    else:
        with pytest.raises(InputError, match=message):
            check_fits(recipe)


def test_chains_keep_their_spacing_and_bend():
    chained = Species("boot", count=60, chain=Chain((3, 6), spacing_A=(150.0, 180.0), bend_deg=40.0))
    _, (table, _, _) = draw(chained, shape=(60, 100, 100))
    sizes = []
    for parent in np.unique(table.parent):
        centres = table.centre_A[table.parent == parent]
        sizes.append(len(centres))
        steps = np.diff(centres, axis=0)
        lengths = np.linalg.norm(steps, axis=1)
        assert ((lengths > 149.9) & (lengths < 180.1)).all()
        turns = (steps[1:] * steps[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
        assert (turns > np.cos(np.deg2rad(40.1))).all()
    assert max(sizes) <= 6
    assert np.mean(sizes) > 2
    assert set(table.parent) <= set(table.instance)


def test_clusters_keep_their_radius():
    clustered = Species("boot", count=40, cluster=Cluster((5, 10), radius_A=300.0))
    _, (table, _, _) = draw(clustered, shape=(60, 100, 100))
    sizes = []
    for parent in np.unique(table.parent):
        centres = table.centre_A[table.parent == parent]
        sizes.append(len(centres))
        assert (np.linalg.norm(centres - centres[0], axis=1) <= 300.1).all()
    assert np.mean(sizes) >= 4


def test_distractors_are_imaged_and_not_labelled():
    recipe, (table, _, _) = draw(Distractors(12, shapes=5))
    assert len(np.unique(table.variant)) <= 5
    block = render_block(recipe, table, 0, recipe.shape[1])
    assert not block.class_mask.any()
    assert block.density.max() > 1
    assert len(np.unique(table.radius_A)) > 2


def test_faces_cut_particles_across_and_surfaces_only_where_asked():
    recipe = Recipe((20, 40, 40), 14.0, (Species("boot", count=80),), ice_texture=0.0)
    for cut_surfaces in (False, True):
        chosen = replace(recipe, cut_surfaces=cut_surfaces)
        table = place(chosen, np.random.default_rng(0))
        block = render_block(chosen, table, 0, 40)
        shown = np.bincount(block.instance_mask.ravel(), minlength=len(table) + 1)[1:]
        whole = np.median(shown[~table.is_cut])
        assert shown.min() > 0
        assert table.is_cut.sum() > 10
        assert (shown[~table.is_cut] > 0.8 * whole).all()
        radius, extent = table.radius_A[:, None], np.array(recipe.grid.extent_A)
        within = ((table.centre_A > radius) & (table.centre_A < extent - radius))[:, :2].all(axis=1)
        assert (table.is_cut & within).any() == cut_surfaces
