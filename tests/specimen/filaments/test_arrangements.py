import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from faket_dask.errors import InputError
from faket_dask.specimen.filaments.branching import grow_branch
from faket_dask.specimen.filaments.bundle import hexagonal_offsets, offset_lines
from faket_dask.specimen.filaments.centre_line import smooth_line
from faket_dask.specimen.filaments.centre_line_table import centre_line_table, read_centre_lines
from faket_dask.specimen.filaments.worm_like_chain import draw_chains


@given(st.integers(2, 60))
def test_hexagonal_neighbours_are_one_spacing_apart(count):
    offsets = hexagonal_offsets(count, 120.0)
    assert len(offsets) == count
    assert pdist(offsets).min() == pytest.approx(120.0)


def test_whole_rings_are_compact():
    assert np.linalg.norm(hexagonal_offsets(19, 1.0), axis=1).max() == pytest.approx(2.0)


def test_bundled_lines_keep_their_distance():
    [chain] = draw_chains(1, 3000.0, 100.0, 1e5, np.random.default_rng(1))
    line = smooth_line(chain, 20.0)
    lines = offset_lines(line, hexagonal_offsets(7, 120.0))
    for beside in lines[1:]:
        distance, _ = cKDTree(lines[0].points_A).query(beside.points_A[10:-10])
        np.testing.assert_allclose(distance, 120.0, atol=0.6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(30, 150))
def test_branch_leaves_at_its_angle_and_touches_its_mother(seed, angle_deg):
    rng = np.random.default_rng(seed)
    [chain] = draw_chains(1, 2000.0, 100.0, 1e9, rng)
    mother = smooth_line(chain, 20.0)
    branch = grow_branch(mother, 900.0, math.radians(angle_deg), 1.0, 800.0, 40.0, 1e9, 50.0, rng)
    assert branch.length_A == pytest.approx(800.0, rel=1e-3)
    [tangent] = mother.locate(np.array([900.0]))[1][:, :, 2]
    cosine = branch.tangents[0] @ tangent
    assert np.degrees(np.arccos(cosine)) == pytest.approx(angle_deg, abs=0.5)
    # The end of the branch's tube: a disc of its radius.
    turn = np.linspace(0, 2 * np.pi, 60)
    disc = branch.points_A[0] + 40.0 * (branch.frames[0, :, :2] @ np.stack((np.cos(turn), np.sin(turn)))).T
    fine = mother.locate(np.arange(0, 2000, 1.0))[0]
    distance, _ = cKDTree(fine).query(disc)
    assert distance.min() == pytest.approx(40.0, abs=0.5)


def test_centre_lines_are_read_back_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    lines = [(1, "actin", rng.normal(size=(5, 3))), (4, "microtubule", rng.normal(size=(3, 3)))]
    table = centre_line_table(lines)
    table.write_csv(tmp_path / "filaments.csv")
    back = read_centre_lines(tmp_path / "filaments.csv")
    for column in ("filament", "class_name", "ordinal", "point_A"):
        np.testing.assert_array_equal(getattr(back, column), getattr(table, column))
    np.testing.assert_array_equal(back.lines()[4], lines[1][2])
    centre_line_table([]).write_csv(tmp_path / "none.csv")
    assert len(read_centre_lines(tmp_path / "none.csv")) == 0


def test_damaged_centre_lines_name_the_line(tmp_path):
    path = tmp_path / "filaments.csv"
    path.write_text("filament,class,ordinal,x_A,y_A,z_A\n1,actin,0,0,0,0\n1,actin,1,0,north,0\n")
    with pytest.raises(InputError, match="line 3: y_A is 'north'"):
        read_centre_lines(path)
    path.write_text("filament,class,x_A,y_A,z_A\n")
    with pytest.raises(InputError, match="no column ordinal"):
        read_centre_lines(path)
