"""Stages on lazy xarray arrays, for notebooks and for composing pipelines of one's own.

Every function takes and returns `xarray.DataArray` objects backed by Dask; nothing is computed until requested.
Projections have the dimensions ``(tilt, y, x)`` and a coordinate ``tilt_angle`` in degrees, one chunk per tilt;
volumes ``(z, y, x)``, in blocks of y. The stage functions, and therefore the bytes, are those of the batch run.
"""

from faket_dask.graphs.matching import match_template
from faket_dask.graphs.noise import ReferenceNoise, add_noise, reference_noise
from faket_dask.graphs.projection import project
from faket_dask.graphs.reconstruction import filter_tilts, reconstruct, select_half
from faket_dask.graphs.segmentation import segment
from faket_dask.graphs.style import ReferenceStyle, reference_style, transfer_style

__all__ = [
    "ReferenceNoise",
    "ReferenceStyle",
    "add_noise",
    "filter_tilts",
    "match_template",
    "project",
    "reconstruct",
    "reference_noise",
    "reference_style",
    "segment",
    "select_half",
    "transfer_style",
]
