"""Specimens from files: a volume with, where there are any, its label masks and its particle table.

Volumes may be larger than memory: they stay on disk, and blocks of y are read from them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import zarr
from numpy.typing import NDArray

from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats.mrc import open_samples, open_volume
from faket_dask.geometry import resolve_pixel_size
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.render import Block


class Slices(Protocol):
    """Array ``(z, y, x)`` on disk that is read in blocks of y, such as `MrcArray`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels ``(z, y, x)``."""
        ...

    def rows(self, start: int, stop: int, /) -> NDArray[Any]:
        """Read the slices ``start <= y < stop``."""
        ...


@dataclass(frozen=True, eq=False)
class SpecimenVolume:
    """Volume on disk that is read in blocks of y.

    Parameters
    ----------
    density
        ``(z, y, x)`` density, dense positive.
    voxel_size_A
        Edge of a voxel in Å.
    class_mask, instance_mask
        Labels of the same shape, or ``None``: they are zero then.
    table
        Particle table, or ``None``.
    class_ids
        Label of each class by name.
    """

    density: Slices
    voxel_size_A: float
    class_mask: Slices | None = None
    instance_mask: Slices | None = None
    table: ParticleTable | None = None
    class_ids: dict[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        depth, height, width = self.density.shape
        return int(depth), int(height), int(width)

    def read_blocks(self, rows: int) -> Iterator[tuple[int, Block]]:
        """Read all blocks of so many y slices in turn, each with its first slice."""
        height = self.shape[1]
        for start in range(0, height, rows):
            yield start, self.read_block(start, min(start + rows, height))

    def read_block(self, y_start: int, y_stop: int) -> Block:
        """Read density and labels of the slices ``y_start <= y < y_stop``.

        Raises
        ------
        InputError
            If the slices lie outside the volume or are damaged, the density holds NaN or infinity, or a mask
            numbers that are no labels.
        """
        height = self.shape[1]
        if not 0 <= y_start < y_stop <= height:
            raise InputError(f"slices {y_start} to {y_stop} are not within the volume's {height} slices of y")
        with wrap_as_input_error(
            f"slices {y_start} to {y_stop} of the volume cannot be read; copy or make it again"
        ):
            density = np.array(self.density.rows(y_start, y_stop), dtype=np.float32)
        check_finite(density, "the specimen's volume", y_start)
        return Block(
            density,
            _read_labels(self.class_mask, "class mask", np.uint8, y_start, density),
            _read_labels(self.instance_mask, "instance mask", np.uint16, y_start, density),
        )


def check_finite(density: NDArray[np.floating], source: object, y_start: int) -> None:
    """Refuse slices, axes ``(z, y, x)``, that hold NaN or infinity.

    Raises
    ------
    InputError
        Naming the source and the first slice of y.
    """
    if not np.isfinite(density).all():
        slices = y_start + np.unique(np.nonzero(~np.isfinite(density))[1])
        raise InputError(f"{source} holds NaN or infinity, first in slice y = {slices[0]}; repair it")


def to_labels(
    values: NDArray[Any], source: object, dtype: type[np.unsignedinteger], y_start: int
) -> NDArray[Any]:
    """Return slices ``(z, y, x)`` of a mask as labels.

    Raises
    ------
    InputError
        If they are not all whole numbers that the type holds.
    """
    labels = np.zeros(values.shape, dtype)
    if np.isfinite(values).all():
        labels = np.clip(values, 0, np.iinfo(dtype).max).astype(dtype)
    if not np.array_equal(labels, values):
        raise InputError(
            f"{source} holds something other than whole numbers from 0 to {np.iinfo(dtype).max}, "
            f"in the slices y = {y_start} … {y_start + values.shape[1] - 1}"
        )
    return labels


def open_specimen_volume(
    volume: Path,
    voxel_size_A: float | None = None,
    class_mask: Path | None = None,
    instance_mask: Path | None = None,
    table: ParticleTable | None = None,
    class_ids: dict[str, int] | None = None,
) -> SpecimenVolume:
    """Open a volume and its masks without reading them.

    Parameters
    ----------
    volume
        MRC file, its axes in any order, or Zarr array ``(z, y, x)``, ``store.zarr/name`` for one in a group; dense
        positive. A Zarr array may have its voxel size in Å as the attribute ``voxel_size_A``.
    voxel_size_A
        Edge of a voxel in Å; needed where the file does not know it, and taken, with a warning, where the
        file contradicts it by more than 1 %.
    class_mask, instance_mask
        Volumes of labels of the same shape; 0 is background.
    table
        Particle table, if there is one.
    class_ids
        Label of each class by name; those of the table by default.

    Raises
    ------
    InputError
        If a file is absent, unreadable or truncated, is not three-dimensional, differs in shape from the
        volume, or no voxel size is known.
    """
    density, edge = _open_density(volume, voxel_size_A)
    masks = [
        None if path is None else _open_mask(path, volume, density) for path in (class_mask, instance_mask)
    ]
    if class_ids is None and table is not None:
        labelled = table.labelled()
        pairs = zip(labelled.class_name, labelled.class_id, strict=True)
        class_ids = {str(name): int(number) for name, number in pairs}
    return SpecimenVolume(density, edge, masks[0], masks[1], table, class_ids or {})


@dataclass(frozen=True, eq=False)
class _ZarrVolume:
    """Zarr array ``(z, y, x)`` that is read in blocks of y."""

    array: zarr.Array[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def rows(self, start: int, stop: int, /) -> NDArray[Any]:
        return np.asarray(self.array[:, start:stop, :])


def _open_density(path: Path, voxel_size_A: float | None) -> tuple[Slices, float]:
    if not _is_zarr(path):
        volume = open_volume(path, voxel_size_A=voxel_size_A)
        return volume, volume.voxel_size_A
    array = _open_zarr(path)
    recorded = array.attrs.get("voxel_size_A")
    edges = [float(recorded)] if isinstance(recorded, int | float) else []
    edge = resolve_pixel_size(path, edges, voxel_size_A, quantity="voxel size", place="attributes")
    return _ZarrVolume(array), edge


def _open_mask(path: Path, volume: Path, density: Slices) -> Slices:
    mask: Slices = _ZarrVolume(_open_zarr(path)) if _is_zarr(path) else open_samples(path)
    if mask.shape != density.shape:
        raise InputError(
            f"mask {path} has the shape {mask.shape} and the volume {volume} {density.shape}; they must agree"
        )
    return mask


def _is_zarr(path: Path) -> bool:
    return any(part.endswith(".zarr") for part in path.parts)


def _open_zarr(path: Path) -> zarr.Array[Any]:
    with wrap_as_input_error(f"{path} cannot be read as a Zarr array; name an array, not a group"):
        array = zarr.open_array(str(path), mode="r")
    if array.ndim != 3 or array.dtype.kind not in "iuf":
        raise InputError(
            f"{path} has shape {array.shape} and type {array.dtype}; a volume is (z, y, x) and real"
        )
    return array


def _read_labels(
    mask: Slices | None,
    what: str,
    dtype: type[np.unsignedinteger],
    y_start: int,
    density: NDArray[np.float32],
) -> NDArray[Any]:
    if mask is None:
        return np.zeros(density.shape, dtype)
    y_stop = y_start + density.shape[1]
    with wrap_as_input_error(
        f"slices {y_start} to {y_stop} of the {what} cannot be read; copy or make it again"
    ):
        values = np.asarray(mask.rows(y_start, y_stop))
    return to_labels(values, f"the specimen's {what}", dtype, y_start)
