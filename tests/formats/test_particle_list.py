"""Euler angles and matrices for all conventions of axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from faket_dask.formats.particle_list import euler_angles, rotation_matrices

AXES = ["ZXZ", "ZYZ"]
angles = st.tuples(st.floats(-180, 180), st.floats(0, 180), st.floats(-180, 180))


@pytest.mark.parametrize("axes", AXES)
@given(angles=st.lists(angles, max_size=4))
def test_euler_angles_give_the_matrix_back(axes: str, angles: list[tuple[float, float, float]]) -> None:
    matrices = rotation_matrices(np.array(angles, dtype=np.float64).reshape(-1, 3), axes)
    again = rotation_matrices(euler_angles(matrices, axes), axes)
    np.testing.assert_allclose(again, matrices, atol=1e-7)
    assert again.shape == (len(angles), 3, 3)


@pytest.mark.parametrize("axes", AXES)
def test_rotations_are_right_handed_and_last_axis_acts_first(axes: str) -> None:
    [matrix] = rotation_matrices(np.array([[10.0, 20, 30]]), axes)
    turns = [Rotation.from_rotvec(np.deg2rad(angle) * np.eye(3)["XYZ".index(axis)]).as_matrix()
             for angle, axis in zip((10, 20, 30), axes, strict=True)]  # fmt: skip
    np.testing.assert_allclose(matrix, turns[0] @ turns[1] @ turns[2], atol=1e-12)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("middle", [0.0, 180.0])
def test_gimbal_lock_sets_last_angle_to_zero(axes: str, middle: float) -> None:
    matrices = rotation_matrices(np.array([[40.0, middle, 25.0]]), axes)
    [result] = euler_angles(matrices, axes)
    assert result[2] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(rotation_matrices(result[None], axes), matrices, atol=1e-7)
