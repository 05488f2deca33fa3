"""Attributes and coordinates of a data set's stores."""

from pathlib import Path
from typing import Any

import numpy as np

from faket_dask._version import __version__
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import create_group, write_vector


def describe_group(path: Path, spec: DatasetSpec, pixel_size_A: float, **more: Any) -> None:
    """Create a group with attributes that describe its origin."""
    attributes = {
        "software": f"faket_dask {__version__}",
        "fingerprint": spec.fingerprint,
        "seed": spec.config.dataset.seed,
        "pixel_size_A": pixel_size_A,
        **more,
    }
    create_group(path, attributes)


def write_stack_coordinates(path: Path, spec: DatasetSpec, specimen: str) -> None:
    """Write the coordinates of projections: tilt angle in degrees, y and x in Å in the frame of the specimen volume.

    The volume's corner voxel has its centre at 0, so a particle at (x, y, z) Å is seen at 0° at (x, y).
    """
    acquisition = spec.geometry.acquisition(specimen)
    pixel = acquisition.pixel_size_A
    rows, columns = spec.geometry.tilt_shape
    width = spec.geometry.volume_shape(specimen)[2]
    write_vector(path, "tilt_angle", "tilt", acquisition.tilt_angles, {"units": "degrees"})
    write_vector(path, "y", "y", np.arange(rows) * pixel, {"units": "angstrom"})
    write_vector(
        path, "x", "x", (np.arange(columns) - columns // 2 + width // 2) * pixel, {"units": "angstrom"}
    )


STACK_ATTRIBUTES = {"coordinates": "tilt_angle"}
"""Attributes by which xarray takes the tilt angle for a coordinate of a stack."""
