import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.specimen import Recipe, Species, place, render_block
from faket_dask.specimen.filaments.arrangement import Branches, Bundle
from faket_dask.specimen.filaments.kinds import Helices, Microtubules, Polymers
from faket_dask.specimen.filaments.tracing import trace_filaments
from faket_dask.specimen.membranes.kinds import Vesicle
from faket_dask.specimen.occupancy import PackingError
from faket_dask.specimen.particles import ParticleTable, Row, particle_table

NETWORK = Recipe(
    (90, 140, 150),
    10.0,
    (
        Helices(
            "actin", count=3, length_A=(500.0, 900.0), branches=Branches(count=1, length_A=(250.0, 400.0))
        ),
        Microtubules("microtubule"),
        Helices("bundle", bundle=Bundle(filaments=3, parallel=False), length_A=600.0),
        Polymers("beads", source="comma", spacing_A=90.0, persistence_length_A=600.0, length_A=500.0),
        Species("boot", count=3),
        Vesicle(1, (150.0, 180.0)),
    ),
    ice_texture=0.0,
)
TABLE = place(NETWORK, np.random.default_rng(3))


def straight(group, length_A: float, centre_A: np.ndarray, step: int = 1) -> ParticleTable:
    """Table of a straight filament of the group along y, its middle at a point."""
    from faket_dask.specimen.filaments.centre_line import smooth_line
    from faket_dask.specimen.filaments.poses import subunit_poses

    ends = centre_A + np.array([[0.0, -0.5, 0.0], [0.0, 0.5, 0.0]]) * length_A
    poses = subunit_poses(smooth_line(ends, 20.0), group.lattice)
    rows = [
        Row(group.name, 1, centre, rotation, 50.0, 0, parent=1)
        for centre, rotation in zip(poses.centre_A[::step], poses.rotation[::step], strict=True)
    ]
    return particle_table(rows)


def test_rows_of_a_filament_share_a_parent_of_their_class():
    by_instance = dict(zip(TABLE.instance.tolist(), TABLE.class_name.tolist(), strict=True))
    for name in ("actin", "bundle", "microtubule", "beads"):
        rows = TABLE.select(TABLE.class_name == name)
        assert len(rows)
        assert {by_instance[number] for number in rows.parent.tolist()} == {name}
    assert (TABLE.parent[TABLE.class_name == "boot"] == 0).all()
    # A mother and a branch each, unless it lies beside the volume, and three filaments in the bundle.
    assert 3 <= len(set(TABLE.parent[TABLE.class_name == "actin"].tolist())) <= 6
    assert len(set(TABLE.parent[TABLE.class_name == "bundle"].tolist())) == 3


def test_every_subunit_is_centred_in_the_volume_and_has_voxels_of_its_own():
    shape = np.array(NETWORK.shape[::-1])
    places = np.rint(TABLE.centre_A[TABLE.parent > 0] / 10.0)
    assert (places >= 0).all()
    assert (places < shape).all()
    block = render_block(NETWORK, TABLE, 0, NETWORK.shape[1])
    present = np.unique(block.instance_mask)
    assert set(TABLE.instance.tolist()) <= set(present.tolist())
    classes = np.zeros(int(TABLE.instance.max()) + 1, int)
    classes[TABLE.instance] = TABLE.class_id
    np.testing.assert_array_equal(classes[block.instance_mask], block.class_mask)


def test_filaments_take_no_voxel_of_other_objects():
    together = render_block(NETWORK, TABLE, 0, NETWORK.shape[1]).class_mask
    for name, number in NETWORK.class_ids.items():
        alone = render_block(NETWORK, TABLE.select(TABLE.class_name == name), 0, NETWORK.shape[1]).class_mask
        np.testing.assert_array_equal(together == number, alone == number)


def test_labels_hold_density():
    block = render_block(NETWORK, TABLE, 0, NETWORK.shape[1])
    names = ("actin", "bundle", "microtubule", "beads")
    ids = [NETWORK.class_ids[name] for name in names]
    labelled = np.isin(block.class_mask, ids)
    level = min(NETWORK.by_class[name].surface_level(NETWORK.grid) for name in names)
    assert (block.density[labelled] >= 0.999 * level).mean() > 0.99


def test_blocks_concatenate_to_the_whole_bit_equal():
    whole = render_block(NETWORK, TABLE, 0, NETWORK.shape[1])
    edges = [0, 33, 34, 90, NETWORK.shape[1]]
    blocks = [render_block(NETWORK, TABLE, *pair) for pair in itertools.pairwise(edges)]
    for part in ("density", "class_mask", "instance_mask"):
        joined = np.concatenate([getattr(block, part) for block in blocks], axis=1)
        assert joined.tobytes() == getattr(whole, part).tobytes()


def test_draws_follow_the_seed():
    again = place(NETWORK, np.random.default_rng(3))
    np.testing.assert_array_equal(again.centre_A, TABLE.centre_A)
    np.testing.assert_array_equal(again.parent, TABLE.parent)


@pytest.mark.parametrize("group", [Helices("actin"), Microtubules("actin")])
@pytest.mark.parametrize("voxel_A", [2.5, 5.0, 10.0, 40 / 3])
def test_potential_of_a_filament_is_that_of_its_subunits_at_any_voxel_size(group, voxel_A):
    """One table, rendered at four voxel sizes: neighbours touch, and their potentials add up."""
    edge = {2.5: 400.0}.get(voxel_A, 480.0)
    shape = (math.ceil(edge / voxel_A), math.ceil(460.0 / voxel_A), math.ceil(edge / voxel_A))
    table = straight(group, 250.0, np.array([edge / 2, 220.0, edge / 2]))
    recipe = Recipe(shape, voxel_A, (group,), ice_texture=0.0)
    block = render_block(recipe, table, 0, shape[1])
    mass_kDa = {"helix": 42.0, "microtubule": 110.0}[group.kind]
    integral = block.density.sum(dtype=float) * voxel_A**3
    assert integral == pytest.approx(len(table) * 4100 * mass_kDa, rel=0.015)


def test_filaments_displace_what_they_lie_in():
    group = Helices("actin")
    table = straight(group, 300.0, np.array([200.0, 200.0, 200.0]))
    empty, full = (
        render_block(
            Recipe((40, 40, 40), 10.0, (group,), ice_texture=0.0, surroundings_V=volts), table, 0, 40
        ).density
        for volts in (0.0, 0.8)
    )
    core = empty > 2 * group.surface_level(Recipe((40, 40, 40), 10.0, (group,)).grid)
    assert core.any()
    np.testing.assert_allclose(full[core], empty[core], atol=1e-5)
    far = empty == 0
    np.testing.assert_allclose(full[far], 0.8)


def test_traced_lines_are_the_axes():
    lines = trace_filaments(NETWORK, TABLE)
    assert set(lines.class_name.tolist()) == {"actin", "bundle", "microtubule", "beads"}
    for number, points in lines.lines().items():
        name = str(lines.class_name[lines.filament == number][0])
        step = np.linalg.norm(np.diff(points, axis=0), axis=1)
        spacing = NETWORK.by_class[name].lattice.spacing_A
        assert step.max(initial=0) < 1.1 * spacing
        own = TABLE.select(TABLE.parent == number)
        # From the minus to the plus end: along the subunits' own z axes.
        assert (points[-1] - points[0]) @ own.rotation[:, :, 2].mean(axis=0) >= 0
    group = Helices("actin")
    table = straight(group, 300.0, np.array([200.0, 200.0, 200.0]))
    traced = trace_filaments(Recipe((40, 40, 40), 10.0, (group,)), table)
    np.testing.assert_allclose(traced.point_A[:, [0, 2]], 200.0, atol=1e-6)


def test_branches_leave_their_mothers_at_the_angle_of_arp23():
    group = Helices("actin", length_A=700.0, branches=Branches(count=1, spread_deg=0.0, length_A=300.0))
    recipe = Recipe((90, 110, 110), 10.0, (group,))
    table = place(recipe, np.random.default_rng(8))
    mother, branch = np.unique(table.parent)
    axes = [table.rotation[table.parent == number][:, :, 2] for number in (mother, branch)]
    cosine = axes[1][0] @ axes[0].mean(axis=0)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(70.0, abs=3.0)


def test_crossing_filaments_end_at_the_sides():
    recipe = Recipe((60, 100, 100), 10.0, (Helices("actin", count=4),))
    table = place(recipe, np.random.default_rng(2))
    for number in np.unique(table.parent):
        ends = table.centre_A[table.parent == number][[0, -1]]
        away = np.minimum(ends[:, :2], 990.0 - ends[:, :2]).min(axis=1)
        assert (away < 60).all()
        assert table.centre_A[:, 2].min() > 0


def test_unlabelled_filaments_have_no_labels():
    recipe = Recipe(
        (40, 60, 60),
        10.0,
        (Helices("actin", length_A=300.0, labelled=False), Species("comma", count=1)),
        ice_texture=0.0,
    )
    table = place(recipe, np.random.default_rng(2))
    block = render_block(recipe, table, 0, 60)
    assert set(np.unique(block.class_mask)) == {0, 1}
    assert (table.instance[table.class_name == "actin"] == 0).all()
    assert block.density[block.class_mask == 0].max() > 1


def test_too_many_filaments_say_how_many_fit():
    recipe = Recipe((12, 40, 40), 10.0, (Helices("actin", length_A=300.0, count=20),))
    with pytest.raises(PackingError, match=r"only \d+ of 20 'actin' found room"):
        place(recipe, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Helices("actin", persistence_length_A=20.0),
            "persistence_length_A is 20, less than the 27.5 Å",
        ),
        (lambda: Helices("actin", length_A=30.0), "at least two subunits"),
        (
            lambda: Microtubules("mt", protofilaments=10),
            "filaments 'mt': protofilaments is 10; lattices are known for",
        ),
        (lambda: Helices("actin", source="aktin"), "'aktin' is neither a file nor a built-in phantom"),
        (lambda: Helices("actin", bundle=Bundle(), branches=Branches()), "a bundle has no branches"),
        (lambda: Helices("actin", length_A=1e8), "it is at most 1e.06"),
        (lambda: Helices("actin", branches=Branches(length_A=0.0)), "a branch has at least two subunits"),
        (lambda: Helices("actin", rise_A=0.0), "a rise lies between 0.5 and 10000 Å"),
        (lambda: Helices("actin", rise_A=1e-6), "a rise lies between"),
        (lambda: Bundle(filaments=1), "a bundle has 2 at least"),
        (lambda: Branches(angle_deg=200.0), "it lies between 10 and 170"),
        (lambda: Helices("fiducial"), "choose another"),
        (lambda: Polymers("beads", spacing_A=0.0), "it lies between 0.5 and 10000"),
    ],
)
def test_impossible_settings_are_explained(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (Helices("actin", length_A=5000.0), "up to 5000 Å long, and at most"),
        (Microtubules("mt"), "'mt' is up to"),
        (Helices("actin", bundle=Bundle(spacing_A=60.0)), "a filament is 8. Å wide"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_drawn(group, message):
    with pytest.raises(InputError, match=message):
        group.check(Recipe((25, 60, 60), 10.0, (group,)).grid)


def test_filaments_labelled_as_one_have_one_instance_each():
    group = Helices(
        "actin",
        count=3,
        length_A=(500.0, 900.0),
        branches=Branches(count=1, length_A=300.0),
        label="filament",
    )
    recipe = Recipe((90, 140, 150), 10.0, (group, Species("boot", count=3)), ice_texture=0.0)
    table = place(recipe, np.random.default_rng(3))
    actin = table.select(table.class_name == "actin")
    np.testing.assert_array_equal(actin.instance, actin.parent)
    assert sorted(set(table.instance.tolist())) == list(range(1, table.instance.max() + 1))
    assert 3 <= len(set(actin.instance.tolist())) <= group.count_instances(recipe.grid) == 6
    mask = render_block(recipe, table, 0, 140).instance_mask
    assert set(np.unique(mask).tolist()) == {0, *table.instance.tolist()}
    subunits = place(
        Recipe(
            recipe.shape, 10.0, (replace(group, label="subunit"), Species("boot", count=3)), ice_texture=0.0
        ),
        np.random.default_rng(3),
    )
    np.testing.assert_array_equal(subunits.centre_A, table.centre_A)
    np.testing.assert_array_equal(
        trace_filaments(recipe, table).point_A, trace_filaments(recipe, subunits).point_A
    )


@pytest.mark.parametrize(("inside", "expected"), [("vesicle", True), ("outside", False)])
def test_filaments_lie_in_the_compartment_of_their_name(inside: str, expected: bool):
    group = Helices("actin", count=2, length_A=(150.0, 250.0), inside=inside)
    recipe = Recipe((70, 90, 90), 10.0, (Vesicle(1, (250.0, 260.0)), group), ice_texture=0.0)
    table = place(recipe, np.random.default_rng(1))
    [vesicle] = table.centre_A[table.class_name == "vesicle"]
    distance = np.linalg.norm(table.centre_A[table.class_name == "actin"] - vesicle, axis=1)
    assert ((distance < 250) == expected).all()
