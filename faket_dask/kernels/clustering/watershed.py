"""Particles as connected components, which a watershed divides where particles touch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from faket_dask.kernels.clustering.detections import Detections, describe_clusters
from faket_dask.kernels.clustering.segmentation import Segmentation

DISTANCE_PX = 5.0
"""Least distance of two particles in voxels of scores that are averaged over cubes of 2: 100 Å at 10 Å per voxel."""


def split_components(
    segmentation: Segmentation,
    distance: float = DISTANCE_PX,
    smallest: Mapping[int, int] | None = None,
) -> Detections:
    """Find particles as connected foreground, divided between the middles of its parts.

    Middles are maxima of the foreground smoothed by a Gaussian; the watershed of the smoothed foreground gives
    each the voxels around it. Classes do not matter until a particle takes the class of most of its voxels.

    Parameters
    ----------
    segmentation
        Classes of voxels.
    distance
        Least distance of two particles, in voxels of the segmentation.
    smallest
        Least number of voxels of a particle by its class, also in voxels of the segmentation.

    Returns
    -------
    detections
        Particles at the centroids of their voxels; the highest score first.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 24), np.uint8)
    >>> mask[2:7, 2:7, 3:8] = 1
    >>> mask[2:7, 2:7, 9:15] = 2
    >>> mask[4, 4, 8] = 1
    >>> found = split_components(Segmentation(mask, np.ones(mask.shape, np.float32)), distance=4)
    >>> sorted(found.position[:, 2].round(1).tolist())
    [5.0, 11.5]
    """
    foreground = segmentation.class_mask > 0
    voxels = np.argwhere(foreground)
    if not len(voxels):
        return describe_clusters(segmentation, voxels, np.empty(0, np.intp))
    density = ndimage.gaussian_filter(foreground.astype(np.float32), distance / 3, truncate=3.0)
    middles = peak_local_max(
        density, min_distance=max(1, round(distance / 2)), labels=foreground, exclude_border=False
    )
    markers = np.zeros(foreground.shape, np.int32)
    markers[tuple(middles.T)] = np.arange(1, len(middles) + 1)
    basins = watershed(
        -density, markers, mask=foreground, connectivity=ndimage.generate_binary_structure(3, 3)
    )
    found = describe_clusters(segmentation, voxels, basins[tuple(voxels.T)].astype(np.intp) - 1)
    return found.drop_small(smallest or {})
