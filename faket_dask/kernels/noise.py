"""How strong signal and noise are in a tilt-series, and noise of that strength for another one.

A standardised noisy tilt is modelled as `signal_scale` times the standardised noiseless tilt plus
`noise_scale` times a standard field. Both scales, and the mean and standard deviation that turn the sum
back into the reference's units, vary with the tilt angle (FakET, arXiv 2304.02011: noise). They are
measured tilt by tilt (`noise_curves` where clean counterparts exist, `unpaired_noise_curves` where none do),
smoothed and averaged over reference series (`fit_curves`), and applied (`add_noise`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.curves import NoiseCurves, fit_curves
from faket_dask.kernels.moments import standardise, standardise_float64
from faket_dask.kernels.unpaired import unpaired_noise_curves

__all__ = [
    "NoiseCurves",
    "add_noise",
    "fit_curves",
    "noise_curves",
    "standardise",
    "unpaired_noise_curves",
]


def noise_curves(noisy: NDArray[np.generic], clean: NDArray[np.generic]) -> NoiseCurves:
    """Signal and noise scales of a noisy series whose clean counterpart is known.

    The signal scale r minimises the standard deviation of `noisy - r clean` (both standardised), which
    makes it their correlation coefficient rho, kept within [0, 1]; the noise scale is the deviation that
    remains, `sqrt(1 - 2 r rho + r^2)` (closed form of the search in FakET, arXiv 2304.02011).

    Parameters
    ----------
    noisy, clean
        `(tilt, y, x)` the same tilts with and without noise, each in any unit. A clean tilt without
        contrast explains nothing: its noisy tilt counts as noise alone.

    Raises
    ------
    ValueError
        If the stacks differ in shape, or a tilt holds NaN or infinity, or a noisy tilt is constant.
    """
    noisy, clean = np.asarray(noisy), np.asarray(clean)
    if noisy.ndim != 3 or noisy.shape != clean.shape:
        raise ValueError(
            f"noisy and clean must be (tilt, y, x) stacks of one shape, got {noisy.shape} and {clean.shape}"
        )
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


def add_noise(
    noiseless_tilt: NDArray[np.generic],
    signal_scale: float,
    noise_scale: float,
    field: NDArray[np.generic],
) -> NDArray[np.float32]:
    """`signal_scale` times the standardised noiseless tilt plus `noise_scale` times the field.

    The same field serves a tilt's noisy and its content image; the latter takes a quarter of the noise scale.

    Parameters
    ----------
    noiseless_tilt
        `(y, x)` projection in any unit. One without contrast (an empty field of view) counts as no signal.
    signal_scale, noise_scale
        Strengths at this tilt, as in `NoiseCurves`.
    field
        `(y, x)` noise of mean 0 and standard deviation 1: white, or shaped to a spectrum.

    Returns
    -------
    `(y, x)` float32 without unit; `match_moments` brings it to the mean and standard
    deviation of a reference.

    Raises
    ------
    ValueError
        If the field's shape differs from the tilt's, or a scale is not finite or negative.
    """
    noiseless_tilt, field = np.asarray(noiseless_tilt), np.asarray(field)
    if noiseless_tilt.ndim != 2 or noiseless_tilt.shape != field.shape:
        raise ValueError(
            "tilt and noise field must be (y, x) images of one shape, "
            f"got {noiseless_tilt.shape} and {field.shape}"
        )
    if not (np.isfinite([signal_scale, noise_scale]).all() and signal_scale >= 0 and noise_scale >= 0):
        raise ValueError(
            f"scales must be finite and not negative, got signal {signal_scale} and noise {noise_scale}"
        )
    signal = standardise_float64(noiseless_tilt)
    signal *= float(signal_scale)
    signal += np.multiply(field, float(noise_scale), dtype=np.float64)
    return signal.astype(np.float32)
