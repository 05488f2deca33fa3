"""Geometry of a tilt-series."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.geometry import (
    TiltGeometry,
    acquisition_order,
    centre_A,
    exposure_before,
    select_exposures,
)
from faket_dask.kernels.projection import project

POINTS = np.array([[8.0, 3.0, 5.0], [-6.0, -4.0, 5.0], [10.0, -6.0, -5.0], [-9.0, 6.0, -6.0]])


def test_point_above_centre_moves_to_negative_x_at_positive_tilt() -> None:
    positions = TiltGeometry(np.array([-30.0, 0.0, 30.0]), 1.0).point_to_detector([[0, 7, 10]])
    np.testing.assert_allclose(positions[:, 0, 0], [5, 0, -5], atol=1e-12)
    np.testing.assert_allclose(positions[:, 0, 1], 7)


@pytest.mark.parametrize("point", POINTS)
def test_points_lie_where_the_projector_images_them(point: np.ndarray) -> None:
    shape, voxel_size = (32, 31, 48), 2.0
    geometry = TiltGeometry(np.array([-60.0, -20.0, 0.0, 45.0]), voxel_size)
    zz, yy, xx = np.indices(shape) * voxel_size
    x, y, z = point[:, None, None, None] * voxel_size + centre_A(shape, voxel_size)[:, None, None, None]
    bead = np.exp(-((xx - x) ** 2 + (yy - y) ** 2 + (zz - z) ** 2) / (2 * (1.5 * voxel_size) ** 2))
    stack = -project(bead.astype(np.float32), geometry.tilt_angles).astype(np.float64)
    expected = geometry.point_to_detector(point[None] * voxel_size)[:, 0]
    rows, columns = np.indices(stack.shape[1:]) * voxel_size
    for tilt, image in enumerate(stack):
        centroid = np.array([(image * axis).sum() / image.sum() for axis in (columns, rows)])
        np.testing.assert_allclose(
            centroid - centre_A(image.shape, voxel_size), expected[tilt], atol=0.02 * voxel_size
        )


def test_raw_series_is_rotated_and_shifted() -> None:
    shift = np.array([[1.0, 2.0], [3.0, 4.0]])
    geometry = TiltGeometry(np.array([0.0, 60.0]), 1.0, tilt_axis_angle_deg=90, shift_A=shift)
    # The tilt axis, y, lies along -x of the detector after a quarter turn.
    np.testing.assert_allclose(geometry.point_to_detector([[0, 10, 0]])[:, 0], [[-9, 2], [-7, 4]], atol=1e-12)
    np.testing.assert_allclose(geometry.point_to_detector([[10, 0, 0]])[:, 0], [[1, 12], [3, 9]], atol=1e-12)


def test_tilt_axis_may_differ_between_tilts() -> None:
    each = TiltGeometry(np.array([0.0, 60.0]), 1.0, tilt_axis_angle_deg=np.array([90.0, 0.0]))
    np.testing.assert_allclose(each.point_to_detector([[0, 10, 0]])[:, 0], [[-10, 0], [0, 10]], atol=1e-12)
    one = TiltGeometry(np.array([0.0, 60.0]), 1.0, tilt_axis_angle_deg=3)
    assert one.tilt_axis_angles.tolist() == [3, 3]
    assert not each.is_aligned
    assert not one.is_aligned
    assert TiltGeometry(np.array([0.0, 60.0]), 1.0).is_aligned


def test_centre_is_half_the_size_rounded_down() -> None:
    assert centre_A((20, 31, 48), 2.0).tolist() == [48, 30, 20]


@pytest.mark.parametrize(
    ("angles", "message"),
    [
        ([], "list of degrees"),
        ([[0.0]], "list of degrees"),
        ([0, np.nan], r"tilt 2 \(counted from 1\) has the angle nan"),
        ([0, 91], r"tilt 2 \(counted from 1\) has the angle 91"),
        ([-3, 0, 0, 3], r"tilts 2 and 3 \(counted from 1\) have the same angle, 0°"),
        ([3, 0, 3], r"tilts 1 and 3 \(counted from 1\) have the same angle, 3°"),
        ([0, 3, -3], "number 3, -3°, follows 3°; sort the tilts"),
        ([3, 0, -3], "sort the tilts"),
    ],
)
def test_unusable_angles_are_refused(angles: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TiltGeometry(np.array(angles), 1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pixel_size_A": 0.0}, "pixel size of 0.0 Å is impossible"),
        ({"pixel_size_A": np.nan}, "pixel size"),
        ({"tilt_axis_angle_deg": np.inf}, "tilt-axis angle"),
        ({"tilt_axis_angle_deg": np.zeros(3)}, r"shape \(2,\)"),
        ({"tilt_axis_angle_deg": np.array([0.0, np.nan])}, r"tilt 2 \(counted from 1\) has none"),
        ({"shift_A": np.zeros((3, 2))}, r"shape \(2, 2\)"),
        ({"exposure_e_per_A2": np.array([1.0, np.nan])}, r"tilt 2 \(counted from 1\) has none"),
        (
            {"exposure_e_per_A2": np.array([1.0, -2.0])},
            r"tilt 2 \(counted from 1\) has the negative exposure -2",
        ),
        ({"acquisition_order": np.array([1, 2])}, "0 to 1"),
    ],
)
def test_fields_of_wrong_shape_or_value_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TiltGeometry(**{"tilt_angles": np.array([0.0, 3.0]), "pixel_size_A": 1.0, **fields})


def test_geometry_is_immutable_and_copies_its_input() -> None:
    angles = np.array([0.0, 3.0])
    geometry = TiltGeometry(angles, 1.0)
    angles[0] = -50
    assert geometry.tilt_angles[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        geometry.tilt_angles[0] = 1


def test_dose_symmetric_order_of_real_series(real_series: Path) -> None:
    record = json.loads((real_series / "00254.json").read_text())
    order = acquisition_order(record["tilt_angles_deg"], "dose_symmetric")
    np.testing.assert_allclose(exposure_before(order, 3.0), record["exposure_e_per_A2"])


def test_dose_symmetric_order() -> None:
    angles = np.arange(-9, 10, 3)
    sequence = angles[np.argsort(acquisition_order(angles, "dose_symmetric"))]
    assert sequence.tolist() == [0, 3, -3, -6, 6, 9, -9]


@given(data=st.data(), tilts=st.integers(2, 12))
def test_exposure_before_selected_tilts_counts_all_tilts(data: st.DataObject, tilts: int) -> None:
    order = np.array(data.draw(st.permutations(range(tilts))))
    exposure = np.array(data.draw(st.lists(st.floats(0.5, 5), min_size=tilts, max_size=tilts)))
    chosen = np.array(sorted(data.draw(st.sets(st.integers(0, tilts - 1), min_size=1))))
    rank, selected, left_out = select_exposures(order, exposure, chosen)
    geometry = TiltGeometry(
        np.arange(chosen.size, dtype=float),
        1.0,
        exposure_e_per_A2=selected,
        acquisition_order=rank,
        left_out_exposure_e_per_A2=left_out,
    )
    np.testing.assert_allclose(geometry.exposure_before_e_per_A2, exposure_before(order, exposure)[chosen])


@settings(max_examples=50)
@given(
    angles=st.lists(st.integers(-60, 60), min_size=1, max_size=30, unique=True).map(sorted),
    scheme=st.sampled_from(["dose_symmetric", "increasing", "decreasing"]),
)
def test_every_tilt_is_recorded_once(angles: list[int], scheme) -> None:  # type: ignore[no-untyped-def]
    order = acquisition_order(angles, scheme)
    assert sorted(order) == list(range(len(angles)))
    before = exposure_before(order, np.arange(1, len(angles) + 1))
    assert before.min() == 0
    last = int(np.argmax(order))
    assert before[last] + last + 1 == len(angles) * (len(angles) + 1) / 2


def test_exposure_before_needs_exposure_and_order() -> None:
    angles = np.array([-3.0, 0.0, 3.0])
    assert TiltGeometry(angles, 1.0).exposure_before_e_per_A2 is None
    geometry = TiltGeometry(
        angles, 1.0, exposure_e_per_A2=np.array([1.0, 2.0, 4.0]), acquisition_order=np.array([2, 0, 1])
    )
    assert geometry.exposure_before_e_per_A2 is not None
    assert geometry.exposure_before_e_per_A2.tolist() == [6, 0, 2]


@pytest.mark.parametrize("angle", [90.0, -90.0, 180.0, float("nan")])
def test_angles_of_90_degrees_are_refused_everywhere(angle: float) -> None:
    with pytest.raises(InputError, match="lie between -90° and 90°, not at either"):
        TiltGeometry(np.array([angle]), 1.0)
    assert TiltGeometry(np.array([-89.9, 89.9]), 1.0)


def test_exposure_before_the_series_is_kept() -> None:
    before = np.array([15.4, 18.2, 21.0, 23.8])
    geometry, _ = TiltGeometry.from_unsorted(
        np.array([0.0, 3.0, -3.0, 6.0]),
        2.0,
        tilt_axis_angles=np.zeros(4),
        shift_A=np.zeros((4, 2)),
        exposure_before_e_per_A2=before,
        order=np.array([2, 1, 3]),
    )
    np.testing.assert_allclose(geometry.exposure_before_e_per_A2, before[[2, 1, 3]])
    np.testing.assert_allclose(geometry.exposure_e_per_A2, 2.8)
