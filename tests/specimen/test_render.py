import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from faket_dask.errors import InputError
from faket_dask.specimen import Block, Fiducials, Recipe, Sheet, Species, Vesicle, place, render_block
from faket_dask.specimen.component import Component
from faket_dask.specimen.fiducials import GOLD_V
from faket_dask.specimen.ice import ice_fluctuation
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import ParticleTable, Row, particle_table
from faket_dask.specimen.phantoms import phantom_template

MIXED = Recipe(
    (50, 60, 70),
    14.0,
    (
        Species("boot", ("boot",), count=6),
        Species("crowd", ("comma", "propeller"), count=10, labelled=False),
        Species("anvil", ("anvil",), count=3),
        Species("spike", ("comma",), count=3, on_membrane=True, membrane_offset_A=30.0),
        Vesicle(1, (120.0, 180.0)),
        Sheet(1, (120.0, 180.0)),
        Fiducials(3, (60.0, 120.0)),
    ),
)
TABLE = place(MIXED, np.random.default_rng(7))
PARTS = ("density", "class_mask", "instance_mask")


def whole(recipe: Recipe, table: ParticleTable) -> Block:
    return render_block(recipe, table, 0, recipe.shape[1])


def one(recipe: Recipe, name: str, centre_A, rotation=None, radius_A=1.0, variant=0) -> ParticleTable:
    rotation = np.eye(3) if rotation is None else rotation
    row = Row(name, recipe.class_ids.get(name, 0), np.array(centre_A), rotation, radius_A, variant)
    return particle_table([row])


def without_ice(*components: Component) -> Recipe:
    return Recipe((40, 40, 40), 10.0, components, ice_texture=0.0)


@settings(max_examples=20)
@given(cuts=st.sets(st.integers(1, MIXED.shape[1] - 1), max_size=5))
def test_blocks_concatenate_to_the_whole_bit_equal(cuts):
    edges = [0, *sorted(cuts), MIXED.shape[1]]
    blocks = [render_block(MIXED, TABLE, *pair) for pair in itertools.pairwise(edges)]
    for part in PARTS:
        joined = np.concatenate([getattr(block, part) for block in blocks], axis=1)
        assert joined.tobytes() == getattr(whole(MIXED, TABLE), part).tobytes()


def test_bytes_follow_from_the_seed():
    def density(seed: int) -> bytes:
        return whole(MIXED, place(MIXED, np.random.default_rng(seed))).density.tobytes()

    assert density(1) == density(1)
    assert density(1) != density(2)


def test_arrays_have_documented_shape_and_types():
    block = render_block(MIXED, TABLE, 10, 15)
    for part, dtype in zip(PARTS, (np.float32, np.uint8, np.uint16), strict=True):
        assert getattr(block, part).shape == (50, 5, 70)
        assert getattr(block, part).dtype == dtype


def test_masks_agree_with_table():
    block = whole(MIXED, TABLE)
    labelled = TABLE.labelled()
    assert set(np.unique(block.instance_mask)) == {0, *labelled.instance}
    class_of = np.zeros(len(TABLE) + 1, np.uint8)
    class_of[labelled.instance] = labelled.class_id
    np.testing.assert_array_equal(class_of[block.instance_mask], block.class_mask)
    compact = ~np.isin(labelled.class_name, ["vesicle", "sheet"]) & ~labelled.is_cut
    centroids = ndimage.center_of_mass(block.instance_mask > 0, block.instance_mask, labelled.instance)
    offsets = np.array(centroids)[:, ::-1] * MIXED.voxel_size_A - labelled.centre_A
    assert np.abs(offsets[compact]).max() < 0.5 * MIXED.voxel_size_A


def test_labels_and_density_are_registered():
    block = whole(MIXED, TABLE)
    for name, class_id in MIXED.class_ids.items():
        inside = block.density[block.class_mask == class_id].mean()
        assert inside > (15 if name == "fiducial" else 0.5), name
    # Crowding stays in the background, as do the soft edges of all objects.
    assert block.density[block.class_mask == 0].mean() == pytest.approx(0, abs=0.15)


def test_crowding_has_density_and_no_label():
    recipe = without_ice(Species("crowd", ("boot",), count=1, labelled=False))
    block = whole(recipe, one(recipe, "crowd", (200.0, 200.0, 200.0)))
    assert block.density.max() > 2
    assert not block.class_mask.any()
    assert not block.instance_mask.any()


@settings(max_examples=15)
@given(seed=st.integers(0, 9999))
def test_particle_has_position_and_rotation_of_its_row(seed):
    recipe = without_ice(Species("anvil", ("anvil",), count=1))
    rng = np.random.default_rng(seed)
    rotation, centre = uniform_rotations(1, rng)[0], rng.uniform(150, 250, 3)
    density = whole(recipe, one(recipe, "anvil", centre, rotation)).density
    template = phantom_template("anvil", recipe.voxel_size_A)
    # Where the row puts points of the particle, the specimen has the template's density.
    points = rng.uniform(-80, 80, (500, 3))
    expected = ndimage.map_coordinates(
        template.density,
        (points / template.voxel_size_A)[:, ::-1].T + template.density.shape[0] // 2,
        order=1,
    )
    places = centre + points @ rotation.T
    sampled = ndimage.map_coordinates(density, (places / recipe.voxel_size_A)[:, ::-1].T, order=1)
    assert np.corrcoef(expected, sampled)[0, 1] > 0.98
    mirrored = centre + (points * [-1, 1, 1]) @ rotation.T
    sampled = ndimage.map_coordinates(density, (mirrored / recipe.voxel_size_A)[:, ::-1].T, order=1)
    assert np.corrcoef(expected, sampled)[0, 1] < 0.95


@settings(max_examples=15)
@given(seed=st.integers(0, 9999))
def test_mass_and_volume_are_invariant_under_rotation_and_shift(seed):
    recipe = without_ice(Species("anvil", ("anvil",), count=1))
    rng = np.random.default_rng(seed)
    block = whole(recipe, one(recipe, "anvil", rng.uniform(150, 250, 3), uniform_rotations(1, rng)[0]))
    template = phantom_template("anvil", recipe.voxel_size_A)
    mass = template.density.sum() * (template.voxel_size_A / recipe.voxel_size_A) ** 3
    assert block.density.sum() == pytest.approx(mass, rel=0.01)
    volume = np.count_nonzero(block.class_mask) * recipe.voxel_size_A**3
    assert volume == pytest.approx(template.volume_A3, rel=0.1)


@settings(max_examples=20)
@given(diameter=st.floats(60, 140), x=st.floats(150, 250), y=st.floats(150, 250), z=st.floats(150, 250))
def test_bead_is_a_sphere_of_gold(diameter, x, y, z):
    recipe = without_ice(Fiducials(1, diameter))
    block = whole(recipe, one(recipe, "fiducial", (x, y, z), radius_A=diameter / 2))
    volume = np.pi / 6 * (diameter / recipe.voxel_size_A) ** 3
    assert block.density.max() == pytest.approx(GOLD_V)
    assert block.density.sum() / GOLD_V == pytest.approx(volume, rel=0.05)
    at = np.indices(block.density.shape)[::-1] * recipe.voxel_size_A
    beyond_A = np.sqrt(sum((c - o) ** 2 for c, o in zip(at, (x, y, z), strict=True))) - diameter / 2
    assert block.class_mask[beyond_A < -1e-6].all()
    assert not block.class_mask[beyond_A > 1e-6].any()
    centroid = np.array(ndimage.center_of_mass(block.density))[::-1] * recipe.voxel_size_A
    np.testing.assert_allclose(centroid, (x, y, z), atol=0.5)


@pytest.mark.parametrize("name", ["vesicle", "sheet"])
def test_membrane_has_two_leaflets_around_a_trough(name):
    voxel_A = 3.0
    groups = (Vesicle(1, 150.0, deformation=0.0), Sheet(1, 150.0, bend=0.0))
    recipe = Recipe((130, 130, 130), voxel_A, groups, ice_texture=0.0)
    middle = 65 * voxel_A
    block = whole(recipe, one(recipe, name, (middle,) * 3, radius_A=150.0))
    line, label = block.density[:, 65, 65], block.class_mask[:, 65, 65] > 0
    at = 15 if name == "vesicle" else 65  # where the line along z crosses the middle of the bilayer
    across = line[at - 12 : at + 13]
    leaflets = np.flatnonzero((across[1:-1] > across[:-2]) & (across[1:-1] >= across[2:])) + 1
    leaflets = leaflets[across[leaflets] > 0.5 * across.max()]
    assert len(leaflets) == 2
    assert np.diff(leaflets)[0] * voxel_A == pytest.approx(38, abs=2 * voxel_A)
    assert across[12] < 0.5 * across.max()
    assert np.count_nonzero(label[at - 12 : at + 13]) * voxel_A == pytest.approx(50, abs=voxel_A)
    if name == "vesicle":
        assert abs(line[65]) < 1e-6  # ice inside
        assert np.count_nonzero(label) == 2 * np.count_nonzero(label[:65])


def test_ice_fills_voxels_without_objects():
    species = (Species("two_lobes", ("two_lobes",), count=1),)
    smooth, textured, rough = (
        Recipe((40, 40, 40), 10.0, species, ice_texture=strength) for strength in (0.0, 1.0, 3.0)
    )
    table = one(smooth, "two_lobes", (200.0, 200.0, 200.0))
    plain = whole(smooth, table)
    for recipe, strength in ((textured, 1), (rough, 3)):
        texture = whole(recipe, table).density - plain.density
        assert texture[plain.density == 0].std() == pytest.approx(strength * ice_fluctuation(10.0), rel=0.02)
        assert texture[plain.class_mask > 0].std() < 0.5 * strength * ice_fluctuation(10.0)
    assert plain.density[0].max() == 0


def test_membrane_protein_displaces_its_bilayer():
    recipe = without_ice(Species("pore", ("boot",), count=1, on_membrane=True), Sheet(1, 150.0))
    centre = np.full(3, 200.0)
    sheet = Row("sheet", recipe.class_ids["sheet"], centre, np.eye(3), 150.0, 1)
    pore = Row("pore", recipe.class_ids["pore"], centre, np.eye(3), 57.0, 0)
    both = whole(recipe, particle_table([sheet, pore]))
    alone = whole(recipe, particle_table([pore]))
    inside = alone.class_mask > 0
    assert (both.class_mask[inside] == recipe.class_ids["pore"]).all()
    deep = alone.density > 2
    np.testing.assert_allclose(both.density[deep], alone.density[deep], atol=0.3)


def test_row_of_unknown_class_is_refused():
    recipe = without_ice(Species("boot", ("boot",), count=1))
    with pytest.raises(InputError, match="has a 'shoe' that the specimen does not: it knows boot"):
        whole(recipe, one(recipe, "shoe", (200.0, 200.0, 200.0)))
    with pytest.raises(InputError, match="'boot' has 1 conformations, and number 4 is asked for"):
        whole(recipe, one(recipe, "boot", (200.0, 200.0, 200.0), variant=4))
    with pytest.raises(InputError, match="has a 'fiducial' that the specimen does not"):
        whole(recipe, one(recipe, "fiducial", (200.0, 200.0, 200.0)))


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 5), (50, 61)])
def test_slices_outside_volume_are_refused(start, stop):
    with pytest.raises(InputError, match="not within the specimen's 60 slices"):
        render_block(MIXED, TABLE, start, stop)


def test_particles_displace_their_surroundings():
    """A particle in cytosol stands out less than one in ice, by what it displaces."""
    species = (Species("boot", count=1),)
    ice, cytosol = (
        Recipe((48, 48, 48), 10.0, species, ice_texture=0.0, surroundings_V=volts) for volts in (0.0, 0.8)
    )
    table = place(ice, np.random.default_rng(0))
    bare, crowded = (render_block(recipe, table, 0, 48).density for recipe in (ice, cytosol))
    assert crowded[0, 0, 0] == np.float32(0.8)
    inside = bare > 0.99 * bare.max()
    np.testing.assert_allclose(crowded[inside], bare[inside])
    lost = (bare.sum() - (crowded - 0.8).sum()) / 0.8
    volume = np.count_nonzero(render_block(ice, table, 0, 48).class_mask)
    assert 0.7 * volume < lost < 1.4 * volume
