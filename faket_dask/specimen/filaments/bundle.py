"""Bundles: filaments side by side on a hexagonal lattice."""

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.filaments.centre_line import CentreLine, smooth_line


def hexagonal_offsets(count: int, spacing_A: float) -> NDArray[np.float64]:
    """Compute the points of a hexagonal lattice that are nearest to one of them, itself included.

    Parameters
    ----------
    count
        Number of points.
    spacing_A
        Distance between neighbours in Å.

    Returns
    -------
    offsets_A
        ``(count, 2)``, nearest first.

    Examples
    --------
    >>> np.linalg.norm(hexagonal_offsets(7, 80.0), axis=1).round(6)
    array([ 0., 80., 80., 80., 80., 80., 80.])
    """
    reach = int(np.ceil(np.sqrt(count))) + 1
    first, second = (index.ravel() for index in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    # Whole numbers, so that ties are ties: squared distances in units of the spacing.
    square = first**2 + first * second + second**2
    points = np.column_stack((first + 0.5 * second, np.sqrt(0.75) * second))
    angle = np.arctan2(points[:, 1], points[:, 0]).round(9)
    return points[np.lexsort((angle, square))[:count]] * spacing_A


def offset_lines(line: CentreLine, offsets_A: NDArray[np.float64]) -> list[CentreLine]:
    """Make the lines that run beside a line at constant offsets in its frame.

    The frame does not turn about the line, so all of them stay parallel to it, and at the same distance from each
    other; where it bends, the inner ones are shorter.

    Parameters
    ----------
    line
        Middle of the bundle.
    offsets_A
        ``(n, 2)`` offsets along the frame's two normals in Å, shorter than the line's radius of curvature.

    Examples
    --------
    >>> line = smooth_line(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 50.0]]), 10.0)
    >>> [beside] = offset_lines(line, np.array([[3.0, 4.0]]))
    >>> round(float(np.linalg.norm(beside.points_A[0])), 9), beside.length_A
    (5.0, 50.0)
    """
    normals = line.frames[:, :, :2]
    return [smooth_line(line.points_A + normals @ offset, line.step_A) for offset in offsets_A]
