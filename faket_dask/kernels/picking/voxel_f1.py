"""Scores of a segmentation by its voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def count_voxels(
    predicted: NDArray[np.integer], truth: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Count voxels by their true and their predicted class.

    Parameters
    ----------
    predicted, truth
        Channels of one shape, below `classes`.
    classes
        Number of classes.

    Returns
    -------
    confusion
        ``(class, class)``, the true one first; those of parts of a volume add up to that of the whole.

    Examples
    --------
    >>> count_voxels(np.array([0, 1, 1]), np.array([0, 1, 0]), 2)
    array([[1, 1],
           [0, 1]])
    """
    pairs = truth.astype(np.int64).ravel() * classes + predicted.ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def voxel_f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute F1 = 2 TP / (2 TP + FP + FN) of each class; NaN for a class that is neither there nor predicted.

    Parameters
    ----------
    confusion
        ``(class, class)`` from `count_voxels`.

    Examples
    --------
    >>> voxel_f1(np.array([[1, 1], [0, 1]])).round(3)
    array([0.667, 0.667])
    """
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    hits = 2.0 * confusion.diagonal()
    return np.divide(hits, total, out=np.full(len(total), np.nan), where=total > 0)
