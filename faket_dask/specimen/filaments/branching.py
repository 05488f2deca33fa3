"""Branches: filaments that start on the side of another one."""

import math

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.filaments.centre_line import CentreLine, smooth_line
from faket_dask.specimen.filaments.worm_like_chain import draw_directions


def branch_standoff(radius_A: float, angle_rad: float) -> float:
    """Compute how far from a filament's axis a branch begins so that the two touch, and do not overlap.

    Parameters
    ----------
    radius_A
        Radius of both filaments in Å.
    angle_rad
        Angle between their axes in radians, above 0 and below π.

    Returns
    -------
    standoff
        Distance in Å along the branch from the mother's axis to the branch's first point.

    Examples
    --------
    >>> branch_standoff(40.0, math.pi / 2)
    40.0
    """
    return radius_A * (1 + abs(math.cos(angle_rad))) / math.sin(angle_rad)


def grow_branch(
    mother: CentreLine,
    arc_A: float,
    angle_rad: float,
    azimuth_rad: float,
    length_A: float,
    radius_A: float,
    persistence_length_A: float,
    step_A: float,
    rng: np.random.Generator,
) -> CentreLine:
    """Grow a filament from the side of another one, towards its plus end.

    Parameters
    ----------
    mother
        Filament that it starts on.
    arc_A
        Place on the mother in Å from her minus end.
    angle_rad
        Angle in radians between the mother and the first step of the branch.
    azimuth_rad
        Direction of the branch about the mother in radians.
    length_A
        Length of the branch in Å.
    radius_A
        Radius of both filaments in Å.
    persistence_length_A
        Persistence length of the branch in Å.
    step_A
        Length of its steps in Å.
    rng
        Source of randomness.

    Returns
    -------
    branch
        Line from its minus end at the mother.
    """
    [point], [frame] = mother.locate(np.array([arc_A]))
    direction = frame @ _spherical(angle_rad, azimuth_rad)
    steps = max(2, math.ceil(length_A / step_A))
    directions = draw_directions(direction[None], steps, length_A / steps, persistence_length_A, rng)[0]
    start = point + branch_standoff(radius_A, angle_rad) * direction
    vertices = np.concatenate((np.zeros((1, 3)), np.cumsum(directions, axis=0) * length_A / steps))
    return smooth_line(start + vertices, mother.step_A)


def _spherical(polar_rad: float, azimuth_rad: float) -> NDArray[np.float64]:
    return np.array(
        [
            math.sin(polar_rad) * math.cos(azimuth_rad),
            math.sin(polar_rad) * math.sin(azimuth_rad),
            math.cos(polar_rad),
        ]
    )
