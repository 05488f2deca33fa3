"""Zarr arrays of a run: how they are created, and which files in them a unit of work owns.

Arrays are created whole (metadata only) before any of their units runs. A unit then writes chunks or shards that no
other unit writes; each is one file, written beside its place and renamed, so a killed writer leaves either the old
file, the new one, or none. Empty chunks are written too: an absent file is a missing unit, and reading one is an
error. (Zarr would return zeros, and everything computed from them would be wrong for good.)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.abc.store import ByteRequest
from zarr.codecs import BytesCodec, ZstdCodec
from zarr.core.array_spec import ArrayConfigParams
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

_CONFIG: ArrayConfigParams = {"write_empty_chunks": True}


@dataclass(frozen=True)
class ArraySpec:
    """Shape, chunks and meaning of one array.

    `write_shape` is the piece that one unit writes as one file; `read_shape` is the smaller piece that can be read
    on its own (an inner chunk of a shard), where it differs.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    write_shape: tuple[int, ...]
    dtype: str = "float32"
    read_shape: tuple[int, ...] | None = None
    attributes: Mapping[str, Any] | None = None

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Smallest piece that can be read on its own."""
        pieces = self.write_shape if self.read_shape is None else self.read_shape
        return tuple(min(size, piece) for size, piece in zip(self.shape, pieces, strict=True))

    @property
    def file_shape(self) -> tuple[int, ...]:
        """Shape of one file in whole chunks; the last file may reach beyond the array."""
        pieces = zip(self.shape, self.write_shape, self.chunk_shape, strict=True)
        return tuple(-(-min(size, piece) // chunk) * chunk for size, piece, chunk in pieces)

    def file(self, position: Sequence[int]) -> str:
        """Return the path, relative to the group, of the file at a position in the grid of files."""
        return "/".join([self.name, "c", *map(str, position)])

    def nbytes(self) -> int:
        """Return the uncompressed size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class OwnedArray:
    """Array whose files are divided among the units of a batch.

    Parameters
    ----------
    group
        Path of the Zarr group that holds it.
    spec
        Shape, chunks and meaning.
    unit_axes
        Axes along which units divide the grid of files, the one that varies slowest first; empty for an array that
        one unit writes whole.
    """

    group: Path
    spec: ArraySpec
    unit_axes: tuple[int, ...] = ()

    def position(self, index: int) -> tuple[int, ...]:
        """Return the place of a unit's file in the grid of files.

        Examples
        --------
        >>> array = ArraySpec("tomogram", ("z", "y", "x"), (10, 8, 8), (5, 2, 8))
        >>> OwnedArray(Path("a.zarr"), array, unit_axes=(1, 0)).position(5)
        (1, 2, 0)
        """
        shape, pieces = self.spec.shape, self.spec.file_shape
        places = [0] * len(shape)
        for axis in reversed(self.unit_axes):
            index, places[axis] = divmod(index, -(-shape[axis] // pieces[axis]))
        return tuple(places)

    def read_piece(self, index: int) -> np.ndarray:
        """Read what a unit has written."""
        starts = [at * size for at, size in zip(self.position(index), self.spec.file_shape, strict=True)]
        region = tuple(slice(start, start + n) for start, n in zip(starts, self.spec.file_shape, strict=True))
        return np.asarray(open_array(self.group, self.spec.name, "r")[region])


def create_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Create a group, or give an existing one these attributes."""
    metadata = path / "zarr.json"
    if metadata.exists() and not _is_json(metadata):
        metadata.unlink()
    _remove_leftovers(metadata)
    group = zarr.open_group(path, mode="a")
    if dict(group.attrs) != dict(attributes):
        group.attrs.put(dict(attributes))


def create_array(path: Path, spec: ArraySpec) -> None:
    """Create an array in the group at `path`; one of another shape is replaced, old attributes give way to these."""
    target = path / spec.name
    _remove_leftovers(target / "zarr.json")
    if (target / "zarr.json").exists():
        try:
            existing = zarr.open_array(target, mode="r")
            same = existing.shape == spec.shape and str(existing.dtype) == spec.dtype
        except Exception:  # whatever is wrong with torn metadata, the remedy is the same
            same = False
        if same:
            attributes = dict(spec.attributes or {})
            if dict(existing.attrs) != {**existing.attrs, **attributes}:
                zarr.open_array(target, mode="r+").attrs.update(attributes)
            return
        shutil.rmtree(target)
    zarr.create_array(
        target,
        shape=spec.shape,
        chunks=spec.chunk_shape,
        shards=None if spec.read_shape is None else spec.file_shape,
        dtype=spec.dtype,
        compressors=(ZstdCodec(level=1),),
        serializer=BytesCodec(endian="little") if np.dtype(spec.dtype).itemsize > 1 else BytesCodec(),
        fill_value=0,
        dimension_names=spec.dims,
        attributes=dict(spec.attributes or {}),
        config=_CONFIG,
    )


def write_vector(
    path: Path, name: str, dim: str, values: np.ndarray, attributes: Mapping[str, Any] | None = None
) -> None:
    """Create and write a one-dimensional array along a dimension, whole."""
    create_array(
        path, ArraySpec(name, (dim,), values.shape, values.shape, str(values.dtype), None, attributes)
    )
    _remove_leftovers(path / name / "c" / "0")
    open_array(path, name)[...] = values


def open_array(path: Path, name: str, mode: Literal["r", "r+"] = "r+") -> zarr.Array:
    """Open one array of a group for reading (``"r"``; absent chunks raise FileNotFoundError) or writing (``"r+"``)."""
    store = _CompleteStore(path / name, read_only=True) if mode == "r" else LocalStore(path / name)
    return zarr.open_array(store, mode=mode).with_config(_CONFIG)


class _CompleteStore(LocalStore):
    """Store that raises for an absent chunk."""

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        value = await super().get(key, prototype, byte_range)
        if value is None and key.startswith("c"):
            raise FileNotFoundError(f"{self.root / key} is missing")
        return value


def _remove_leftovers(path: Path) -> None:
    for leftover in list_leftovers(path):
        leftover.unlink(missing_ok=True)


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def list_leftovers(path: Path) -> list[Path]:
    """List temporary files that killed writers left beside a file, under the names that Zarr and we give them."""
    return [*path.parent.glob(f"{path.stem}.*.partial"), *path.parent.glob(f".{path.name}.*.tmp")]


def read_tilt(path: Path, name: str, tilt: int) -> np.ndarray:
    """Read one tilt, ``(y, x)``, of a stack."""
    return np.asarray(open_array(path, name, "r")[tilt])


def read_vector(path: Path, name: str) -> np.ndarray:
    """Read a whole small array, such as one value or spectrum per tilt."""
    return np.asarray(open_array(path, name, "r")[...])
