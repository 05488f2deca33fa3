"""Projection by scikit-image's `radon`, slice by slice: some hundred times slower than ours, for comparison."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.transform import radon


def project_by_radon(
    volume: NDArray[np.generic], tilt_angles: ArrayLike, width: int | None = None
) -> NDArray[np.float32]:
    """Return ``(tilt, y, width)`` negated ray sums, as `faket_dask.kernels.projection.project` does."""
    angles = np.atleast_1d(np.asarray(tilt_angles, dtype=np.float64))
    columns = volume.shape[2] if width is None else width
    stack = np.empty((angles.size, volume.shape[1], columns), dtype=np.float32)
    for y in range(volume.shape[1]):
        # radon pads a slice to a square with its centre (N // 2) in the middle, odd sizes included; the
        # margin of zeros keeps rays that only graze a corner voxel.
        sinogram = radon(np.pad(volume[:, y, :].astype(np.float64), 1), angles, circle=False)
        left = sinogram.shape[0] // 2 - columns // 2
        stack[:, y, :] = -sinogram[left : left + columns].T
    return stack
