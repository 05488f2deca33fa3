"""Pixelwise distances of two tilt-series, tilt by tilt (FakET, arXiv 2304.02011, Table S1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

SMALLEST_TILT = 7
"""Side in pixels of the window that the structural similarity is averaged over."""


@dataclass(frozen=True)
class PixelwiseDistance:
    """Distances of two images with values in [0, 1].

    Parameters
    ----------
    mae
        Mean absolute error.
    mse
        Mean squared error.
    psnr
        Peak signal-to-noise ratio in dB, infinite for equal images.
    ssim
        Mean structural similarity, 1 for equal images.
    """

    mae: float
    mse: float
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Summary:
    """Mean, 10th and 90th percentile of one distance over the tilts of a series."""

    mean: float
    p10: float
    p90: float


def compare_tilts(a: NDArray[np.generic], b: NDArray[np.generic]) -> PixelwiseDistance:
    """Compare two tilts that are already scaled to [0, 1].

    Parameters
    ----------
    a, b
        ``(y, x)`` of one shape, at least 7 × 7. For a tilt of a series, the scale is that of the whole series:
        see `normalise_series`.

    Returns
    -------
    distance
        Mean absolute and squared error, peak signal-to-noise ratio for a peak of 1, and structural similarity
        (7 × 7 windows, Wang et al., IEEE Trans. Image Process. 13, 2004).

    Raises
    ------
    ValueError
        If the shapes differ, are not images or too small, or a value is not finite.

    Examples
    --------
    >>> tilt = np.random.default_rng(0).random((16, 16))
    >>> compare_tilts(tilt, tilt)
    PixelwiseDistance(mae=0.0, mse=0.0, psnr=inf, ssim=1.0)
    """
    if a.ndim != 2 or a.shape != b.shape or min(a.shape) < SMALLEST_TILT:
        raise ValueError(
            f"tilts must be images of one shape of at least {SMALLEST_TILT} x {SMALLEST_TILT}, got {a.shape} and "
            f"{b.shape}"
        )
    first, second = a.astype(np.float64), b.astype(np.float64)
    difference = first - second
    if not np.isfinite(difference).all():
        raise ValueError("tilts hold NaN or infinite values")
    mse = float(np.mean(difference**2))
    return PixelwiseDistance(
        mae=float(np.mean(np.abs(difference))),
        mse=mse,
        psnr=float("inf") if mse == 0 else float(-10 * np.log10(mse)),
        ssim=float(structural_similarity(first, second, data_range=1.0)),
    )


def normalise_series(
    stack: NDArray[np.generic], low: float | None = None, high: float | None = None
) -> NDArray[np.float32]:
    """Scale a whole series to [0, 1].

    Parameters
    ----------
    stack
        ``(tilt, y, x)`` of any real type, or one tilt of it ``(y, x)`` where the bounds are given.
    low, high
        Values that become 0 and 1; smallest and largest of the stack if not given.

    Returns
    -------
    scaled
        float32 of the same shape, from 0 to 1: values beyond the bounds are clipped.

    Raises
    ------
    ValueError
        If a value is not finite, or the bounds do not leave a range.

    Examples
    --------
    >>> normalise_series(np.array([[[2, 4], [6, 10]]]))
    array([[[0.  , 0.25],
            [0.5 , 1.  ]]], dtype=float32)
    """
    values = stack.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the series holds NaN or infinite values")
    least = float(values.min()) if low is None else low
    greatest = float(values.max()) if high is None else high
    if not greatest > least:
        raise ValueError(f"the series cannot be scaled: it ranges from {least:g} to {greatest:g}")
    return np.clip((values - least) / (greatest - least), 0, 1).astype(np.float32)


def summarise(values: NDArray[np.float64]) -> Summary:
    """Summarise one distance over the tilts of a series.

    Parameters
    ----------
    values
        ``(tilt,)`` distances.

    Examples
    --------
    >>> summarise(np.arange(11.0))
    Summary(mean=5.0, p10=1.0, p90=9.0)
    """
    with np.errstate(
        invalid="ignore"
    ):  # ratios of equal tilts are infinite, between which nothing is interpolated
        p10, p90 = np.percentile(values, (10, 90))
    above = np.percentile(values, (10, 90), method="higher")
    p10, p90 = np.where(np.isfinite((p10, p90)), (p10, p90), above)
    return Summary(float(np.mean(values)), float(p10), float(p90))
