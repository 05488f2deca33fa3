"""Mean shift of the voxels of a mask, with a flat kernel.

Fukunaga & Hostetler, IEEE Trans. Inf. Theory 21, 32 (1975); Comaniciu & Meer, IEEE Trans. Pattern Anal. Mach. Intell.
24, 603 (2002). Each seed moves to the mean of the points around it until it rests. Seeds, the end of a path and the
order in which modes absorb their neighbours are those of scikit-learn's ``MeanShift`` with ``bin_seeding=True``, and so
is the result, to the last bit of every mode. Since the points are voxels, those around a seed are found by looking
at the grid, without any search tree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import KDTree

from faket_dask.kernels._checks import check_positive

MOST_STEPS = 300
"""Steps after which a seed is taken to rest."""

REST = 1e-3
"""Length of a step over the bandwidth at which a seed rests."""


class Modes(NamedTuple):
    """Modes ``(cluster, 3)`` of points, the one with most points around it first, and each point's nearest one."""

    centres: NDArray[np.float64]
    labels: NDArray[np.intp]


def shift_means(mask: NDArray[np.bool_], bandwidth: float) -> Modes:
    """Cluster the voxels of a mask by mean shift.

    Parameters
    ----------
    mask
        ``(z, y, x)``; its true voxels are the points, in the order of ``np.argwhere``.
    bandwidth
        Radius of the flat kernel in voxels, and the edge of the bins whose middles are the seeds.

    Returns
    -------
    modes
        Centres in voxels, and labels of the points.

    Raises
    ------
    ValueError
        If the array is no volume, or the bandwidth is not positive.

    Examples
    --------
    >>> mask = np.zeros((3, 4, 40), bool)
    >>> mask[1, 2, [1, 2, 3, 30, 31]] = True
    >>> modes = shift_means(mask, 5.0)
    >>> modes.centres
    array([[ 1. ,  2. ,  2. ],
           [ 1. ,  2. , 30.5]])
    >>> modes.labels
    array([0, 0, 0, 1, 1])
    """
    if mask.ndim != 3:
        raise ValueError(f"mask must be a (z, y, x) array, got shape {mask.shape}")
    check_positive("bandwidth", bandwidth)
    points = np.argwhere(mask)
    if not len(points):
        return Modes(np.empty((0, 3)), np.empty(0, np.intp))
    paths = _climb(np.ascontiguousarray(mask, dtype=np.bool_), _seeds(points, bandwidth), bandwidth)
    centres = _merge(paths, bandwidth)
    return Modes(centres, KDTree(centres).query(points)[1].astype(np.intp))


def _seeds(points: NDArray[np.intp], bandwidth: float) -> NDArray[np.float64]:
    """Return the middles of all bins with a point, or the points where each has a bin of its own."""
    bins = np.round(points / bandwidth).astype(np.int64)
    grid = tuple(bins.max(axis=0) + 1)
    filled = np.zeros(grid, np.bool_)
    filled[tuple(bins.T)] = True
    seeds = np.argwhere(filled)
    if len(seeds) == len(points):
        return points.astype(np.float64)
    return (seeds.astype(np.float32) * bandwidth).astype(np.float64)


@njit(cache=True, nogil=True)
def _sum_rows(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return, for each row up to each column, the number of true voxels and the sum of their columns."""
    depth, height, width = mask.shape
    counts = np.zeros((depth, height, width + 1), np.int32)
    columns = np.zeros((depth, height, width + 1), np.int64)
    for k in range(depth):
        for j in range(height):
            for i in range(width):
                here = 1 if mask[k, j, i] else 0
                counts[k, j, i + 1] = counts[k, j, i] + here
                columns[k, j, i + 1] = columns[k, j, i] + here * i
    return counts, columns


@njit(cache=True, nogil=True)
def _climb(mask: NDArray[np.bool_], seeds: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Return where each seed comes to rest and the number of points around it, ``(seed, 4)``; 0 if it saw none."""
    depth, height, width = mask.shape
    counts, columns = _sum_rows(mask)
    squared = bandwidth * bandwidth
    rests = np.zeros((len(seeds), 4))
    for index in range(len(seeds)):
        z, y, x = seeds[index]
        steps = 0
        while True:
            count, sum_z, sum_y, sum_x = 0, 0, 0, 0
            top, bottom = max(0, int(np.ceil(y - bandwidth))), min(height - 1, int(y + bandwidth))
            for k in range(max(0, int(np.ceil(z - bandwidth))), min(depth - 1, int(z + bandwidth)) + 1):
                near_z = (z - k) * (z - k)
                for j in range(top, bottom + 1):
                    near = near_z + (y - j) * (y - j)
                    if near > squared:
                        continue
                    reach = np.sqrt(squared - near) + 1e-6
                    first, last = max(0, int(np.ceil(x - reach))), min(width - 1, int(x + reach))
                    while first <= last and near + (x - first) * (x - first) > squared:
                        first += 1
                    while first <= last and near + (x - last) * (x - last) > squared:
                        last -= 1
                    if first > last:
                        continue
                    inside = counts[k, j, last + 1] - counts[k, j, first]
                    count += inside
                    sum_z += inside * k
                    sum_y += inside * j
                    sum_x += columns[k, j, last + 1] - columns[k, j, first]
            if count == 0:
                break
            before_z, before_y, before_x = z, y, x
            z, y, x = sum_z / count, sum_y / count, sum_x / count
            step = np.sqrt((z - before_z) ** 2 + (y - before_y) ** 2 + (x - before_x) ** 2)
            if step <= REST * bandwidth or steps == MOST_STEPS:
                break
            steps += 1
        rests[index, 0], rests[index, 1], rests[index, 2], rests[index, 3] = z, y, x, count
    return rests


def _merge(rests: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Return the modes: resting places that have no other with more points within the bandwidth."""
    seen = np.unique(rests[rests[:, 3] > 0], axis=0)
    order = np.lexsort((seen[:, 2], seen[:, 1], seen[:, 0], seen[:, 3]))[::-1]
    centres = seen[order, :3]
    is_mode = np.ones(len(centres), np.bool_)
    for index, around in enumerate(KDTree(centres).query_ball_point(centres, bandwidth)):
        if is_mode[index]:
            is_mode[around] = False
            is_mode[index] = True
    return centres[is_mode]
