"""How strong signal and noise are in a tilt-series, and noise of that strength for another one.

A standardised noisy tilt is modelled as `signal_scale` times the standardised noiseless tilt plus
`noise_scale` times a standard field. Both scales, and the mean and standard deviation that turn the sum
back into the reference's units, vary with the tilt angle (FakET, arXiv 2304.02011: noise). They are
measured tilt by tilt (`noise_curves` where clean counterparts exist), smoothed and averaged over reference
series (`fit_curves`), and applied (`add_noise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels.moments import standardise, standardise_float64

__all__ = ["NoiseCurves", "add_noise", "fit_curves", "noise_curves", "standardise"]


@dataclass(frozen=True)
class NoiseCurves:
    """Strength of signal and noise over a tilt-series.

    Attributes
    ----------
    signal_scale
        `(tilt,)` weight of the standardised noiseless tilt, in [0, 1].
    noise_scale
        `(tilt,)` weight of the standard noise field, not negative.
    mean, std
        `(tilt,)` moments of the noisy tilt, in the unit of the reference; `std` is positive.
    """

    signal_scale: NDArray[np.float64]
    noise_scale: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("signal_scale", "noise_scale", "mean", "std"):
            curve = np.asarray(getattr(self, name), dtype=np.float64)
            if curve.ndim != 1 or curve.shape != np.shape(self.signal_scale):
                raise ValueError(
                    f"{name} must be one value per tilt like signal_scale, got shape {curve.shape}"
                )
            object.__setattr__(self, name, curve)


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


def fit_curves(
    curves: Sequence[NoiseCurves],
    tilt_angles: ArrayLike | Sequence[ArrayLike],
    order: int,
    at: ArrayLike | None = None,
) -> NoiseCurves:
    """Polynomial over the angle for the curves of each series, averaged over the series.

    Parameters
    ----------
    curves
        One `NoiseCurves` per reference series; their tilt counts may differ.
    tilt_angles
        `(tilt,)` degrees, when all series share their angles; otherwise a list of such arrays, one per
        series.
    order
        Degree of the polynomials: 2 for tilt-dependent noise, 0 for one level everywhere.
    at
        `(tilt,)` degrees at which the averaged curves are wanted. May be left out when all series share
        their angles.

    Returns ------- The curves at `at`. Where a polynomial leaves what is physical, it is held at the limit:
    scales of the signal within [0, 1], of the noise at 0, and the standard deviation at a tenth of the
    smallest that was measured.

    Raises
    ------
    ValueError
        If angles and curves do not fit each other, a series has too few distinct angles for the order, a
        value is not finite, or `at` is needed and missing.
    """
    if not curves:
        raise ValueError("fit_curves needs the curves of at least one series")
    angles = _angles_per_series(curves, tilt_angles)
    if at is None:
        if any(not np.array_equal(series, angles[0]) for series in angles):
            raise ValueError(
                "the series differ in their tilt angles: say at which angles the fit is wanted (at=...)"
            )
        wanted = angles[0]
    else:
        wanted = np.atleast_1d(np.asarray(at, dtype=np.float64))
    if order < 0:
        raise ValueError(f"order must not be negative, got {order}")
    fitted = np.zeros((4, wanted.size))
    for index, (curve, series_angles) in enumerate(zip(curves, angles, strict=True)):
        measured = np.stack([curve.signal_scale, curve.noise_scale, curve.mean, curve.std])
        if not np.isfinite(measured).all():
            raise ValueError(f"series {index}: the curves hold NaN or infinity")
        distinct = np.unique(series_angles).size
        if order >= distinct:
            raise ValueError(
                f"series {index}: a polynomial of order {order} needs at least {order + 1} distinct tilt "
                f"angles, there are {distinct}; use a lower order"
            )
        for row, values in enumerate(measured):
            polynomial = np.polynomial.Polynomial.fit(series_angles, values, order)
            fitted[row] += polynomial(wanted) / len(curves)
    smallest_std = min(float(curve.std.min()) for curve in curves)
    signal, noise, mean, std = fitted
    return NoiseCurves(np.clip(signal, 0, 1), np.maximum(noise, 0), mean, np.maximum(std, 0.1 * smallest_std))


def _angles_per_series(
    curves: Sequence[NoiseCurves], tilt_angles: ArrayLike | Sequence[ArrayLike]
) -> list[NDArray[np.float64]]:
    listed = list(tilt_angles) if isinstance(tilt_angles, Sequence | np.ndarray) else [tilt_angles]
    if listed and np.ndim(listed[0]) == 0:
        listed = [listed] * len(curves)
    if len(listed) != len(curves):
        raise ValueError(f"there are {len(curves)} series but tilt angles for {len(listed)}")
    per_series = [np.asarray(angles, dtype=np.float64) for angles in listed]
    for index, (curve, angles) in enumerate(zip(curves, per_series, strict=True)):
        if angles.shape != curve.mean.shape:
            raise ValueError(f"series {index}: {curve.mean.size} tilts but angles of shape {angles.shape}")
        if not np.isfinite(angles).all():
            raise ValueError(f"series {index}: the tilt angles must be finite")
    return per_series


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

    Returns ------- `(y, x)` float32 without unit; `match_moments` brings it to the mean and standard
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
