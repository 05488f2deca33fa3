"""Means, intervals and differences of scores over seeds and specimens."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

RESAMPLES = 10_000
"""Resamples of a bootstrap."""

RESAMPLING_SEED = 2304

LEVELS = (0.68, 0.95)
"""Confidence of the two intervals."""

SIGNIFICANCE, POWER = 0.05, 0.8
"""Two-sided error and power by which the smallest visible difference is defined."""


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


class ScoreSummary(NamedTuple):
    """Scores of one model over seeds and specimens.

    Parameters
    ----------
    mean
        Mean of all.
    std
        Standard deviation over seeds of the mean of the specimens; NaN for one seed.
    inner, outer
        Bootstrap intervals of the mean, of 68 % and 95 %.
    """

    mean: float
    std: float
    inner: Interval
    outer: Interval


class PairedDifference(NamedTuple):
    """Paired difference of two models.

    Parameters
    ----------
    mean
        Mean of the differences of each seed and specimen.
    inner, outer
        Bootstrap intervals of it, of 68 % and 95 %.
    smallest_visible
        Smallest true difference that so many seeds would have shown; NaN for one seed.
    """

    mean: float
    inner: Interval
    outer: Interval
    smallest_visible: float


def summarise(scores: NDArray[np.float64]) -> ScoreSummary:
    """Summarise the scores of one model.

    Parameters
    ----------
    scores
        ``(seed, specimen)``.

    Examples
    --------
    >>> summary = summarise(np.array([[0.5], [0.7]]))
    >>> round(summary.mean, 3), round(summary.std, 3), summary.outer
    (0.6, 0.141, Interval(low=0.5, high=0.7))
    """
    seeds = scores.mean(axis=1)
    return ScoreSummary(float(scores.mean()), _std(seeds), *bootstrap_mean(scores))


def compare_paired(one: NDArray[np.float64], other: NDArray[np.float64]) -> PairedDifference:
    """Compare two models with the same seeds in the same specimens.

    Parameters
    ----------
    one, other
        ``(seed, specimen)`` scores.

    Notes
    -----
    A true difference δ is seen, by a two-sided paired t-test at 5 % with a power of 80 %, from about
    ``δ = (t(0.975) + t(0.8)) s / √n`` on, with the standard deviation s over the n seeds of the difference
    averaged over specimens, and quantiles of Student's distribution of n − 1 degrees of freedom.

    Examples
    --------
    >>> compare_paired(np.array([[0.6], [0.7], [0.8]]), np.array([[0.5], [0.7], [0.7]])).mean.__round__(4)
    0.0667
    """
    differences = one - other
    seeds = differences.mean(axis=1)
    freedom = len(seeds) - 1
    visible = math.nan
    if freedom:
        quantiles = student_t.ppf(1 - SIGNIFICANCE / 2, freedom) + student_t.ppf(POWER, freedom)
        visible = float(quantiles) * _std(seeds) / math.sqrt(len(seeds))
    return PairedDifference(float(differences.mean()), *bootstrap_mean(differences), visible)


def bootstrap_mean(scores: NDArray[np.float64]) -> tuple[Interval, Interval]:
    """Compute bootstrap intervals of a mean, of 68 % and 95 %.

    Seeds and specimens are drawn with replacement, independently of each other; the ends are percentiles of the
    means. With one of either, that is kept.

    Parameters
    ----------
    scores
        ``(seed, specimen)``; the last axis may hold more than specimens.

    Examples
    --------
    >>> bootstrap_mean(np.full((3, 2), 0.5))
    (Interval(low=0.5, high=0.5), Interval(low=0.5, high=0.5))
    """
    rng = np.random.default_rng(RESAMPLING_SEED)
    seeds, specimens = scores.shape
    weights = [
        rng.multinomial(size, np.full(size, 1 / size), RESAMPLES) / size for size in (seeds, specimens)
    ]
    means = np.einsum("rs,st,rt->r", weights[0], scores, weights[1], optimize=True)
    inner, outer = (
        Interval(*(float(end) for end in np.percentile(means, [50 - 50 * level, 50 + 50 * level])))
        for level in LEVELS
    )
    return inner, outer


def bootstrap_curves(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute bootstrap intervals over seeds of the mean at every epoch.

    Parameters
    ----------
    curves
        ``(seed, epoch)``.

    Returns
    -------
    ends
        ``(4, epoch)``: low and high of 68 %, low and high of 95 %.
    """
    rng = np.random.default_rng(RESAMPLING_SEED)
    seeds = len(curves)
    means = rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds @ curves
    percents = [50 + sign * 50 * level for level in LEVELS for sign in (-1, 1)]
    return np.percentile(means, percents, axis=0)


def _std(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
