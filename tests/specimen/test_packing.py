import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.specimen import membrane
from faket_dask.specimen.packing import PackingError, SpherePacking

NO_MEMBRANES = np.empty((0, membrane.PARAMETERS))

spheres = st.tuples(*[st.floats(-60, 60)] * 3, st.floats(5, 60))
shapes = st.lists(spheres, min_size=1, max_size=4).map(np.array)


def packed(packing: SpherePacking, offered: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Pack objects and return the spheres of each that fits, in the frame of the box."""
    rng = np.random.default_rng(seed)
    objects = []
    for shape in offered:
        centre = packing.find_position(shape, rng)
        if centre is not None:
            packing.add(shape, centre)
            objects.append(np.column_stack((shape[:, :3] + centre, shape[:, 3])))
    return objects


@settings(max_examples=40)
@given(
    extent=st.tuples(*[st.floats(150, 700)] * 3),
    gap=st.floats(0, 20),
    offered=st.lists(shapes, min_size=2, max_size=25),
    seed=st.integers(0, 999),
)
def test_packed_objects_keep_their_distance_and_stay_inside(extent, gap, offered, seed):
    objects = packed(SpherePacking(extent, gap, NO_MEMBRANES, 0.0), offered, seed)
    for index, one in enumerate(objects):
        assert (one[:, :3] - one[:, 3:] >= -1e-9).all()
        assert (one[:, :3] + one[:, 3:] <= np.array(extent) + 1e-9).all()
        for other in objects[:index]:
            distance = np.linalg.norm(one[:, None, :3] - other[None, :, :3], axis=2)
            assert (distance >= one[:, None, 3] + other[None, :, 3] + gap - 1e-9).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 999), amplitude=st.floats(0, 0.2), closed=st.booleans())
def test_packed_objects_keep_clear_of_membranes(seed, amplitude, closed):
    kind = membrane.CLOSED if closed else membrane.OPEN
    surface = membrane.membrane_row(kind, np.full(3, 400.0), np.eye(3), 250.0, seed, amplitude)
    packing = SpherePacking((800.0, 800.0, 800.0), 10.0, surface[None], membrane.HALF_THICKNESS_A)
    objects = packed(packing, [np.array([[0.0, 0.0, 0.0, 30.0]])] * 40, seed)
    assert len(objects) == 40
    rng = np.random.default_rng(seed)
    skin = np.array([membrane.surface_point(surface, rng)[0] for _ in range(500)])
    for (sphere,) in objects:
        nearest = np.linalg.norm(skin - sphere[:3], axis=1).min()
        assert nearest > 30 + membrane.HALF_THICKNESS_A


def test_object_larger_than_box_is_not_placed():
    packing = SpherePacking((100.0, 500.0, 500.0), 0.0, NO_MEMBRANES, 0.0)
    assert packing.find_position(np.array([[0.0, 0.0, 0.0, 51.0]]), np.random.default_rng(0)) is None
    assert packing.find_position(np.array([[0.0, 0.0, 0.0, 49.0]]), np.random.default_rng(0)) is not None


def test_full_box_has_no_free_position():
    packing = SpherePacking((200.0, 200.0, 200.0), 0.0, NO_MEMBRANES, 0.0)
    sphere = np.array([[0.0, 0.0, 0.0, 40.0]])
    assert len(packed(packing, [sphere] * 100, 0)) < 16
    assert 0.2 < packing.occupied_fraction() < 0.6


def test_occupied_fraction_is_that_of_the_spheres():
    packing = SpherePacking((400.0, 400.0, 400.0), 0.0, NO_MEMBRANES, 0.0)
    placed = packed(packing, [np.array([[0.0, 0.0, 0.0, 50.0]])] * 20, 3)
    assert packing.occupied_fraction() == pytest.approx(
        len(placed) * 4 / 3 * np.pi * (50 / 400) ** 3, abs=0.01
    )


def test_packing_error_survives_pickling():
    error = pickle.loads(pickle.dumps(PackingError("ribosome", 100, 7, 0.31)))
    assert isinstance(error, InputError)
    assert (error.class_name, error.requested, error.placed) == ("ribosome", 100, 7)
    assert "only 7 of 100 'ribosome' found room, with 31% of the volume occupied" in str(error)
