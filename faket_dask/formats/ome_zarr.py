"""Tomograms and label volumes as OME-Zarr, version 0.4 on Zarr v2, which today's readers take.

Three levels at the paths 0, 1 and 2, each half as fine as the one before, with their scale and the position of
their corner voxel in Å: images are averaged over 2 × 2 × 2 voxels, so that a coarse voxel's centre lies between
fine ones; every second label is kept. Everything is done block by block, a block being whole chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from faket_dask.atomic import replace_folder_atomically
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.geometry import edges_agree

LEVELS = 3
CHUNK = 64
_AXES = ("z", "y", "x")


@dataclass(frozen=True, eq=False)
class OmeZarrVolume:
    """Finest level of an OME-Zarr volume, opened and not read.

    Parameters
    ----------
    data
        ``(z, y, x)`` array in its store; slice it to read.
    voxel_size_A
        Edge of a voxel in Å.
    """

    data: zarr.Array[Any]
    voxel_size_A: float


@dataclass(frozen=True)
class LabelClass:
    """Class of objects in a label volume.

    Parameters
    ----------
    value
        Value of its voxels, from 1; 0 is background.
    name
        Name of the class.
    colour
        Red, green and blue for display, 0 to 255.
    """

    value: int
    name: str
    colour: tuple[int, int, int]


def write_volume(
    path: Path, volume: ArrayLike3D, voxel_size_A: float, *, labels: Sequence[LabelClass] | None = None
) -> None:
    """Write a volume with its coarser levels, whole or not at all.

    Parameters
    ----------
    path
        Folder to write, by custom ``<name>.zarr``, made with those above it; a Zarr store that is there is replaced.
    volume
        ``(z, y, x)`` array in memory, of a Zarr store, or anything that is sliced like one.
    voxel_size_A
        Edge of a voxel in Å.
    labels
        Classes that the values number, for a volume of labels, which is not averaged and which viewers show in the
        colours of its classes; ``None`` for an image.

    Raises
    ------
    InputError
        If the path is a folder of something else, or not this program's where a command claimed it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_volume(Path(folder) / "a.zarr", np.zeros((4, 6, 8), dtype=np.float32), 10.0)
    ...     volume = open_volume(Path(folder) / "a.zarr")
    >>> volume.data.shape, volume.voxel_size_A
    ((4, 6, 8), 10.0)
    """
    if len(volume.shape) != 3 or min(volume.shape) < 1:
        raise ValueError(f"a volume must be (z, y, x), got shape {tuple(volume.shape)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_folder_atomically(path) as folder:
        _write_levels(folder, path.stem, volume, voxel_size_A, labels)


def _write_levels(
    folder: Path, name: str, volume: ArrayLike3D, voxel_size_A: float, labels: Sequence[LabelClass] | None
) -> None:
    group = zarr.open_group(str(folder), mode="w", zarr_format=2)
    shape = tuple(int(size) for size in volume.shape)
    is_image = labels is None
    dtype = np.dtype(np.float32) if is_image else np.dtype(volume.dtype)
    source: ArrayLike3D = volume
    datasets = []
    for level in range(LEVELS):
        array = group.create_array(
            str(level),
            shape=shape,
            chunks=tuple(min(CHUNK, size) for size in shape),
            dtype=dtype,
            chunk_key_encoding={"name": "v2", "separator": "/"},
            fill_value=0,
        )
        for block in _blocks(shape):
            array[block] = source[block] if level == 0 else _halve(source, block, is_image)
        scale = voxel_size_A * 2**level
        offset = voxel_size_A * (2**level - 1) / 2 if is_image else 0.0
        transformations: list[dict[str, Any]] = [{"type": "scale", "scale": [scale] * 3}]
        if offset:
            transformations.append({"type": "translation", "translation": [offset] * 3})
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
        source = array
        shape = tuple(-(-size // 2) for size in shape)
    axes: Any = [{"name": axis, "type": "space", "unit": "angstrom"} for axis in _AXES]
    multiscale = {
        "version": "0.4",
        "name": name,
        "axes": axes,
        "datasets": datasets,
        "type": "local mean" if is_image else "nearest",
    }
    group.attrs.update({"multiscales": [multiscale]})
    if labels is not None:
        group.attrs.update({"image-label": _describe_labels(labels)})


def _describe_labels(classes: Sequence[LabelClass]) -> dict[str, Any]:
    """Return the metadata by which readers tell labels from an image; its lists may not be empty."""
    label: dict[str, Any] = {"version": "0.4"}
    if classes:
        label["colors"] = [{"label-value": item.value, "rgba": [*item.colour, 255]} for item in classes]
        label["properties"] = [{"label-value": item.value, "name": item.name} for item in classes]
    return label


def open_volume(path: Path) -> OmeZarrVolume:
    """Open the finest level of an OME-Zarr volume, version 0.4 or 0.5.

    Parameters
    ----------
    path
        Folder of the multiscale group.

    Raises
    ------
    InputError
        If there is no such group, its metadata are damaged, or the axes are not z, y, x with one scale.
    """
    with wrap_as_input_error(f"{path} is not an OME-Zarr volume"):
        data, axes, units, scale = _finest_level(path)
    if not isinstance(data, zarr.Array) or axes != list(_AXES) or data.ndim != 3 or scale.shape != (3,):
        raise InputError(f"{path} has the axes {', '.join(map(str, axes))}; a volume has z, y, x")
    factor = {"angstrom": 1.0, "nanometer": 10.0}.get(units.pop()) if len(units) == 1 else None
    if factor is None:
        raise InputError(f"{path} is not in angstrom or nanometer; convert its scale")
    if not (np.isfinite(scale).all() and scale.min() > 0 and edges_agree(scale)):
        raise InputError(f"{path} has voxels of {scale} (z, y, x); they must be cubes of a positive size")
    return OmeZarrVolume(data, float(scale.mean()) * factor)


def _finest_level(path: Path) -> tuple[Any, list[Any], set[Any], NDArray[np.float64]]:
    """Return array, names and units of the axes, and scale of a multiscale group, unchecked."""
    group = zarr.open_group(str(path), mode="r")
    metadata: Any = dict(group.attrs)
    metadata = metadata.get("ome", metadata)
    multiscale = metadata["multiscales"][0]
    dataset = multiscale["datasets"][0]
    axes = [axis["name"] for axis in multiscale["axes"]]
    units = {axis.get("unit", "angstrom") for axis in multiscale["axes"]}
    scale = np.ones(len(axes))
    for transformation in (
        *dataset.get("coordinateTransformations", ()),
        *multiscale.get("coordinateTransformations", ()),
    ):
        if transformation["type"] == "scale":
            scale = scale * np.array(transformation["scale"], dtype=np.float64)
    return group[dataset["path"]], axes, units, scale


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice, slice]]:
    """Yield boxes of whole chunks that together are the volume, as wide as it is."""
    for z in range(0, shape[0], CHUNK):
        for y in range(0, shape[1], CHUNK):
            yield slice(z, min(z + CHUNK, shape[0])), slice(y, min(y + CHUNK, shape[1])), slice(0, shape[2])


def _halve(source: ArrayLike3D, block: tuple[slice, slice, slice], is_image: bool) -> NDArray[Any]:
    """Return a block of the coarser level; at an odd end the last voxel counts twice."""
    fine = np.asarray(source[tuple(slice(2 * part.start, 2 * part.stop) for part in block)])
    if not is_image:
        return fine[::2, ::2, ::2]
    for axis, part in enumerate(block):
        if fine.shape[axis] < 2 * (part.stop - part.start):
            fine = np.concatenate((fine, np.take(fine, [-1], axis=axis)), axis=axis)
    z, y, x = (size // 2 for size in fine.shape)
    mean = fine.reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5), dtype=np.float64)
    return mean.astype(np.float32)
