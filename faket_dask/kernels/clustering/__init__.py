"""From scores of classes to particles."""

from faket_dask.kernels.clustering.detections import Detections
from faket_dask.kernels.clustering.flat_mean_shift import shift_means
from faket_dask.kernels.clustering.mean_shift import mean_shift
from faket_dask.kernels.clustering.segmentation import Segmentation, classify_voxels
from faket_dask.kernels.clustering.watershed import split_components

__all__ = [
    "Detections",
    "Segmentation",
    "classify_voxels",
    "mean_shift",
    "shift_means",
    "split_components",
]
