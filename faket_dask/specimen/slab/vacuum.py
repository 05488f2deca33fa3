"""Vacuum beyond the faces of a slab."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.ice import ICE_V
from faket_dask.specimen.slab.faces import Faces, find_layers


def clear_vacuum(canvas: Canvas, faces: Faces) -> None:
    """Put vacuum beyond the faces, and take away the labels of what they cut.

    Voxels that a face goes through are shared out between ice and vacuum; they have no label.
    """
    x_A = np.arange(canvas.density.shape[2], dtype=np.float64) * canvas.voxel_A
    y_A = (
        np.arange(canvas.y_start, canvas.y_start + canvas.density.shape[1], dtype=np.float64) * canvas.voxel_A
    )
    lower, upper = faces.heights(x_A, y_A)
    first, last = find_layers(lower, upper, canvas.voxel_A)
    _clear(canvas, lower / canvas.voxel_A, upper / canvas.voxel_A, first, last)


@njit(cache=True, nogil=True)
def _clear(
    canvas: Canvas,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> None:
    density, class_mask, instance_mask, _, _, _ = canvas
    for z in range(density.shape[0]):
        for y in range(density.shape[1]):
            for x in range(density.shape[2]):
                if first[y, x] <= z <= last[y, x]:
                    continue
                depth = min(z + 0.5, upper[y, x]) - max(z - 0.5, lower[y, x])
                share = min(1.0, max(0.0, depth))
                density[z, y, x] = density[z, y, x] * share - ICE_V * (1 - share)
                class_mask[z, y, x] = 0
                instance_mask[z, y, x] = 0
