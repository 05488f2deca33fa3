"""Held-out accuracy of a linear discriminant that tells two sets of patches apart.

It is trained on the patches of the upper half of both tomograms and tested on those of the lower half, and the other
way round. The left half of the recording against its right half gives the accuracy that means nothing: 0.5 where
the recording is alike everywhere, other values by chance or where it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64] | NDArray[np.float32]
Classifier = Callable[[Features, Features, Features], NDArray[np.bool_]]
"""Function of the patches of either set to learn from, and of those to judge, that returns True for the second set."""

_SHRINKAGE = 0.01
"""Share of the mean variance added to every variance, so that a few patches do not decide on a covariance."""


@dataclass(frozen=True)
class Discrimination:
    """Accuracy of a judge.

    Parameters
    ----------
    accuracy
        Share of held-out patches that are told right, mean over the two sets; 0.5 for a guess.
    floor
        The same of the left half of the recording against its right half.
    patches
        Numbers of patches of the two sets.
    """

    accuracy: float
    floor: float
    patches: tuple[int, int]


def discriminate_linearly(first: Features, second: Features, judged: Features) -> NDArray[np.bool_]:
    """Tell two sets apart by Fisher's linear discriminant (Ann. Eugenics 7, 1936), both sets alike in weight.

    Parameters
    ----------
    first, second
        ``(patch, feature)`` of the sets to learn from.
    judged
        ``(patch, feature)`` to judge.

    Returns
    -------
    is_second
        ``(patch,)`` bool.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + (9, 0)
    >>> discriminate_linearly(first, second, np.array([[0.0, 9.0], [9.0, 0.0]]))
    array([False,  True])
    """
    scale = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2)
    scale = np.where(scale > 0, scale, 1)
    one, two = first / scale, second / scale
    means = one.mean(axis=0), two.mean(axis=0)
    covariance = (np.atleast_2d(np.cov(one.T, bias=True)) + np.atleast_2d(np.cov(two.T, bias=True))) / 2
    direction = np.linalg.solve(covariance + _SHRINKAGE * np.eye(len(covariance)), means[1] - means[0])
    return np.asarray(judged / scale @ direction > (means[0] + means[1]) / 2 @ direction)


def measure_accuracy(
    first: Features,
    first_places: NDArray[np.float64],
    second: Features,
    second_places: NDArray[np.float64],
    classifier: Classifier = discriminate_linearly,
) -> float:
    """Return the share of patches told right that the judge has not learned from.

    Parameters
    ----------
    first, second
        ``(patch, ...)`` of the two sets.
    first_places, second_places
        ``(patch,)`` place along the axis that is divided at 0.5.
    classifier
        Judge.

    Raises
    ------
    ValueError
        If a half of a set has fewer than two patches.
    """
    shares = []
    for side in (False, True):
        learned = [(places < 0.5) == side for places in (first_places, second_places)]
        held_out = [~mask for mask in learned]
        for mask in (*learned, *held_out):
            if mask.sum() < 2:
                raise ValueError(f"a half of a tomogram has {int(mask.sum())} patches; at least 2 are needed")
        judged = np.concatenate([first[held_out[0]], second[held_out[1]]])
        is_second = classifier(first[learned[0]], second[learned[1]], judged)
        number = int(held_out[0].sum())
        shares += [1 - is_second[:number].mean(), is_second[number:].mean()]
    return float(np.mean(shares))


def discriminate(
    ours: Features,
    our_rows: NDArray[np.float64],
    theirs: Features,
    their_rows: NDArray[np.float64],
    their_columns: NDArray[np.float64],
    classifier: Classifier = discriminate_linearly,
) -> Discrimination:
    """Measure a judge's accuracy on two sets, and its floor on the halves of the second.

    Parameters
    ----------
    ours, theirs
        ``(patch, ...)`` of a synthetic and of a recorded tomogram.
    our_rows, their_rows, their_columns
        ``(patch,)`` places as shares of the extent, as `faket_dask.kernels.similarity.tomogram_patches.Patches` has
        them.
    classifier
        Judge.

    Raises
    ------
    ValueError
        If a quarter of the recorded tomogram, or a half of the other, has fewer than two patches.
    """
    left = their_columns < 0.5
    return Discrimination(
        measure_accuracy(ours, our_rows, theirs, their_rows, classifier),
        measure_accuracy(theirs[left], their_rows[left], theirs[~left], their_rows[~left], classifier),
        (len(ours), len(theirs)),
    )
