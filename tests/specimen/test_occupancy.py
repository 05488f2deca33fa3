import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.specimen.fiducials import ball_shape
from faket_dask.specimen.occupancy import Occupancy, PackingError, Where
from faket_dask.specimen.shape import Shape
from faket_dask.specimen.voxel_grid import VoxelGrid

VOXEL_A = 10.0

voxels = st.lists(st.tuples(*[st.integers(-4, 4)] * 3), min_size=1, max_size=30, unique=True)
shapes = voxels.map(lambda places: Shape(np.array(places, np.int32), np.zeros(3)))


def make_box(*shape: int, **options) -> Occupancy:
    return Occupancy(VoxelGrid(shape, VOXEL_A), **options)


def make_ball(radius_A: float) -> Shape:
    return ball_shape(radius_A, np.zeros(3), VOXEL_A)


@settings(max_examples=40, deadline=None)
@given(
    edges=st.tuples(*[st.integers(10, 24)] * 3),
    spacing=st.floats(0, 3),
    offered=st.lists(shapes, min_size=2, max_size=25),
    seed=st.integers(0, 999),
)
def test_objects_keep_their_distance_and_stay_inside(edges, spacing, offered, seed):
    box, rng = make_box(*edges, spacing_A=spacing * VOXEL_A), np.random.default_rng(seed)
    packed = []
    for shape in offered:
        position = box.find_position(shape, rng)
        if position is not None:
            assert box.fits(shape, position)
            box.claim(shape, position)
            assert not box.fits(shape, position)
            packed.append(shape.voxels + position)
    for index, one in enumerate(packed):
        assert (one >= 0).all()
        assert (one < edges).all()
        for other in packed[:index]:
            distance = np.linalg.norm(one[:, None] - other[None], axis=2)
            assert distance.min() >= max(spacing, 1) - 1e-9


def test_object_larger_than_the_volume_is_not_placed():
    box = make_box(10, 50, 50)
    assert box.find_position(make_ball(51.0), np.random.default_rng(0)) is None
    assert box.find_position(make_ball(49.0), np.random.default_rng(0)) is not None


def test_full_volume_has_no_position():
    box, ball, rng = make_box(20, 20, 20), make_ball(40.0), np.random.default_rng(0)
    placed = 0
    while (position := box.find_position(ball, rng)) is not None:
        box.claim(ball, position)
        placed += 1
    assert 4 < placed < 25
    assert box.occupied_fraction() == placed * len(ball) / 20**3


def test_objects_reach_into_the_margin():
    box, ball = make_box(10, 10, 10, margin=(0, 6, 0)), make_ball(30.0)
    rng = np.random.default_rng(0)
    places = np.array([box.find_position(ball, rng, where=Where.SHOWN) for _ in range(300)])
    assert places.min(axis=0).tolist() == [3, -3, 3]
    assert places.max(axis=0).tolist() == [6, 12, 6]
    shown = np.array([box.shown_share(ball, tuple(place)) for place in places.tolist()])
    np.testing.assert_array_equal(shown < 1, (places[:, 1] < 3) | (places[:, 1] > 6))
    assert shown.min() > 0
    centred = np.array([box.find_position(ball, rng) for _ in range(300)])
    assert centred.min(axis=0).tolist() == [3, 0, 3]
    assert centred.max(axis=0).tolist() == [6, 9, 6]
    beyond = np.array([box.find_position(ball, rng, where=Where.CENTRED_BEYOND) for _ in range(300)])
    assert ((beyond[:, 1] < 0) | (beyond[:, 1] > 9)).all()


def test_compartments_are_what_membranes_enclose():
    box, wall = make_box(21, 21, 21), make_ball(60.0)
    shell = Shape(np.array([v for v in wall.voxels if (v**2).sum() > 16], np.int32), wall.fraction)
    surface = box.add_surface(shell, (10, 10, 10))
    inside = box.add_compartment(wall, (10, 10, 10))
    assert box.compartment((10, 10, 10)) == inside
    assert box.compartment((0, 0, 0)) == 0
    assert box.compartment((10, 10, 15)) is None
    rng, grain = np.random.default_rng(0), make_ball(10.0)
    for compartments, is_inside in (([inside], True), ([0], False)):
        for _ in range(50):
            place = box.find_position(grain, rng, box.region(compartments))
            assert (np.linalg.norm(np.array(place) - 10) <= 4) == is_inside
    assert not box.fits(grain, (10, 10, 15))
    assert box.fits(grain, (10, 10, 15), box.region(surface=surface))


def test_packing_error_survives_pickling():
    error = pickle.loads(pickle.dumps(PackingError("ribosome", 100, 7, 0.31)))
    assert isinstance(error, InputError)
    assert (error.class_name, error.requested, error.placed) == ("ribosome", 100, 7)
    assert "only 7 of 100 'ribosome' found room, with 31% of the volume occupied" in str(error)
