"""Spatial frequencies of an image's Fourier transform."""

import numpy as np
from numpy.typing import NDArray


def frequency_grid(
    shape: tuple[int, ...], pixel_size_A: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the frequencies along y, ``(y, 1)``, and along x, ``(1, x)``, in 1/Å, unshifted as ``fft2`` has them.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    pixel_size_A
        Pixel edge in Å.

    Examples
    --------
    >>> y, x = frequency_grid((2, 4), 10.0)
    >>> y.ravel(), x
    (array([ 0.  , -0.05]), array([[ 0.   ,  0.025, -0.05 , -0.025]]))
    """
    return np.fft.fftfreq(shape[0], pixel_size_A)[:, None], np.fft.fftfreq(shape[1], pixel_size_A)[None, :]
