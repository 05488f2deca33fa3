from itertools import pairwise

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.specimen import (
    Cisterna,
    Ellipsoid,
    FreeForm,
    Mitochondrion,
    Recipe,
    Sheet,
    Species,
    Torus,
    Tubule,
    Vesicle,
    check_fits,
    place,
    render_block,
)
from faket_dask.specimen.component import Component
from faket_dask.specimen.membranes.compartments import map_compartments
from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.membranes.kinds import KINDS
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.species import Topology

VOXEL_A = 20.0
SHAPE = (60, 66, 72)

SMALL = (
    Vesicle(2, (120.0, 180.0)),
    Vesicle(1, 330.0, inner_gap_A=120.0, deformation=0.05, name="envelope"),
    Ellipsoid(1, 300.0, aspect=(0.7, 0.9)),
    Torus(1, 240.0, tube_radius_A=100.0),
    Tubule(1, 100.0, length_A=600.0, bend_radius_A=400.0),
    Cisterna(1, 400.0, stack=2, lumen_A=120.0, gap_A=100.0, rim_swelling=1.1),
    FreeForm(1, 320.0, amplitude_A=60.0, wavelength_A=400.0, bend_radius_A=90.0),
    Sheet(1, 300.0),
    Mitochondrion(
        1, 600.0, elongation=(1.2, 1.4), crista_width_A=130.0, crista_spacing_A=350.0, may_be_cut=True
    ),
)


def recipe(*components: Component) -> Recipe:
    return Recipe(SHAPE, VOXEL_A, components, ice_texture=0.0)


def draw(*components: Component, seed: int = 0) -> tuple[Recipe, ParticleTable]:
    specimen = recipe(*components)
    return specimen, place(specimen, np.random.default_rng(seed))


@pytest.mark.parametrize("group", SMALL, ids=lambda group: group.name)
def test_labels_hold_the_bilayer_and_blocks_agree(group: MembraneGroup):
    specimen, table = draw(group)
    low, high = group.count_range(specimen.grid)
    assert low <= len(table) <= high
    assert set(table.state) <= set(group.part_names)
    for row in map(table.row, range(len(table))):
        surface = group.find_part(row).surface
        assert surface.bounding_radius_A <= group.bound_radius(row.radius_A)
    block = render_block(specimen, table, 0, SHAPE[1])
    assert set(np.unique(block.instance_mask)) == {0, *table.instance.tolist()}
    labelled = block.density[block.instance_mask > 0]
    assert (labelled > 0.3).mean() > 0.99
    assert np.abs(block.density[block.instance_mask == 0]).max() < block.density.max()
    edges = (0, 7, 40, SHAPE[1])
    pieces = [render_block(specimen, table, *pair).density for pair in pairwise(edges)]
    assert np.concatenate(pieces, axis=1).tobytes() == block.density.tobytes()
    maps = [map_compartments(specimen, table, *pair) for pair in pairwise(edges)]
    whole = map_compartments(specimen, table, 0, SHAPE[1])
    np.testing.assert_array_equal(np.concatenate(maps, axis=1), whole)
    assert not whole[block.instance_mask > 0].any()
    assert set(np.unique(whole[whole > 0])) == (set(table.instance.tolist()) if group.is_closed else set())


def test_organelles_do_not_overlap():
    groups = SMALL[:1] + SMALL[2:4] + SMALL[7:8]
    specimen, table = draw(*groups)
    together = render_block(specimen, table, 0, SHAPE[1]).instance_mask
    for row in range(len(table)):
        alone = render_block(specimen, table.select(np.array([row])), 0, SHAPE[1]).instance_mask
        np.testing.assert_array_equal(together == table.instance[row], alone > 0)


def test_parts_of_an_organelle_name_their_first_as_parent():
    _, table = draw(SMALL[1])
    assert table.state.tolist() == ["outer", "inner"]
    assert table.parent.tolist() == [0, table.instance[0]]
    np.testing.assert_array_equal(table.centre_A[0], table.centre_A[1])


@pytest.mark.parametrize("inside", ["vesicle", "outside", "envelope.outer", "envelope.inner", "envelope"])
def test_species_lie_in_the_compartments_that_they_ask_for(inside):
    species = Species("comma", count=5, inside=inside)
    big = Vesicle(1, 420.0, inner_gap_A=200.0, deformation=0.0, name="envelope")
    specimen, table = draw(species, Vesicle(1, 250.0), big, seed=3)
    block = render_block(specimen, table, 0, SHAPE[1])
    compartments = map_compartments(specimen, table, 0, SHAPE[1])
    particles = table.select(table.class_name == "comma")
    homes = np.unique(compartments[np.isin(block.instance_mask, particles.instance)])
    membranes = table.select(table.class_name != "comma")
    numbers = {
        f"{name}.{state}" if state else str(name): number
        for name, state, number in zip(
            membranes.class_name, membranes.state, membranes.instance.tolist(), strict=True
        )
    }
    expected = {0} if inside == "outside" else {v for k, v in numbers.items() if k.startswith(inside)}
    assert set(homes.tolist()) <= expected


@pytest.mark.parametrize(("topology", "side"), [("outward", 1), ("inward", -1)])
def test_membrane_proteins_follow_the_normal(topology, side):
    spike = Species(
        "comma", count=6, on_membrane="vesicle", membrane_offset_A=70.0, topology=Topology(topology)
    )
    group = Vesicle(1, 350.0, deformation=0.1)
    _, table = draw(spike, group, Sheet(1, 200.0), seed=1)
    row = table.row(int(np.flatnonzero(table.class_name == "vesicle")[0]))
    surface = group.find_part(row).surface
    for index in np.flatnonzero(table.class_name == "comma"):
        assert table.parent[index] == row.instance
        axis = table.rotation[index] @ [0, 0, 1]
        foot = (table.centre_A[index] - 70.0 * axis - row.centre_A) @ row.rotation
        assert surface.distances(foot[None])[0] == pytest.approx(0, abs=0.5)
        assert side * surface.normals(foot[None])[0] @ (axis @ row.rotation) == pytest.approx(1, abs=1e-3)


def test_both_topologies_are_drawn():
    spike = Species("comma", count=16, on_membrane=True, membrane_offset_A=70.0, topology=Topology.BOTH)
    group = Vesicle(1, 420.0, deformation=0.0)
    _, table = draw(spike, group, seed=2)
    row = table.row(int(np.flatnonzero(table.class_name == "vesicle")[0]))
    away = np.linalg.norm(table.centre_A[table.class_name == "comma"] - row.centre_A, axis=1) > 420.0
    assert 2 <= away.sum() <= 14


def test_cut_organelles_are_flagged_and_labelled():
    specimen, table = draw(Vesicle(1, 1500.0, deformation=0.0, may_be_cut=True))
    assert table.is_cut.all()
    assert render_block(specimen, table, 0, SHAPE[1]).instance_mask.any()


@pytest.mark.parametrize(
    "group", [Vesicle(1, 1e5, may_be_cut=True), Tubule(1, 500.0, length_A=1e6, may_be_cut=True)]
)
def test_organelles_whose_surface_takes_too_much_memory_are_refused(group: MembraneGroup):
    with pytest.raises(InputError, match="too much for a membrane that may be bent to a radius"):
        check_fits(recipe(group))


@pytest.mark.parametrize("group", [Vesicle(1, 650.0), Sheet(1, 800.0), Torus(1, 700.0)], ids=lambda g: g.kind)
def test_organelles_larger_than_the_volume_are_refused(group):
    with pytest.raises(InputError, match=rf"'{group.name}' is up to .* may_be_cut: true"):
        check_fits(recipe(group))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vesicle(1, 60.0, thickness_A=80.0), "choose a larger radius_A"),
        (lambda: Vesicle(1, thickness_A=10.0), "thickness_A is 10"),
        (lambda: Vesicle(1, 300.0, inner_gap_A=40.0), "need 55 from middle to middle"),
        (lambda: Vesicle(1, 150.0, inner_gap_A=110.0), "a smaller inner_gap_A"),
        (lambda: Vesicle(1, name="a.b"), "a dot stands before"),
        (lambda: Vesicle(1, name="outside"), "are taken"),
        (lambda: Ellipsoid(1, aspect=(0.5, 1.2)), "aspect is (0.5, 1.2)"),
        (lambda: Torus(1, 200.0, tube_radius_A=220.0), "leaves no hole"),
        (lambda: Tubule(1, 200.0, bend_radius_A=100.0), "bend_radius_A is 100"),
        (lambda: Cisterna(1, stack=3, gap_A=60.0), "widen the gap"),
        (lambda: Cisterna(1, lumen_A=60.0, thickness_A=60.0), "larger lumen_A"),
        (lambda: Cisterna(1, 300.0), "too small for sacs"),
        (
            lambda: FreeForm(1, 200.0, amplitude_A=50.0, bend_radius_A=150.0),
            "the tips of the smallest ellipsoid",
        ),
        (lambda: FreeForm(1, bend_radius_A=30.0, thickness_A=60.0), "larger bend_radius_A"),
        (lambda: Mitochondrion(1, 500.0), "leaves no room for invaginations"),
        (lambda: Mitochondrion(1, crista_spacing_A=300.0), "crista_spacing_A is 300"),
    ],
)
def test_impossible_shapes_are_refused(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_possible_shapes(kind: type[MembraneGroup]):
    group = kind(1)
    assert group.smallest_bend_A > group.bilayer.half_thickness_A


def test_rows_with_an_unknown_part_are_refused():
    specimen, table = draw(SMALL[0])
    renamed = ParticleTable(**{**vars(table), "state": np.full(len(table), "inner")})
    with pytest.raises(InputError, match="the state 'inner', which is none of its parts"):
        render_block(specimen, renamed, 0, SHAPE[1])
