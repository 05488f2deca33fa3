import math

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.specimen.filaments.centre_line import smooth_line
from faket_dask.specimen.filaments.lattice import MICROTUBULE_STARTS, Beads, Helix, MicrotubuleLattice
from faket_dask.specimen.filaments.poses import subunit_poses
from faket_dask.specimen.filaments.worm_like_chain import draw_chains


def straight(length_A: float):
    return smooth_line(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, length_A]]), 20.0)


def relative(poses, i, j):
    """Rise, turn about z in degrees from subunit i to j of a straight filament along z."""
    turn = poses.rotation[j] @ poses.rotation[i].T
    rise = poses.centre_A[j, 2] - poses.centre_A[i, 2]
    return rise, np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))


def test_actin_is_a_left_handed_one_start_helix_and_a_right_handed_two_start_one():
    poses = subunit_poses(straight(1000.0), Helix(27.5, -166.7, 16.0))
    assert len(poses) == 36
    for i in range(30):
        assert relative(poses, i, i + 1) == pytest.approx((27.5, -166.7))
        assert relative(poses, i, i + 2) == pytest.approx((55.0, 26.6))
    np.testing.assert_allclose(np.linalg.norm(poses.centre_A[:, :2], axis=1), 16.0)
    # 26.6° per 55 Å: the strands cross every 372 Å.


def test_subunits_face_outward_and_to_the_plus_end():
    poses = subunit_poses(straight(500.0), Helix(27.5, -166.7, 16.0))
    np.testing.assert_allclose(poses.rotation[:, :, 2], np.tile([0, 0, 1.0], (len(poses), 1)), atol=1e-9)
    np.testing.assert_allclose(poses.rotation[:, :2, 0] * 16.0, poses.centre_A[:, :2], atol=1e-9)
    back = subunit_poses(straight(500.0).reverse(), Helix(27.5, -166.7, 16.0))
    np.testing.assert_allclose(back.rotation[:, :, 2], np.tile([0, 0, -1.0], (len(poses), 1)), atol=1e-9)


@pytest.mark.parametrize("protofilaments", MICROTUBULE_STARTS)
def test_microtubule_closes_on_the_sheet_that_it_is_made_of(protofilaments):
    lattice = MicrotubuleLattice(protofilaments, 81.8)
    poses = subunit_poses(straight(2000.0), lattice)
    assert sorted(set(poses.strand)) == list(range(protofilaments))
    assert len(poses) == pytest.approx(protofilaments * 2000 / lattice.spacing_A, abs=protofilaments)
    rises, turns = [], []
    for strand in range(protofilaments):
        here = np.flatnonzero(poses.strand == strand)
        there = np.flatnonzero(poses.strand == (strand + 1) % protofilaments)
        # Along a protofilament dimers are equally spaced, in a helix as wide as the microtubule.
        steps = np.linalg.norm(np.diff(poses.centre_A[here], axis=0), axis=1)
        np.testing.assert_allclose(steps, 81.8, atol=0.02)
        angle = np.radians([relative(poses, here[8], k)[1] for k in there])
        rise = poses.centre_A[there, 2] - poses.centre_A[here[8], 2]
        best = np.argmin(np.abs(rise - 8.0))
        rises.append(rise[best])
        turns.append(angle[best])
    # Neighbours are all alike but for those at the seam, which are half a dimer off where there is one.
    stagger = np.median(rises)
    assert stagger == pytest.approx(9.44, abs=2.5)
    odd = [rise for rise in rises if abs(rise - stagger) > 1e-6]
    assert len(odd) == lattice.has_seam
    if lattice.has_seam:
        assert abs(odd[0] - stagger) == pytest.approx(0.5 * lattice.spacing_A, abs=1e-6)
    # Three (or four) helices of monomers, left-handed: once around is so many monomers up.
    assert protofilaments * stagger == pytest.approx(lattice.starts * 0.5 * lattice.spacing_A, rel=1e-9)
    assert np.median(turns) < 0
    assert np.linalg.norm(poses.centre_A[:, :2], axis=1) == pytest.approx(lattice.radius_A)


def test_supertwist_has_the_known_sense():
    """Protofilaments run straight for 13, in a left-handed way for 14, in a right-handed one for 12 and 15."""
    skew = {n: MicrotubuleLattice(n, 81.8).skew_deg for n in MICROTUBULE_STARTS}
    assert skew[13] == 0
    assert skew[14] < 0 < skew[12]
    assert skew[15] > 0
    for number, angle in skew.items():
        poses = subunit_poses(straight(3000.0), MicrotubuleLattice(number, 81.8))
        row = np.flatnonzero(poses.strand == 0)
        _, turn = relative(poses, row[0], row[-1])
        assert np.sign(round(turn, 6)) == np.sign(round(angle, 6))


def test_fourteen_protofilaments_have_the_helical_symmetry_of_reconstructions():
    """8.7 Å up and -25.77° around to the next protofilament, as maps of such microtubules are built with."""
    poses = subunit_poses(straight(2000.0), MicrotubuleLattice(14, 82.0))
    here, there = (np.flatnonzero(poses.strand == strand)[8] for strand in (3, 4))
    rise, turn = relative(poses, here, there)
    assert rise == pytest.approx(8.72, abs=0.1)
    assert turn == pytest.approx(-25.77, abs=0.02)


def test_unknown_protofilament_number_is_an_error():
    with pytest.raises(
        InputError, match="protofilaments is 9; lattices are known for 11, 12, 13, 14, 15, 16"
    ):
        MicrotubuleLattice(9, 81.8)


def test_bent_lattice_keeps_twist_and_spacing():
    [chain] = draw_chains(1, 3000.0, 100.0, 5e4, np.random.default_rng(1))
    line = smooth_line(chain, 20.0)
    poses = subunit_poses(line, Helix(27.5, -166.7, 16.0))
    turns = poses.rotation[1:] @ poses.rotation[:-1].transpose(0, 2, 1)
    angle = np.degrees(np.arccos((np.trace(turns, axis1=1, axis2=2) - 1) / 2))
    np.testing.assert_allclose(angle, 166.7, atol=0.3)
    axis = poses.centre_A - 16.0 * poses.rotation[:, :, 0]
    np.testing.assert_allclose(np.linalg.norm(np.diff(axis, axis=0), axis=1), 27.5, rtol=2e-3)


def test_lattice_counts_bound_the_sites():
    for lattice in (Helix(27.5, -166.7, 16.0), Beads(55.0), MicrotubuleLattice(13, 81.8)):
        for length in (10.0, 137.5, 1000.0):
            assert len(lattice.sites(length)) <= lattice.count(length)
    assert len(Helix(27.5, -166.7, 16.0).sites(10.0)) == 0


def test_dimers_stay_within_the_length():
    lattice = MicrotubuleLattice(14, 81.8)
    axial = lattice.sites(1000.0).axial_A
    assert axial.min() >= 0.4999 * lattice.spacing_A
    assert axial.max() <= 1000 - 0.4999 * lattice.spacing_A
    assert math.isclose(lattice.radius_A, 114.8, abs_tol=0.1)
