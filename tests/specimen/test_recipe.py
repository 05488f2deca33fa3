from dataclasses import replace

import pytest

from faket_dask.errors import InputError
from faket_dask.specimen import PHANTOMS, Fiducials, Recipe, Sheet, Species, Vesicle
from faket_dask.specimen.component import Component
from faket_dask.specimen.filaments.kinds import Helices

COMMA = Species("comma", ("comma",), count=3)


def recipe(*components: Component, **kwargs) -> Recipe:
    return Recipe((40, 60, 80), 10.0, components, **kwargs)


def test_class_ids_follow_the_recipe_and_skip_crowding():
    crowd = Species("crowd", ("anvil",), count=1, labelled=False)
    example = recipe(
        Species("boot", ("boot",), count=1),
        crowd,
        COMMA,
        Vesicle(1),
        Sheet(1, name="patch"),
        Fiducials(1),
    )
    assert example.class_ids == {"boot": 1, "comma": 2, "vesicle": 3, "patch": 4, "fiducial": 5}


def test_density_gives_a_range_of_counts():
    example = recipe(Species("comma", ("comma",), density_per_um3=(20_000.0, 40_000.0)))
    assert example.grid.volume_um3 == pytest.approx(40 * 60 * 80 * 1e-9)
    assert example.species[0].count_range(example.grid) == (4, 8)  # 3.84 and 7.68


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "fiducial"}, "are taken"),
        ({"name": ""}, "are taken"),
        ({"source": ()}, "no source"),
        (
            {"source": ("komma",)},
            f"'komma' is neither a file nor a built-in phantom ({', '.join(PHANTOMS)}, or globule:559kDa)",
        ),
        ({"count": None}, "exactly one of count and density_per_um3"),
        ({"density_per_um3": 3.0}, "exactly one of count and density_per_um3"),
        ({"count": -1}, "count is -1"),
        ({"count": (5, 2)}, "count is (5, 2)"),
        ({"count": 1.5}, "whole numbers"),
        ({"count": None, "density_per_um3": float("nan")}, "density_per_um3 is nan"),
        ({"map_potential_V": 0.0}, "must be positive"),
        ({"rna_fraction": 1.5}, "rna_fraction is 1.5"),
        ({"rna_fraction": 0.5, "map_potential_V": 2.5}, "not both"),
    ],
)
def test_impossible_classes_are_refused(fields, message):
    with pytest.raises(InputError) as caught:
        Species(**{"name": "comma", "source": ("comma",), "count": 1, **fields})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recipe(), "zero particles"),
        (lambda: recipe(Species("comma", ("comma",), count=0)), "zero particles"),
        (lambda: recipe(Species("comma", ("comma",), density_per_um3=1.0)), "zero particles"),
        (lambda: recipe(COMMA, COMMA), "class comma is listed more than once"),
        (lambda: recipe(Species("pin", ("boot",), count=1, on_membrane=True)), "sits on membranes"),
        (lambda: recipe(Species("comma", ("comma",), count=65536)), "16-bit instance mask"),
        (lambda: recipe(COMMA, Vesicle(1), Vesicle(1)), "class vesicle is listed more than once"),
        (lambda: recipe(replace(COMMA, inside="lumen"), Vesicle(1)), "it may be outside, vesicle"),
        (lambda: recipe(replace(COMMA, inside=()), Vesicle(1)), "inside names no compartment; name one"),
        (
            lambda: recipe(replace(COMMA, inside="sheet"), Sheet(1)),
            "no closed membrane is called; it may be outside",
        ),
        (lambda: recipe(replace(COMMA, on_membrane="er"), Vesicle(1)), "on_membrane is 'er'"),
        (lambda: Recipe((1, 60, 80), 10.0, (COMMA,)), "each at least 2"),
        (lambda: Recipe((40, 60), 10.0, (COMMA,)), "give (z, y, x)"),
        (lambda: Recipe((40, 60, 80), 0.0, (COMMA,)), "voxel size is 0.0"),
        (lambda: recipe(COMMA, ice_texture=-1.0), "must not be negative"),
        (lambda: recipe(*(Species(f"c{i}", ("comma",), count=1) for i in range(256))), "8-bit class mask"),
        (lambda: Vesicle(1, radius_A=40.0), "radius_A is 40.0"),
        (lambda: Vesicle(1, deformation=0.5), "between 0 and 0.2"),
        (lambda: Sheet(1, bend=0.6), "between 0 and 0.5"),
        (lambda: Fiducials(1, diameter_A=(120.0, 80.0)), "diameter_A is (120.0, 80.0)"),
    ],
)
def test_impossible_specimens_are_refused(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)


def test_crowding_is_not_limited_by_the_instance_mask():
    recipe(COMMA, Species("crowd", ("comma",), count=100_000, labelled=False))


def test_potential_of_a_map_follows_from_its_composition_unless_it_is_given():
    potentials = [
        replace(COMMA, **given).mean_potential_V
        for given in ({}, {"rna_fraction": 0.5}, {"map_potential_V": 3.0})
    ]
    assert potentials == pytest.approx([2.1, 2.5, 3.0], abs=0.05)


@pytest.mark.parametrize("name", ["a/b", "..\\b", "a\nb", 'a"b'])
@pytest.mark.parametrize(
    "make", [lambda name: Species(name, "boot", count=1), lambda name: Vesicle(1, name=name), Helices]
)
def test_names_that_files_cannot_have_are_refused(make, name):
    with pytest.raises(InputError, match="exported files have the names of classes"):
        make(name)
