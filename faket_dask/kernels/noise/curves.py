"""Curves of noise statistics over a tilt-series, and their smooth fit over the angle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class NoiseCurves:
    """Strength of signal and noise over a tilt-series.

    Parameters
    ----------
    signal_scale
        ``(tilt,)`` weight of the standardised noiseless tilt, in [0, 1].
    noise_scale
        ``(tilt,)`` weight of the standard noise field, not negative.
    mean, std
        ``(tilt,)`` moments of the noisy tilt, in the unit of the reference; `std` is positive.
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

    def average(self) -> NoiseCurves:
        """Return curves with each value's mean over the tilts."""
        return NoiseCurves(
            *(
                np.full_like(curve, curve.mean())
                for curve in (self.signal_scale, self.noise_scale, self.mean, self.std)
            )
        )


def fit_curves(
    curves: Sequence[NoiseCurves],
    tilt_angles: ArrayLike | Sequence[ArrayLike],
    order: int,
    at: ArrayLike | None = None,
) -> NoiseCurves:
    """Fit a polynomial over the angle to the curves of each series, and average the fits.

    Parameters
    ----------
    curves
        Curves of each reference series; their tilt counts may differ.
    tilt_angles
        ``(tilt,)`` degrees, when all series share their angles; otherwise a list of such arrays, one per series.
    order
        Degree of the polynomials: 2 for tilt-dependent noise, 0 for one level everywhere.
    at
        ``(tilt,)`` degrees at which the averaged fit is evaluated; by default the angles that all series share.

    Returns
    -------
    fitted
        Curves at `at`. Where a polynomial leaves the physical range, it is held at the limit: scales of the signal
        within [0, 1], of the noise at 0, and the standard deviation at a tenth of the smallest measured one.

    Raises
    ------
    ValueError
        If angles and curves do not fit each other, a series has too few distinct angles for the order, a
        value is not finite, or `at` is needed and missing.

    Examples
    --------
    >>> curves = NoiseCurves(np.array([0.2, 0.4]), np.ones(2), np.zeros(2), np.ones(2))
    >>> fit_curves([curves], [0.0, 60.0], order=1, at=[30.0]).signal_scale.round(3)
    array([0.3])
    """
    if not curves:
        raise ValueError("fit_curves needs the curves of at least one series")
    angles = _angles_per_series(curves, tilt_angles)
    if at is None:
        if any(not np.array_equal(series, angles[0]) for series in angles):
            raise ValueError(
                "the series differ in their tilt angles: say at which angles the fit is evaluated (at=...)"
            )
        requested = angles[0]
    else:
        requested = np.atleast_1d(np.asarray(at, dtype=np.float64))
    if order < 0:
        raise ValueError(f"order must not be negative, got {order}")
    fitted = np.zeros((4, requested.size))
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
            fitted[row] += polynomial(requested) / len(curves)
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
