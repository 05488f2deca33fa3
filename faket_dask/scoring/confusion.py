"""Confusion matrices: which class is taken for which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.scoring.counts import Counts


def count_confusion(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count the pairs of true and predicted classes.

    Parameters
    ----------
    true, predicted
        ``(n,)`` classes of each object, 0 for background.
    classes
        Number of classes, background included.

    Returns
    -------
    matrix
        ``(classes, classes)``: objects of the class of a row that are taken for the class of a column.

    Raises
    ------
    ValueError
        If a class is none of them.

    Examples
    --------
    >>> count_confusion(np.array([1, 1, 2]), np.array([1, 2, 0]), 3)
    array([[0, 0, 0],
           [0, 1, 1],
           [1, 0, 0]])
    """
    both = np.concatenate((true, predicted))
    if both.size and (both.min() < 0 or both.max() >= classes):
        raise ValueError(f"classes lie between 0 and {classes - 1}, got {both.min()} to {both.max()}")
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def count_class(matrix: NDArray[np.int64], class_id: int) -> Counts:
    """Return hits and errors of one class of a confusion matrix.

    Examples
    --------
    >>> count_class(np.array([[0, 0], [1, 5]]), 1)
    Counts(hits=5, false=0, missed=1)
    """
    hits = int(matrix[class_id, class_id])
    predicted, true = int(matrix[:, class_id].sum()), int(matrix[class_id].sum())
    return Counts(hits, predicted - hits, true - hits)


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """Compute the mean F1 of the classes that occur, in truth or prediction, each weighing the same; 0 without any.

    Background is one of them where it occurs: as soon as one object is missed.

    Examples
    --------
    >>> macro_f1(np.array([[0, 0], [1, 5]])).__round__(4)
    0.4545
    """
    occurring = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
    scores = [count_class(matrix, int(class_id)).f_score() for class_id in occurring]
    return float(np.mean(scores)) if scores else 0.0
