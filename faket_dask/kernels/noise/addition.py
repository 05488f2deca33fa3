"""Noise of given strength added to a noiseless tilt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_same_shape
from faket_dask.kernels.moments import standardise_float64


def add_noise(
    noiseless_tilt: NDArray[np.generic],
    signal_scale: float,
    noise_scale: float,
    field: NDArray[np.generic],
) -> NDArray[np.float32]:
    """Return `signal_scale` times the standardised noiseless tilt plus `noise_scale` times the field.

    The same field serves a tilt's noisy and its content image; the latter takes a quarter of the noise scale.

    Parameters
    ----------
    noiseless_tilt
        ``(y, x)`` projection in any unit. One without contrast (an empty field of view) counts as no signal.
    signal_scale, noise_scale
        Strengths of signal and noise at this tilt, as in `NoiseCurves`.
    field
        ``(y, x)`` noise of mean 0 and standard deviation 1: white, or shaped to a spectrum.

    Returns
    -------
    tilt
        ``(y, x)`` float32 without unit; `match_moments` brings it to the mean and standard deviation of a reference.

    Raises
    ------
    ValueError
        If the field's shape differs from the tilt's, or a scale is not finite or negative.

    Examples
    --------
    >>> add_noise(np.array([[1, 3]]), 0.5, 2.0, np.array([[0.0, 1.0]]))
    array([[-0.5,  2.5]], dtype=float32)
    """
    noiseless_tilt, field = np.asarray(noiseless_tilt), np.asarray(field)
    check_same_shape("tilt and noise field", "(y, x)", noiseless_tilt, field)
    if not (np.isfinite([signal_scale, noise_scale]).all() and signal_scale >= 0 and noise_scale >= 0):
        raise ValueError(
            f"scales must be finite and not negative, got signal {signal_scale} and noise {noise_scale}"
        )
    signal = standardise_float64(noiseless_tilt)
    signal *= float(signal_scale)
    signal += np.multiply(field, float(noise_scale), dtype=np.float64)
    return signal.astype(np.float32)
