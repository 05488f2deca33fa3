"""Signal and noise scales of a noisy series whose clean counterpart is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_same_shape
from faket_dask.kernels.moments import standardise_float64
from faket_dask.kernels.noise.curves import NoiseCurves


def noise_curves(noisy: NDArray[np.generic], clean: NDArray[np.generic]) -> NoiseCurves:
    """Measure signal and noise scales of a noisy series whose clean counterpart is known.

    The signal scale r minimises the standard deviation of `noisy - r clean` (both standardised), which
    makes it their correlation coefficient rho, kept within [0, 1]; the noise scale is the deviation that
    remains, `sqrt(1 - 2 r rho + r^2)` (closed form of the search in FakET, arXiv 2304.02011).

    Parameters
    ----------
    noisy, clean
        ``(tilt, y, x)`` tilts with and without noise, each in any unit. A noisy tilt whose clean tilt has no contrast
        counts as noise alone.

    Raises
    ------
    ValueError
        If the stacks differ in shape, or a tilt holds NaN or infinity, or a noisy tilt is constant.

    Examples
    --------
    >>> clean = np.random.default_rng(0).normal(size=(1, 64, 64))
    >>> noise = np.random.default_rng(1).normal(size=(1, 64, 64))
    >>> curves = noise_curves(0.6 * clean + 0.8 * noise, clean)
    >>> curves.signal_scale.round(1), curves.noise_scale.round(1)
    (array([0.6]), array([0.8]))
    """
    noisy, clean = np.asarray(noisy), np.asarray(clean)
    check_same_shape("noisy and clean", "(tilt, y, x)", noisy, clean)
    curves = np.empty((4, len(noisy)))
    for tilt, (noisy_tilt, clean_tilt) in enumerate(zip(noisy, clean, strict=True)):
        try:
            standard = standardise_float64(noisy_tilt)
            correlation = float(np.mean(standard * standardise_float64(clean_tilt)))
        except ValueError as error:
            raise ValueError(f"tilt {tilt}: {error}") from error
        if not standard.any():
            raise ValueError(f"tilt {tilt} of the noisy series is constant: it has neither signal nor noise")
        signal = min(max(correlation, 0.0), 1.0)
        noise = np.sqrt(max(1 - 2 * signal * correlation + signal**2, 0.0))
        curves[:, tilt] = signal, noise, noisy_tilt.mean(dtype=np.float64), noisy_tilt.std(dtype=np.float64)
    return NoiseCurves(*curves)
