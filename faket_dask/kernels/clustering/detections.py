"""Particles that were found in a segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.clustering.segmentation import Segmentation


@dataclass(frozen=True, eq=False)
class Detections:
    """Particles with their places, classes and scores.

    Parameters
    ----------
    position
        ``(n, 3)`` float64: ``(z, y, x)`` in voxels of the scores, from the middle of the corner voxel.
    class_id
        ``(n,)`` int64: class of most voxels.
    score
        ``(n,)`` float64: mean score of the voxels of that class.
    size
        ``(n,)`` int64: voxels of the segmentation, of any class.
    """

    position: NDArray[np.float64]
    class_id: NDArray[np.int64]
    score: NDArray[np.float64]
    size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.class_id)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """Return some of the particles, chosen by a mask or by indices."""
        return Detections(**{name: column[rows] for name, column in vars(self).items()})

    def drop_small(self, smallest: Mapping[int, int]) -> Detections:
        """Return the particles that have at least the voxels of their class; classes without a number keep all.

        Examples
        --------
        >>> two = np.array([1, 2])
        >>> Detections(np.zeros((2, 3)), two, two / 2, two * 10).drop_small({2: 30}).class_id
        array([1])
        """
        least = np.array([smallest.get(int(value), 0) for value in self.class_id], dtype=np.int64)
        return self.select(self.size >= least)


def describe_clusters(
    segmentation: Segmentation,
    voxels: NDArray[np.intp],
    labels: NDArray[np.intp],
    centres: NDArray[np.float64] | None = None,
) -> Detections:
    """Turn clusters of foreground voxels into particles, the largest score first.

    Parameters
    ----------
    segmentation
        Classes and scores of all voxels.
    voxels
        ``(n, 3)`` indices ``(z, y, x)`` of the foreground.
    labels
        ``(n,)`` cluster of each, from 0; those below 0 belong to none.
    centres
        ``(cluster, 3)`` places in voxels of the segmentation; by default the centroids of the clusters' voxels.

    Examples
    --------
    >>> mask = np.array([[[1, 1, 2, 0, 3]]])
    >>> found = describe_clusters(
    ...     Segmentation(mask, np.full(mask.shape, 0.5, np.float32)), np.argwhere(mask), np.array([0, 0, 0, 1])
    ... )
    >>> found.class_id, found.size, found.position[:, 2]
    (array([1, 3]), array([3, 1]), array([1., 4.]))
    """
    voxels, labels = voxels[labels >= 0], labels[labels >= 0]
    count = int(labels.max(initial=-1)) + 1
    class_id = segmentation.class_mask[tuple(voxels.T)].astype(np.int64)
    classes = int(class_id.max(initial=0)) + 1
    votes = np.bincount(labels * classes + class_id, minlength=count * classes).reshape(count, classes)
    winner = votes.argmax(axis=1) if count else np.empty(0, np.int64)
    size = votes.sum(axis=1)
    agrees = class_id == winner[labels] if count else np.empty(0, np.bool_)
    score = segmentation.score[tuple(voxels.T)].astype(np.float64)
    total = np.bincount(labels[agrees], weights=score[agrees], minlength=count)
    if centres is None:
        sums = [np.bincount(labels, weights=axis, minlength=count) for axis in voxels.T]
        centres = np.stack(sums, axis=1) / np.maximum(size, 1)[:, None]
    found = Detections(
        position=segmentation.unbin(centres.reshape(count, 3)),
        class_id=winner.astype(np.int64),
        score=total / np.maximum(votes.max(axis=1, initial=0), 1),
        size=size.astype(np.int64),
    ).select(size > 0)
    return found.select(np.argsort(-found.score, kind="stable"))
