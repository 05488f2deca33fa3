"""Point lists of the CZ cryoET Data Portal."""

import json
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.portal import read_points, write_points

TURN = [[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]


def test_published_point_is_read(tmp_path: Path) -> None:
    oriented = {"type": "orientedPoint", "location": {"x": 3, "y": 4.5, "z": 6}, "xyz_rotation_matrix": TURN}
    plain = {"type": "point", "location": {"x": 1, "y": 2, "z": 3}}
    (tmp_path / "a.ndjson").write_text(f"{json.dumps(oriented)}\n\n{json.dumps(plain)}\n")
    result = read_points(tmp_path / "a.ndjson", "ribosome", 7, 10)
    assert result.centre_A.tolist() == [[30, 45, 60], [10, 20, 30]]
    assert result.rotation.tolist() == [TURN, np.eye(3).tolist()]
    assert result.class_name.tolist() == ["ribosome"] * 2
    assert result.class_id.tolist() == [7, 7]
    assert result.instance.tolist() == [1, 2]


def test_points_are_written_as_json_lines(tmp_path: Path) -> None:
    table = ParticleList(
        class_name=np.array(["a", "b", "a"]),
        class_id=np.array([1, 2, 1]),
        instance=np.array([5, 6, 7]),
        centre_A=np.array([[10.0, 20, 30], [0, 0, 0], [1, 2, 3]]),
        rotation=np.array([TURN] * 3),
    )
    write_points(tmp_path / "a.ndjson", table, "a", 4)
    points = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text().splitlines()]
    assert [point["instance_id"] for point in points] == [5, 7]
    assert points[0]["type"] == "orientedPoint"
    assert points[0]["location"] == {"x": 2.5, "y": 5, "z": 7.5}
    assert points[0]["xyz_rotation_matrix"] == TURN
    assert read_points(tmp_path / "a.ndjson", "a", 1, 4).instance.tolist() == [5, 7]
    write_points(tmp_path / "b.ndjson", table, "b", 4, oriented=False)
    point = json.loads((tmp_path / "b.ndjson").read_text())
    assert point == {"type": "point", "location": {"x": 0, "y": 0, "z": 0}, "instance_id": 6}
    write_points(tmp_path / "none.ndjson", table, "c", 4)
    assert len(read_points(tmp_path / "none.ndjson", "c", 3, 4)) == 0


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "7",
        '{"type": "orientedPoint"}',
        '{"type": "orientedPoint", "location": {"x": 1, "y": 2, "z": 3}}',
        '{"type": "filament", "location": {"x": 1, "y": 2, "z": 3}}',
        '{"type": "point", "location": {"x": 1, "y": 2, "z": NaN}}',
        '{"type": "point", "location": {"x": 1, "y": 2, "z": 3}, "xyz_rotation_matrix": [1]}',
        '{"type": "point", "location": {"x": 1, "y": 2, "z": "3 nm"}}',
        '{"type": "point", "location": {"x": 1, "y": 2, "z": 3}, "instance_id": 99999999999999999999}',
        '{"type": "point", "location": {"x": 1, "y": 2, "z": 3}, '
        '"xyz_rotation_matrix": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}',
    ],
)
def test_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    good = '{"type": "point", "location": {"x": 1, "y": 2, "z": 3}}'
    (tmp_path / "a.ndjson").write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match=r"a\.ndjson, line 2: not an orientedPoint"):
        read_points(tmp_path / "a.ndjson", "a", 1, 10)


def test_points_along_an_object_are_no_particles(tmp_path: Path) -> None:
    line = '{"type": "instancePoint", "location": {"x": 1, "y": 2, "z": 3}, "instance_id": 0}'
    (tmp_path / "a.ndjson").write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"line 1: an instancePoint is one of many along a membrane"):
        read_points(tmp_path / "a.ndjson", "a", 1, 10)
