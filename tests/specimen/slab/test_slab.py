import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.specimen import (
    Carbon,
    Contamination,
    Crowding,
    Fiducials,
    Film,
    Lamella,
    Recipe,
    Species,
    list_parts,
    place,
    render_block,
)
from faket_dask.specimen.ice import ICE_V
from faket_dask.specimen.placement import check_fits, draw_placement
from faket_dask.specimen.slab.faces_table import tabulate_faces

SHAPE, VOXEL_A = (50, 60, 80), 10.0
FILM = Film(
    thickness_A=(280.0, 320.0),
    wedge_deg=(0.0, 2.0),
    meniscus_A=(0.0, 80.0),
    hole_radius_A=600.0,
    hole_offset_A=(0.0, 100.0),
    roughness_A=(0.0, 8.0),
)
HOLE = Film(
    thickness_A=(280.0, 320.0),
    wedge_deg=(0.0, 1.0),
    hole_radius_A=(500.0, 700.0),
    hole_offset_A=(500.0, 700.0),
    carbon=Carbon((80.0, 120.0), (5.0, 20.0)),
    contamination=Contamination((1, 3), (100.0, 140.0)),
)
LAMELLA = Lamella(thickness_A=(200.0, 260.0), wedge_deg=(0.0, 5.0), curtaining_A=(0.0, 12.0))


def make_recipe(slab, *components, **options) -> Recipe:
    components = components or (Species("boot", count=12), Species("comma", count=8), Fiducials(2))
    return Recipe(SHAPE, VOXEL_A, (*components, *list_parts(slab)), ice_texture=0.0, **options)


def find_ice(recipe, table) -> np.ndarray:
    """Return the share of ice in each voxel, by sampling each at 64 heights."""
    row = table.row(int(np.flatnonzero(table.class_name == "ice")[0]))
    y, x = (np.arange(size) * VOXEL_A for size in SHAPE[1:])
    lower, upper = recipe.slab.make_faces(row.variant, recipe.grid).heights(x, y)
    z = (np.arange(SHAPE[0])[:, None] + (np.arange(64) + 0.5) / 64 - 0.5).reshape(-1, 1, 1) * VOXEL_A
    return ((z > lower) & (z < upper)).reshape(SHAPE[0], 64, *SHAPE[1:]).mean(axis=1)


@pytest.mark.parametrize("slab", [FILM, LAMELLA], ids=lambda slab: slab.kind)
def test_volume_is_ice_between_the_faces_and_vacuum_beyond(slab):
    recipe = make_recipe(slab, Species("boot", count=1))
    table = place(recipe, np.random.default_rng(3))
    ice = table.select(table.class_name == "ice")
    share = find_ice(recipe, table)
    density = render_block(recipe, ice, 0, SHAPE[1]).density
    np.testing.assert_allclose(density, -ICE_V * (1 - share), atol=ICE_V / 30)
    thickness = share.sum(axis=0) * VOXEL_A
    low, high = recipe.slab.bound_thickness(recipe.grid)
    assert low <= thickness.min() < thickness.max() <= high


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 9999), slab=st.sampled_from([FILM, HOLE, LAMELLA]), rows=st.integers(7, 40))
def test_any_blocking_gives_the_same_bytes(seed, slab, rows):
    recipe = make_recipe(slab)
    table = place(recipe, np.random.default_rng(seed))
    whole = render_block(recipe, table, 0, SHAPE[1])
    parts = [
        render_block(recipe, table, start, min(start + rows, SHAPE[1])) for start in range(0, SHAPE[1], rows)
    ]
    for name in ("density", "class_mask", "instance_mask"):
        joined = np.concatenate([getattr(part, name) for part in parts], axis=1)
        np.testing.assert_array_equal(joined, getattr(whole, name))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 9999))
def test_objects_lie_in_a_film_as_a_whole(seed):
    recipe = make_recipe(FILM, Species("boot", count=12), Fiducials(2))
    table = place(recipe, np.random.default_rng(seed))
    block, share = render_block(recipe, table, 0, SHAPE[1]), find_ice(recipe, table)
    assert (share[block.class_mask > 0] == 1).all()
    full = Recipe(SHAPE, VOXEL_A, recipe.components[:-1], ice_texture=0.0)
    without = render_block(full, table.select(table.class_name != "ice"), 0, SHAPE[1])
    np.testing.assert_array_equal(block.instance_mask, without.instance_mask)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 9999))
def test_faces_of_a_lamella_cut_objects_and_say_so(seed):
    recipe = make_recipe(LAMELLA, Species("boot", count=40), Species("comma", count=20))
    table = place(recipe, np.random.default_rng(seed))
    block, share = render_block(recipe, table, 0, SHAPE[1]), find_ice(recipe, table)
    assert (share[block.class_mask > 0] == 1).all()
    full = Recipe(SHAPE, VOXEL_A, recipe.components[:-1], ice_texture=0.0, cut_surfaces=True)
    without = render_block(full, table.select(table.class_name != "ice"), 0, SHAPE[1])
    labelled = table.labelled()
    assert labelled.counts() == {"boot": 40, "comma": 20}
    for instance, is_cut in zip(labelled.instance, labelled.is_cut, strict=True):
        kept = np.count_nonzero(block.instance_mask == instance)
        assert kept > 0
        if kept < np.count_nonzero(without.instance_mask == instance):
            assert is_cut
    assert labelled.is_cut.any()


def test_crowd_fills_the_ice_and_not_the_vacuum():
    crowd = Crowding(0.1, (Species("boot", share=1),))
    for slab in (FILM, LAMELLA):
        placement = draw_placement(make_recipe(slab, crowd), np.random.default_rng(0))
        assert placement.molecular_fraction == pytest.approx(0.1, rel=0.05)


def test_density_of_particles_is_one_in_the_ice():
    species = Species("comma", density_per_um3=1e5)
    thick = make_recipe(Lamella(thickness_A=400.0), species)
    thin = make_recipe(Lamella(thickness_A=200.0), species)
    assert len(place(thick, np.random.default_rng(0))) - 1 == pytest.approx(
        2 * (len(place(thin, np.random.default_rng(0))) - 1), abs=1
    )


def test_table_of_faces_has_their_heights(tmp_path):
    recipe = make_recipe(FILM)
    table = place(recipe, np.random.default_rng(5))
    faces = tabulate_faces(recipe, table)
    faces.write_csv(tmp_path / "faces.csv")
    x, y, lower, upper = np.loadtxt(tmp_path / "faces.csv", delimiter=",", skiprows=1).T
    thickness = find_ice(recipe, table).sum(axis=0) * VOXEL_A
    columns, rows = np.rint(x / VOXEL_A).astype(int), np.rint(y / VOXEL_A).astype(int)
    np.testing.assert_allclose(upper - lower, thickness[rows, columns], atol=4.0)
    assert (x.max(), y.max()) == (790.0, 590.0)


@pytest.mark.parametrize(
    ("slab", "message"),
    [
        (
            Film(thickness_A=600.0),
            r"up to 600 Å thick .* and the volume 500 Å; raise specimen.thickness_A to 600",
        ),
        (Film(thickness_A=400.0, wedge_deg=20.0), "up to .* Å thick at the volume's edge"),
        (Film(thickness_A=200.0, roughness_A=50.0), "the faces may cross"),
        (Film(thickness_A=80.0), "'boot' up to .* Å across; give thicker ice"),
    ],
)
def test_impossible_ice_is_refused_before_anything_is_drawn(slab, message):
    with pytest.raises(InputError, match=message):
        check_fits(make_recipe(slab))


@pytest.mark.parametrize(
    "options",
    [{"thickness_A": 0.0}, {"thickness_A": 300.0, "wedge_deg": 30.0}, {"thickness_A": (400.0, 300.0)}],
)
def test_impossible_numbers_are_refused(options):
    with pytest.raises(InputError, match="ice: "):
        Film(**options)


def test_faces_of_the_volume_and_of_the_ice_cannot_both_cut():
    with pytest.raises(InputError, match="remove cut_surfaces"):
        make_recipe(LAMELLA, cut_surfaces=True)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 9999))
def test_carbon_covers_all_but_the_hole_up_to_the_edges(seed):
    recipe = make_recipe(HOLE)
    table = place(recipe, np.random.default_rng(seed))
    block = render_block(recipe, table, 0, SHAPE[1])
    row = table.row(int(np.flatnonzero(table.class_name == "carbon")[0]))
    mask = block.instance_mask == row.instance
    assert (block.class_mask[mask] == recipe.class_ids["carbon"]).all()
    y, x = (np.arange(size) * VOXEL_A for size in SHAPE[1:])
    distance = np.hypot(x - row.centre_A[0], y[:, None] - row.centre_A[1])
    layers = mask.sum(axis=0)
    assert (layers[distance < row.radius_A - 120] == 0).all()
    beyond = layers[distance > row.radius_A + 120]
    assert beyond.size > 100
    assert (beyond >= 6).all()
    assert (beyond <= 12).all()
    assert block.density[mask].mean() == pytest.approx(9.09 - ICE_V, abs=0.05)
    share = find_ice(recipe, table)
    assert (share[mask] == 1).all()
    at_a_face = (share[:-1] < 1) & mask[1:], (share[1:] < 1) & mask[:-1]
    assert max(np.count_nonzero(side) for side in at_a_face) >= 0.9 * np.count_nonzero(layers)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 9999))
def test_contamination_is_ice_beyond_the_faces(seed):
    recipe = make_recipe(HOLE)
    table = place(recipe, np.random.default_rng(seed))
    block, share = render_block(recipe, table, 0, SHAPE[1]), find_ice(recipe, table)
    crystals = table.select(table.class_name == "contamination")
    assert 1 <= len(crystals) <= 3
    for row in map(crystals.row, range(len(crystals))):
        mask = block.instance_mask == row.instance
        assert (share[mask] == 0).all()
        np.testing.assert_allclose(block.density[mask], 0.0, atol=1e-5)
        places = np.argwhere(mask)[:, ::-1] * VOXEL_A
        assert len(places) > 100
        assert np.linalg.norm(places - row.centre_A, axis=1).max() <= row.radius_A
        on_edge = ((places == 0) | (places == (np.array(SHAPE[::-1]) - 1) * VOXEL_A)).any()
        assert row.is_cut or not on_edge


@pytest.mark.parametrize(
    ("slab", "message"),
    [
        (
            Film(thickness_A=300.0, carbon=Carbon(400.0)),
            "carbon is up to 400 Å thick, and the ice down to 300",
        ),
        (Film(thickness_A=400.0, contamination=Contamination(1, 300.0)), "needs a volume of 620 Å"),
        (
            Film(thickness_A=300.0, contamination=Contamination(1, 60.0)),
            "voxels are 10 Å; give diameters from 80 Å",
        ),
    ],
)
def test_impossible_deposits_are_refused(slab, message):
    with pytest.raises(InputError, match=message):
        check_fits(make_recipe(slab))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 9999))
def test_particles_at_the_surface_touch_a_face_and_lean_as_told(seed):
    species = Species("boot", count=20, at_surface=1.0, surface_tilt_deg=30.0)
    recipe = make_recipe(FILM, species)
    table = place(recipe, np.random.default_rng(seed))
    share, block = find_ice(recipe, table), render_block(recipe, table, 0, SHAPE[1])
    labelled = table.labelled()
    upper = labelled.centre_A[:, 2] > recipe.grid.extent_A[2] / 2
    assert 0 < upper.sum() < 20
    outward = np.where(upper, 1.0, -1.0) * labelled.rotation[:, 2, 2]
    assert (outward > np.cos(np.deg2rad(30 + 5))).all()
    for instance in labelled.instance:
        z, y, x = np.nonzero(block.instance_mask == instance)
        above = share[np.minimum(z + 4, SHAPE[0] - 1), y, x]
        assert min(above.min(), share[np.maximum(z - 4, 0), y, x].min()) < 1


def test_share_of_the_particles_at_the_surface_is_that_asked_for():
    species = Species("comma", count=60, at_surface=0.5)
    recipe = make_recipe(Film(thickness_A=400.0), species)
    heights = place(recipe, np.random.default_rng(0)).labelled().centre_A[:, 2] - recipe.grid.extent_A[2] / 2
    near = np.count_nonzero(np.abs(heights) > 200 - 60)
    assert 25 <= near <= 48  # a half, and a quarter of the others


@pytest.mark.parametrize("slab", [None, LAMELLA])
def test_particles_at_the_surface_need_a_film(slab):
    parts = () if slab is None else list_parts(slab)
    with pytest.raises(InputError, match="'boot' has a share at_surface, and there is no film"):
        Recipe(SHAPE, VOXEL_A, (Species("boot", count=2, at_surface=0.5), *parts))
