"""Geometry of tilt-series: the one model that every importer and exporter converts through.

`tilt_geometry` describes the frame; its module docstring has the picture.
"""

from faket_dask.geometry.acquisition_order import (
    acquisition_order,
    add_earlier_exposure,
    exposure_before,
    select_exposures,
)
from faket_dask.geometry.pixel_size import (
    PIXEL_SIZE_TOLERANCE,
    UNKNOWN_PIXEL_SIZE_A,
    edges_agree,
    resolve_pixel_size,
)
from faket_dask.geometry.tilt_geometry import TiltGeometry
from faket_dask.geometry.volume_frame import centre_A, format_tilt_angle

__all__ = [
    "PIXEL_SIZE_TOLERANCE",
    "UNKNOWN_PIXEL_SIZE_A",
    "TiltGeometry",
    "acquisition_order",
    "add_earlier_exposure",
    "centre_A",
    "edges_agree",
    "exposure_before",
    "format_tilt_angle",
    "resolve_pixel_size",
    "select_exposures",
]
