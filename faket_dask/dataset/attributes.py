"""Attributes and coordinates of a data set's stores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def describe_classes(class_ids: Mapping[str, int]) -> dict[str, Any]:
    """Return attributes that name the values of a class mask, as the CF conventions have them.

    Parameters
    ----------
    class_ids
        Value of each class by name; blanks in a name become underscores, since blanks part the names.

    Examples
    --------
    >>> describe_classes({"ribosome": 2, "gold bead": 1})["flag_meanings"]
    'background gold_bead ribosome'
    """
    names = {0: "background"} | {number: name for name, number in class_ids.items()}
    return {
        "flag_values": sorted(names),
        "flag_meanings": " ".join("_".join(names[number].split()) for number in sorted(names)),
    }


def write_tilt_angles(path: Path, tilt_angles: NDArray[np.float64]) -> None:
    """Write the angles in degrees of a group's tilts."""
    attributes = {"units": "degrees", "long_name": "tilt angle"}
    write_vector(path, "tilt_angle", "tilt", tilt_angles, attributes)


def write_stack_coordinates(path: Path, spec: DatasetSpec, specimen: str) -> None:
    """Write the coordinates of projections: tilt angle in degrees, y and x in Å in the frame of the specimen volume.

    The volume's corner voxel has its centre at 0, so a particle at (x, y, z) Å is seen at 0° at (x, y).
    """
    acquisition = spec.geometry.acquisition(specimen)
    pixel = acquisition.pixel_size_A
    rows, columns = spec.geometry.tilt_shape
    width = spec.geometry.volume_shape(specimen)[2]
    write_tilt_angles(path, acquisition.tilt_angles)
    write_vector(path, "y", "y", np.arange(rows) * pixel, {"units": "angstrom"})
    write_vector(
        path, "x", "x", (np.arange(columns) - columns // 2 + width // 2) * pixel, {"units": "angstrom"}
    )


STACK_ATTRIBUTES = {"coordinates": "tilt_angle"}
"""Attributes by which xarray takes the tilt angle for a coordinate of a stack."""
