"""IMOD's text files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.formats.imod import (
    read_angle_file,
    read_angles,
    read_transforms,
    write_angles,
    write_transforms,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(angles=st.lists(st.floats(-90, 90), min_size=1, max_size=20))
def test_angles_read_back_bit_equal(tmp_path: Path, angles: list[float]) -> None:
    write_angles(tmp_path / "a.tlt", angles)
    assert read_angles(tmp_path / "a.tlt").tolist() == angles


def test_angles_are_written_one_a_line(tmp_path: Path) -> None:
    write_angles(tmp_path / "a.rawtlt", np.array([-60, -57.5, 0]))
    assert (tmp_path / "a.rawtlt").read_text() == "-60.0\n-57.5\n0.0\n"


def test_blank_lines_and_line_ends_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.tlt").write_bytes(b"\xef\xbb\xbf -60.01\r\n\r\n  -57.00\r\n\r\n")
    assert read_angles(tmp_path / "a.tlt").tolist() == [-60.01, -57.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"1\nzwei\n", "line 2: expected one tilt angle in degrees, found 'zwei'"),
        (b"1\n2 3\n", "line 2: expected one"),
        (b"1\nnan\n", "line 2"),
        (b"1\ninf\n", "line 2"),
        (b"1\n2\xff\n", "line 2: expected one tilt angle"),
        (b"1 2\n3\n", "line 2: expected one tilt angle"),
        (b"1 0 0 1 0 0\n", "line 1: expected one tilt angle"),
        (b"1\0\n", "binary"),
        (b"x" * 10000, "found 'x{60}'$"),
    ],
)
def test_damaged_angle_is_named_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.tlt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_angles(tmp_path / "a.tlt")


@pytest.mark.parametrize(
    ("order", "rank"),
    [
        ([3, 1, 2], [2, 0, 1]),  # AreTomo: number in time, from 1
        ([2, 0, 1], [2, 0, 1]),
        ([13, 11, 12], [2, 0, 1]),
        ([6.2, 0.0, 3.1], [2, 0, 1]),  # exposure before each tilt
    ],
)
def test_second_column_is_the_order_of_acquisition(tmp_path: Path, order: list, rank: list) -> None:
    lines = [f"{angle} {number}\n" for angle, number in zip([-3, 0, 3], order, strict=True)]
    (tmp_path / "a.rawtlt").write_text("# tilt order\n" + "".join(lines))
    angles = read_angle_file(tmp_path / "a.rawtlt")
    assert angles.tilt_angles.tolist() == [-3, 0, 3]
    assert angles.acquisition_order.tolist() == rank
    assert read_angles(tmp_path / "a.rawtlt").tolist() == [-3, 0, 3]


def test_second_column_that_ranks_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.tlt").write_text("-3 2.5\n0 2.5\n3 2.5\n")
    with pytest.warns(UserWarning, match="numbers repeat in its second column"):
        angles = read_angle_file(tmp_path / "a.tlt")
    assert angles.tilt_angles.tolist() == [-3, 0, 3]
    assert angles.acquisition_order is None


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_angles(tmp_path / "a.tlt")


def test_huge_file_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "a.tlt", "wb") as file:
        file.truncate(2**30)
    with pytest.raises(InputError, match="1024 MiB; it is not a text file"):
        read_angles(tmp_path / "a.tlt")


def test_transforms_read_back(tmp_path: Path) -> None:
    transforms = np.random.default_rng(0).normal(size=(5, 2, 3))
    write_transforms(tmp_path / "a.xf", transforms)
    np.testing.assert_allclose(read_transforms(tmp_path / "a.xf"), transforms, atol=6e-4)
    assert all(len(line.split()) == 6 for line in (tmp_path / "a.xf").read_text().splitlines())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 0 0 1 0\n", "line 1: expected six numbers"),
        ("1 0 0 1 0 0\n\n1 2 2 4 0 0\n", "line 3: this transform cannot be inverted"),
    ],
)
def test_unusable_transforms_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.xf").write_text(content)
    with pytest.raises(InputError, match=message):
        read_transforms(tmp_path / "a.xf")


def test_real_files(real_series: Path) -> None:
    assert read_angles(real_series / "00254.tlt").shape == (41,)
    transforms = read_transforms(real_series / "00254.xf")
    assert transforms.shape == (41, 2, 3)
    np.testing.assert_allclose(transforms[0, :, 2], [-27.094, -2.191])
    # Rotations: the tilt axis is 4.3 degrees off y.
    assert np.rad2deg(np.arctan2(transforms[:, 1, 0], transforms[:, 0, 0])) == pytest.approx(4.3, abs=1e-3)


def test_no_zero_is_written_with_a_sign(tmp_path: Path) -> None:
    write_angles(tmp_path / "a.tlt", [-0.0, -1.5])
    assert (tmp_path / "a.tlt").read_text() == "0.0\n-1.5\n"
    write_transforms(tmp_path / "a.xf", [[[1, -1e-9, -1e-4], [-0.0, 1, -0.5]]])
    assert (tmp_path / "a.xf").read_text().split() == [
        *("1.0000000", "0.0000000", "0.0000000", "1.0000000", "0.000", "-0.500")
    ]
