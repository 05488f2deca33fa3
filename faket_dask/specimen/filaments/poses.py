"""Poses of subunits along a centre line."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.filaments.centre_line import CentreLine
from faket_dask.specimen.filaments.lattice import Lattice


@dataclass(frozen=True, eq=False)
class SubunitPoses:
    """Places and orientations of the subunits of one filament.

    Parameters
    ----------
    centre_A
        ``(m, 3)`` centres ``(x, y, z)`` in Å.
    rotation
        ``(m, 3, 3)`` rotations from the frame of the subunit.
    strand
        ``(m,)`` number of the protofilament or strand, from 0.
    """

    centre_A: NDArray[np.float64]
    rotation: NDArray[np.float64]
    strand: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.centre_A)

    def select(self, kept: NDArray[np.bool_]) -> "SubunitPoses":
        """Return the poses of some subunits."""
        return SubunitPoses(self.centre_A[kept], self.rotation[kept], self.strand[kept])


def subunit_poses(line: CentreLine, lattice: Lattice, start_rad: float = 0.0) -> SubunitPoses:
    """Compute the poses of the subunits of a filament.

    A subunit's own frame has its z axis along the filament, towards the plus end, and its x axis outward; its centre
    lies at the lattice's radius on the x axis. The lattice is straight, and each of its subunits is carried to the
    centre line by the frame there, whole: a bend opens and closes the gaps between subunits and deforms none of them.

    Parameters
    ----------
    line
        Centre line.
    lattice
        Arrangement of the subunits about it.
    start_rad
        Azimuth of the lattice's first subunit in radians.

    Returns
    -------
    poses
        In the order from the minus to the plus end.

    Examples
    --------
    >>> from faket_dask.specimen.filaments.centre_line import smooth_line
    >>> from faket_dask.specimen.filaments.lattice import Helix
    >>> line = smooth_line(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 100.0]]), 10.0)
    >>> poses = subunit_poses(line, Helix(50.0, 180.0, 20.0))
    >>> poses.centre_A[:, 2], bool(np.allclose(poses.centre_A[0, :2], -poses.centre_A[1, :2]))
    (array([25., 75.]), True)
    """
    sites = lattice.sites(line.length_A)
    points, frames = line.locate(sites.axial_A)
    skew = math.radians(lattice.skew_deg)
    tilt = np.array(
        [[1.0, 0.0, 0.0], [0.0, math.cos(skew), math.sin(skew)], [0.0, -math.sin(skew), math.cos(skew)]]
    )
    outward = frames @ _turn_about_axis(sites.azimuth_rad + start_rad)
    return SubunitPoses(points + lattice.radius_A * outward[:, :, 0], outward @ tilt, sites.strand)


def _turn_about_axis(angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations ``(m, 3, 3)`` about z."""
    turns = np.zeros((len(angle_rad), 3, 3))
    turns[:, 0, 0] = turns[:, 1, 1] = np.cos(angle_rad)
    turns[:, 1, 0] = np.sin(angle_rad)
    turns[:, 0, 1] = -turns[:, 1, 0]
    turns[:, 2, 2] = 1.0
    return turns
