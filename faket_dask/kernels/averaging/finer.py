"""Finer sampling of a cube, so that turning it by linear interpolation attenuates little."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

FINENESS = 2
"""Voxels of a finer cube per voxel: linear interpolation between them keeps 90 % of an amplitude at 0.36 per voxel."""


def sample_finer(spectrum: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    """Return a cube on a finer grid about the same point, without the frequencies at Nyquist.

    Parameters
    ----------
    spectrum
        ``(n, n, n // 2 + 1)`` as ``rfftn`` returns it, n even.

    Returns
    -------
    volume
        ``(2 n, 2 n, 2 n)`` float32 whose voxel n is that of the cube's voxel ``n // 2``.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * np.arange(8) / 8) * np.ones((8, 8, 8))
    >>> fine = sample_finer(scipy.fft.rfftn(wave))
    >>> fine.shape, bool(np.allclose(fine[::2, ::2, ::2], wave, atol=1e-6))
    ((16, 16, 16), True)
    """
    edge = spectrum.shape[0]
    half, fine = edge // 2, FINENESS * edge
    kept = np.r_[0:half, 1 - half : 0]
    padded = np.zeros((fine, fine, fine // 2 + 1), np.complex64)
    padded[np.ix_(kept, kept, np.arange(half))] = spectrum[np.ix_(kept, kept, np.arange(half))]
    volume = scipy.fft.irfftn(padded, (fine, fine, fine), overwrite_x=True)
    return np.asarray(volume * np.float32(FINENESS**3), dtype=np.float32)
