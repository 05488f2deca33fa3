"""Weighting of tilts before back-projection.

A filter is a real ``(ny, nx)`` array in the order of `numpy.fft.fft2` (zero frequency first) that multiplies
the Fourier transform of a tilt. Frequencies are in cycles per pixel, x across the tilt axis and y along it. The
ramp-like filters are ``|fx|`` at low frequencies, so that together with the factor π / tilts of the
back-projection densities keep their scale.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles, check_positive, check_same_shape

_ROWS = 64
"""Rows that are filtered at a time: their continuation takes little memory beside the tilt."""

_EVEN = 0.01
"""Share of their mean by which the distances of tilts may differ from it, as angles read from a stage do."""


def shrec_filter(ny: int, nx: int) -> NDArray[np.float64]:
    """Return the filter that the tomograms of SHREC 2021 and of FakET were reconstructed with.

    A ramp up to 61 % of the Nyquist frequency, under a Gaussian that is wider across the tilt axis than along it,
    inside a circle, with 1 as its largest value. For even squares the published filter is reproduced to the
    last digit, its Gaussian one frequency off centre included (FakET, arXiv 2304.02011, reconstruction); other
    shapes take the same profile, centred.

    Parameters
    ----------
    ny, nx
        Rows and columns of a tilt.

    Returns
    -------
    filter
        ``(ny, nx)`` float64, from 0 to 1.

    Raises
    ------
    ValueError
        If the tilt is smaller than 4 × 4 pixels.

    Examples
    --------
    >>> weights = shrec_filter(64, 64)
    >>> weights.shape, float(weights.max())
    ((64, 64), 1.0)
    """
    _check_shape(ny, nx)
    weights = _shrec_rows(ny, nx, np.arange(ny))
    return weights / weights.max()


def shrec_slope(ny: int, nx: int) -> float:
    """Return the ratio of `shrec_filter` to a ramp at low frequencies, by which it multiplies densities.

    Parameters
    ----------
    ny, nx
        Rows and columns of a tilt.

    Examples
    --------
    >>> round(shrec_slope(512, 512), 2)
    4.35
    """
    _check_shape(ny, nx)
    middle = _shrec_rows(ny, nx, np.array([0, -1]))  # the largest weight lies in one of them
    return float(middle[0, 1] * nx / middle.max())


def _shrec_rows(ny: int, nx: int, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return some rows of the filter of SHREC 2021, whose largest value is yet to be made 1."""
    if ny == nx and nx % 2 == 0 and nx >= 8:  # smaller, the published widths round to nothing
        n = nx
        kx, ky = _frequencies(n, n)
        kx, ky = np.rint(kx * n), np.rint(ky[rows] * n)
        ramp = np.minimum(np.abs(kx) / int(0.61 * (n // 2)), 1)
        off_by_one = np.concatenate((np.arange(1, n // 2 + 1), np.arange(-(n // 2) + 1, 1)))
        gauss_x = off_by_one / int(0.34 * n)
        gauss_y = off_by_one[rows, None] / int(0.20 * n)
        circle = np.hypot(kx, ky) < n // 2 + 1
    else:
        fx, fy = _frequencies(ny, nx)
        fy = fy[rows]
        ramp = np.minimum(np.abs(fx) / (0.61 / 2), 1)
        gauss_x, gauss_y = fx / 0.34, fy / 0.20
        circle = np.hypot(fx, fy) < 0.5 + 1 / max(ny, nx)
    return ramp * (np.exp(-(gauss_x**2 + gauss_y**2) / 2) + 0.33) * circle


def ramp_filter(
    ny: int, nx: int, *, crowther: float | None = None, hann: float | None = None
) -> NDArray[np.float64]:
    """Return the ramp of filtered back-projection, optionally levelled off or rolled off.

    Parameters
    ----------
    ny, nx
        Rows and columns of a tilt; one row stands for all, which have the same.
    crowther
        Frequency in cycles per pixel above which the ramp stays level, since the tilts no longer overlap there
        and each carries its own information: see `crowther_frequency`. Not given: the ramp goes on.
    hann
        Frequency in cycles per pixel at which a Hann window along x has fallen to zero. Not given: no window.

    Returns
    -------
    filter
        ``(ny, nx)`` float64, ``|fx|`` at low frequencies.

    Raises
    ------
    ValueError
        If there are fewer than 4 columns or a frequency is not positive.

    Examples
    --------
    >>> ramp_filter(1, 8)[0]
    array([0.   , 0.125, 0.25 , 0.375, 0.5  , 0.375, 0.25 , 0.125])
    >>> ramp_filter(1, 8, crowther=0.25)[0].max()
    np.float64(0.25)
    """
    _check_shape(nx, nx)
    fx = np.abs(_frequencies(ny, nx)[0])
    weights = fx if crowther is None else np.minimum(fx, check_positive("crowther", crowther))
    if hann is not None:
        inside = np.minimum(fx / check_positive("hann", hann), 1)
        weights = weights * (0.5 + 0.5 * np.cos(np.pi * inside))
    return np.broadcast_to(weights, (ny, nx)).copy()


def exact_filter(
    ny: int, nx: int, tilt_angles: ArrayLike, tilt: int, thickness_px: float
) -> NDArray[np.float64]:
    """Return weights by the overlap of the tilts in Fourier space, for tilts of any spacing.

    In Fourier space a tilt of an object of thickness D is a slab of thickness 1/D; where slabs overlap, each is
    divided by their (triangular) overlap (Harauz & van Heel, Optik 73, 1986). Evenly spaced tilts get the ramp
    at low frequencies and a constant at high ones.

    Parameters
    ----------
    ny, nx
        Rows and columns of a tilt; one row stands for all, which have the same.
    tilt_angles
        ``(tilt,)`` degrees of all tilts of the series, at least two.
    tilt
        Index of the tilt that the filter is for.
    thickness_px
        Thickness D of the object in pixels.

    Returns
    -------
    filter
        ``(ny, nx)`` float64, scaled such that it approaches ``|fx|`` for many tilts.

    Raises
    ------
    ValueError
        If there are fewer than 4 columns, there is one angle only, or the thickness is not positive.

    Examples
    --------
    >>> exact_filter(1, 8, [-30, 0, 30], tilt=1, thickness_px=10)[0, 0]
    np.float64(0.0)
    """
    _check_shape(nx, nx)
    angles = np.deg2rad(as_angles(tilt_angles, at_least=2))
    thickness = check_positive("thickness_px", thickness_px)
    fx = np.abs(_frequencies(ny, nx)[0])
    distance = np.abs(np.sin(angles - angles[tilt]))[:, None] * fx * thickness
    overlap = np.maximum(1 - distance, 0).sum(axis=0, keepdims=True)
    step = np.ptp(angles) / (angles.size - 1)
    return np.broadcast_to((fx > 0) / (overlap * thickness * step), (ny, nx)).copy()


def angular_spans(tilt_angles: ArrayLike) -> NDArray[np.float64]:
    """Return the angle that each tilt of a series stands for.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees, at least two.

    Returns
    -------
    spans
        ``(tilt,)`` radians: half of the distances to the neighbours on either side, for the outermost tilts the whole
        distance to their only neighbour. Where all distances agree within 1 % of their mean, that mean.

    Examples
    --------
    >>> np.rad2deg(angular_spans([-4, -2, 0, 6, 12])).round(6)
    array([2., 2., 4., 6., 6.])
    """
    angles = np.deg2rad(as_angles(tilt_angles, at_least=2))
    order = np.argsort(angles, kind="stable")
    gaps = np.diff(angles[order])
    mean = np.ptp(angles) / (angles.size - 1)
    if (np.abs(gaps - mean) <= _EVEN * mean).all():
        return np.full(angles.size, mean)
    around = np.concatenate((gaps[:1], gaps, gaps[-1:]))
    spans = np.empty(angles.size)
    spans[order] = (around[:-1] + around[1:]) / 2
    return spans


def crowther_frequency(thickness_px: float, span: float) -> float:
    """Return the frequency up to which a tilt overlaps its neighbours (Crowther et al., Proc. R. Soc. A 317, 1970).

    Parameters
    ----------
    thickness_px
        Thickness of the object in pixels.
    span
        Distance of the tilts in radians: see `angular_spans`.

    Returns
    -------
    frequency
        Cycles per pixel.

    Examples
    --------
    >>> round(crowther_frequency(100, np.deg2rad(3.0)), 3)
    0.191
    """
    thickness = check_positive("thickness_px", thickness_px)
    return 1 / (thickness * check_positive("step of tilt_angles", float(span)))


def filter_tilt(tilt: NDArray[np.generic], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Multiply a tilt's Fourier transform by a filter.

    Parameters
    ----------
    tilt
        ``(y, x)`` of any real type.
    weights
        ``(y, x)`` as the functions of this module return it.

    Returns
    -------
    filtered
        ``(y, x)`` float32, the real part of the product's inverse transform.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> tilt = np.random.default_rng(0).random((8, 8))
    >>> bool(np.allclose(filter_tilt(tilt, np.ones((8, 8))), tilt))
    True
    """
    check_same_shape("tilt and filter", "(y, x)", tilt, weights)
    # The real part of the result depends on the filter's symmetric part alone, so half the plane will do.
    rows, half = np.arange(tilt.shape[0]), np.arange(tilt.shape[1] // 2 + 1)
    symmetric = weights[np.ix_(-rows, -half)]
    symmetric += weights[:, : half.size]
    symmetric = (symmetric / 2).astype(np.float32)
    spectrum = scipy.fft.rfft2(np.asarray(tilt, dtype=np.float32))
    spectrum *= symmetric
    return scipy.fft.irfft2(spectrum, s=tilt.shape, overwrite_x=True).astype(np.float32, copy=False)


def continued_columns(nx: int) -> int:
    """Return the columns of a tilt that is continued on both sides by half of itself at least, fast to transform.

    Examples
    --------
    >>> continued_columns(101)
    216
    """
    return int(scipy.fft.next_fast_len(2 * nx, real=True))


def filter_rows(tilt: NDArray[np.generic], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Filter every row by itself, continued beyond its ends by its mirror image.

    The Fourier transform takes a row for a period: where its ends differ, a ramp makes a bright rim of the step
    between them. The mirror image leaves no step.

    Parameters
    ----------
    tilt
        ``(y, x)`` of any real type.
    weights
        ``(columns,)``, even about frequency 0; the number of columns is that of the continued tilt, at least x and at
        most 3 x: see `continued_columns`.

    Returns
    -------
    filtered
        ``(y, x)`` float32.

    Raises
    ------
    ValueError
        If the tilt is smaller than 4 × 4 pixels, or the number of weights does not do.
    """
    if tilt.ndim != 2 or weights.ndim != 1 or not tilt.shape[1] <= weights.size <= 3 * tilt.shape[1]:
        raise ValueError(
            f"tilt {tilt.shape} must be an image, with weights for x to 3 x columns, got {weights.shape}"
        )
    rows, columns = tilt.shape
    _check_shape(rows, columns)
    left = (weights.size - columns) // 2
    beyond = ((0, 0), (left, weights.size - columns - left))
    half = weights[: weights.size // 2 + 1].astype(np.float32)
    filtered = np.empty((rows, columns), dtype=np.float32)
    for start in range(0, rows, _ROWS):
        block = np.asarray(tilt[start : start + _ROWS], dtype=np.float32)
        spectrum = scipy.fft.rfft(np.pad(block, beyond, mode="symmetric"), axis=1)
        spectrum *= half
        whole = scipy.fft.irfft(spectrum, n=weights.size, axis=1, overwrite_x=True)
        filtered[start : start + _ROWS] = whole[:, left : left + columns]
    return filtered


def _frequencies(ny: int, nx: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fx, fy = (np.fft.fftfreq(n).astype(np.float64) for n in (nx, ny))
    return fx[None, :], fy[:, None]


def _check_shape(ny: int, nx: int) -> None:
    if min(ny, nx) < 4:
        raise ValueError(f"a filter needs tilts of at least 4 x 4 pixels, got {ny} x {nx}")
