from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.specimen import ParticleTable, read_particles
from faket_dask.specimen.particles import COLUMNS, Row, particle_table

FIELDS = (
    "instance",
    "class_name",
    "class_id",
    "centre_A",
    "rotation",
    "radius_A",
    "variant",
    "state",
    "parent",
    "is_cut",
)

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
rows = st.builds(
    Row,
    st.text("abc1_,\"' ", min_size=1, max_size=8),
    st.integers(0, 255),
    st.lists(finite, min_size=3, max_size=3).map(np.array),
    st.lists(finite, min_size=9, max_size=9).map(lambda v: np.array(v).reshape(3, 3)),
    finite,
    st.integers(0, 2**31),
    state=st.text("abc ", max_size=4),
    parent=st.integers(0, 1),
    is_cut=st.booleans(),
)


def table() -> ParticleTable:
    return particle_table(
        [
            Row("boot", 1, np.array([1.0, 2.0, 3.0]), np.eye(3), 5.0, 0),
            Row("crowd", 0, np.array([4.0, 5.0, 6.0]), np.eye(3), 6.0, 1),
            Row("boot", 1, np.array([7.0, 8.0, 9.0]), np.eye(3), 5.0, 2),
        ]
    )


@settings(max_examples=40)
@given(content=st.lists(rows, max_size=6))
def test_table_reads_back_bit_equal(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("table") / "particles.csv"
    written = particle_table(content)
    written.write_csv(path)
    read = read_particles(path)
    for name in FIELDS:
        ours, theirs = getattr(written, name), getattr(read, name)
        assert ours.shape == theirs.shape
        assert (ours == theirs).all()
    assert read.seed() == written.seed()


def test_instances_count_the_labelled_rows():
    particles = table()
    assert particles.instance.tolist() == [1, 0, 2]
    assert particles.labelled().instance.tolist() == [1, 2]
    assert particles.counts() == {"boot": 2, "crowd": 1}
    assert len(particle_table([])) == 0


def test_seed_depends_on_every_column():
    particles = table()
    assert particles.seed() == table().seed()
    assert particles.seed() != particles.labelled().seed()
    particles.centre_A[0, 0] += 1e-9
    assert particles.seed() != table().seed()


def test_columns_are_read_in_any_order(tmp_path):
    path = tmp_path / "particles.csv"
    table().write_csv(path)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join(reversed(line)) for line in lines))
    np.testing.assert_array_equal(read_particles(path).centre_A, table().centre_A)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("x_A", "nan", "line 3: x_A is nan"),
        ("radius_A", "wide", "line 3: radius_A is 'wide'"),
        ("class_id", "1.5", "line 3: class_id is 1.5"),
    ],
)
def test_damaged_number_is_named_with_its_line(tmp_path, column, value, message):
    path = tmp_path / "particles.csv"
    table().write_csv(path)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[2][COLUMNS.index(column)] = value
    path.write_text("\n".join(",".join(line) for line in lines))
    with pytest.raises(InputError, match=message):
        read_particles(path)


def test_table_of_earlier_versions_has_no_parents_and_nothing_cut(tmp_path):
    path = tmp_path / "particles.csv"
    table().write_csv(path)
    lines = [line.split(",")[: COLUMNS.index("state")] for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join(line) for line in lines))
    read = read_particles(path)
    np.testing.assert_array_equal(read.centre_A, table().centre_A)
    assert read.state.tolist() == ["", "", ""]
    assert not read.parent.any()
    assert not read.is_cut.any()


def test_parents_are_numbered_as_instances():
    spike = Row("boot", 1, np.zeros(3), np.eye(3), 5.0, 0)
    rows = [replace(spike, class_id=0), spike, replace(spike, parent=2), replace(spike, parent=1)]
    numbered = particle_table(rows)
    assert numbered.instance.tolist() == [0, 1, 2, 3]
    assert numbered.parent.tolist() == [0, 0, 1, 0]


def test_other_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_particles(tmp_path / "absent.csv")
    incomplete = tmp_path / "incomplete.csv"
    incomplete.write_text("instance,class\n")
    with pytest.raises(InputError, match="has no column class_id, x_A"):
        read_particles(incomplete)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="not comma-separated text"):
        read_particles(binary)
