"""Classes of voxels from the scores of all classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels._checks import as_real


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Class of each voxel, and how sure it is.

    Parameters
    ----------
    class_mask
        ``(z, y, x)`` integers: class of the highest score, 0 for background.
    score
        ``(z, y, x)`` float32: score of that class.
    binning
        Voxels of the scores per voxel of the segmentation, along each axis.

    Raises
    ------
    ValueError
        If the two are no volumes of one shape, or the binning is not positive.
    """

    class_mask: NDArray[np.integer]
    score: NDArray[np.float32]
    binning: int = 1

    def __post_init__(self) -> None:
        if self.class_mask.ndim != 3 or self.class_mask.shape != self.score.shape:
            raise ValueError(
                "class_mask and score must be (z, y, x) arrays of one shape, got "
                f"{self.class_mask.shape} and {self.score.shape}"
            )
        if self.class_mask.dtype.kind not in "biu":
            raise ValueError(f"class_mask must hold integers, got {self.class_mask.dtype}")
        if self.binning < 1:
            raise ValueError(f"binning must be positive, got {self.binning}")

    def unbin(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return places ``(n, 3)`` in voxels of the scores: a voxel of the segmentation is the middle of its own.

        Examples
        --------
        >>> Segmentation(np.zeros((1, 1, 1), int), np.zeros((1, 1, 1), np.float32), 2).unbin(np.array([[3, 0, 1]]))
        array([[6.5, 0.5, 2.5]])
        """
        return np.asarray(position) * self.binning + (self.binning - 1) / 2


def classify_voxels(scores: NDArray[np.generic], binning: int = 1) -> Segmentation:
    """Give each voxel, or the mean of each cube of voxels, the class of its highest score.

    Parameters
    ----------
    scores
        ``(class, z, y, x)``; class 0 is the background. The lowest class wins a tie.
    binning
        Edge of the cubes whose scores are averaged first; an incomplete one at a far side is dropped.

    Raises
    ------
    ValueError
        If the array is none of scores, or has fewer voxels than a cube.

    Examples
    --------
    >>> scores = np.array([0.4, 0.6])[:, None, None, None] * np.ones((2, 2, 4, 6), np.float32)
    >>> segmentation = classify_voxels(scores, binning=2)
    >>> segmentation.class_mask.shape, segmentation.class_mask.max()
    ((1, 2, 3), np.uint8(1))
    """
    scores = as_real("scores", "(class, z, y, x)", scores)
    classes = scores.shape[0]
    shape = tuple(size // binning for size in scores.shape[1:]) if binning >= 1 else (0,)
    if min(shape) < 1:
        raise ValueError(f"scores of {scores.shape[1:]} voxels cannot be averaged over cubes of {binning}")
    depth, height, width = shape
    class_mask = np.empty(shape, np.uint8 if classes <= 256 else np.uint16)
    best = np.empty(shape, np.float32)
    for z in range(depth):  # a layer at a time: all scores take gigabytes
        layer = scores[:, z * binning : (z + 1) * binning, : height * binning, : width * binning]
        cubes = layer.reshape(classes, binning, height, binning, width, binning)
        means = cubes.mean(axis=(1, 3, 5), dtype=np.float32)
        class_mask[z] = means.argmax(axis=0)
        best[z] = means.max(axis=0)
    return Segmentation(class_mask, best, binning)
