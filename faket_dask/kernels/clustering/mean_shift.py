"""Particles by mean shift, as DeepFinder finds them (Moebel et al., Nat. Methods 18, 1386, 2021)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faket_dask.kernels.clustering.detections import Detections, describe_clusters
from faket_dask.kernels.clustering.flat_mean_shift import shift_means
from faket_dask.kernels.clustering.segmentation import Segmentation

BANDWIDTH_PX = 5.0
"""DeepFinder's bandwidth, in voxels of scores that are averaged over cubes of 2: 100 Å at 10 Å per voxel."""

BINNING = 2
"""Edge of the cubes that DeepFinder averages scores over."""


def mean_shift(
    segmentation: Segmentation,
    bandwidth: float = BANDWIDTH_PX,
    smallest: Mapping[int, int] | None = None,
) -> Detections:
    """Find particles by mean shift over the foreground voxels of all classes together.

    Parameters
    ----------
    segmentation
        Classes of voxels; DeepFinder's are ``classify_voxels(scores, BINNING)``.
    bandwidth
        Radius of the flat kernel, in voxels of the segmentation.
    smallest
        Least number of voxels of a particle by its class, also in voxels of the segmentation.

    Returns
    -------
    detections
        Particles at the modes, each with the class of most of its voxels; the highest score first.

    Examples
    --------
    >>> from faket_dask.kernels.clustering.segmentation import classify_voxels
    >>> scores = np.zeros((3, 8, 24, 40), np.float32)
    >>> scores[0] = 0.5
    >>> scores[1, 2:6, 4:8, 4:8] = 0.9
    >>> scores[2, 2:6, 12:16, 28:32] = 0.7
    >>> found = mean_shift(classify_voxels(scores, BINNING), smallest={2: 9})
    >>> found.class_id, found.size, found.position
    (array([1]), array([8]), array([[3.5, 5.5, 5.5]]))
    """
    foreground = segmentation.class_mask > 0
    modes = shift_means(foreground, bandwidth)
    found = describe_clusters(segmentation, np.argwhere(foreground), modes.labels, modes.centres)
    return found.drop_small(smallest or {})
