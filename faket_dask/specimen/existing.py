"""A specimen that somebody else built: a volume with, where there are any, its masks and its particle table.

Volumes may be larger than memory: they stay on disk, and blocks of y are read from them.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.specimen.mrc_volume import SAME_VOXEL_SIZE, open_mrc
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.render import Block


@dataclass(frozen=True, eq=False)
class ExistingSpecimen:
    """A volume on disk that is read in blocks of y.

    Parameters
    ----------
    density
        ``(z, y, x)`` array-like on disk, dense positive.
    voxel_size_A
        Edge of a voxel in Å.
    class_mask, instance_mask
        Arrays of the same shape on disk, or ``None``: the labels are zero then.
    table
        Particles, or ``None``.
    class_ids
        Label of each class by name.
    """

    density: Any
    voxel_size_A: float
    class_mask: Any | None = None
    instance_mask: Any | None = None
    table: ParticleTable | None = None
    class_ids: dict[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        depth, height, width = self.density.shape
        return int(depth), int(height), int(width)

    def read_block(self, y_start: int, y_stop: int) -> Block:
        """Density and labels of the slices ``y_start <= y < y_stop``.

        Raises
        ------
        InputError
            If the slices lie outside the volume or are damaged, the density holds NaN or infinity, or a mask
            something that is not a label.
        """
        height = self.shape[1]
        if not 0 <= y_start < y_stop <= height:
            raise InputError(f"slices {y_start} to {y_stop} are not within the volume's {height} slices of y")
        with wrap_as_input_error(
            f"slices {y_start} to {y_stop} of the volume cannot be read; copy or make it again"
        ):
            density = np.array(self.density[:, y_start:y_stop, :], dtype=np.float32)
        if not np.isfinite(density).all():
            slices = y_start + np.unique(np.nonzero(~np.isfinite(density))[1])
            raise InputError(f"the specimen's volume holds NaN or infinity, first in slice y = {slices[0]}")
        return Block(
            density,
            _labels(self.class_mask, "class mask", np.uint8, y_start, density),
            _labels(self.instance_mask, "instance mask", np.uint16, y_start, density),
        )


def open_existing(
    volume: Path,
    voxel_size_A: float | None = None,
    class_mask: Path | None = None,
    instance_mask: Path | None = None,
    table: ParticleTable | None = None,
    class_ids: dict[str, int] | None = None,
) -> ExistingSpecimen:
    """Open a volume and its masks without reading them.

    Parameters
    ----------
    volume
        MRC file or Zarr array, ``store.zarr/name`` for one in a group. Axes ``(z, y, x)``, dense positive. A
        Zarr array may have its voxel size in Å as the attribute ``voxel_size_A``.
    voxel_size_A
        Edge of a voxel in Å; needed where the file does not know it, and taken, with a warning, where the
        file contradicts it.
    class_mask, instance_mask
        Volumes of labels of the same shape; 0 is background.
    table
        Particles; their classes and class ids are taken where ``class_ids`` is not given.
    class_ids
        Label of each class by name.

    Raises
    ------
    InputError
        If a file is absent, unreadable or truncated, is not three-dimensional, differs in shape from the
        volume, or no voxel size is known.
    """
    density, known_size = _open(volume)
    if known_size == 1:
        # Programs write 1 Å when they do not know.
        known_size = None
    if voxel_size_A is None:
        if known_size is None:
            raise InputError(
                f"{volume} does not say its voxel size, or says 1 Å, which programs write when they do not know "
                "it; give the voxel size in Å"
            )
        voxel_size_A = known_size
    if not voxel_size_A > 0:
        raise InputError(f"the voxel size of {volume} is {voxel_size_A} Å; it must be positive")
    if known_size is not None and abs(known_size / voxel_size_A - 1) > SAME_VOXEL_SIZE:
        warnings.warn(
            f"{volume} says {known_size:g} Å per voxel; {voxel_size_A:g} Å is used, as given", stacklevel=2
        )
    masks = [
        None if path is None else _open_mask(path, volume, density) for path in (class_mask, instance_mask)
    ]
    if class_ids is None and table is not None:
        labelled = table.labelled()
        pairs = zip(labelled.class_name, labelled.class_id, strict=True)
        class_ids = {str(name): int(number) for name, number in pairs}
    return ExistingSpecimen(density, voxel_size_A, masks[0], masks[1], table, class_ids or {})


def _open(path: Path) -> tuple[Any, float | None]:
    if not any(part.endswith(".zarr") for part in path.parts):
        return open_mrc(path)
    with wrap_as_input_error(f"{path} cannot be read as a Zarr array; name an array, not a group"):
        array = zarr.open_array(str(path), mode="r")
    if array.ndim != 3 or array.dtype.kind not in "iuf":
        raise InputError(
            f"{path} has shape {array.shape} and type {array.dtype}; a volume is (z, y, x) and real"
        )
    size = array.attrs.get("voxel_size_A")
    return array, float(size) if isinstance(size, int | float) else None


def _open_mask(path: Path, volume: Path, density: Any) -> Any:
    mask, _ = _open(path)
    if mask.shape != density.shape:
        raise InputError(
            f"mask {path} has the shape {mask.shape} and the volume {volume} {density.shape}; they must agree"
        )
    return mask


def _labels(
    mask: Any | None, what: str, dtype: type[np.unsignedinteger], y_start: int, density: NDArray[np.float32]
) -> NDArray[Any]:
    if mask is None:
        return np.zeros(density.shape, dtype)
    y_stop = y_start + density.shape[1]
    with wrap_as_input_error(
        f"slices {y_start} to {y_stop} of the {what} cannot be read; copy or make it again"
    ):
        values = np.asarray(mask[:, y_start:y_stop, :])
    labels = np.zeros(density.shape, dtype)
    if np.isfinite(values).all():
        labels = np.clip(values, 0, np.iinfo(dtype).max).astype(dtype)
    if not np.array_equal(labels, values):
        raise InputError(
            f"the specimen's {what} holds something other than whole numbers from 0 to {np.iinfo(dtype).max}, "
            f"in the slices y = {y_start} … {y_stop - 1}"
        )
    return labels
