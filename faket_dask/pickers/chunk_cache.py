"""Recently read chunks of stores, within a bound on memory."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

CACHE_BYTES = 256 * 2**20
"""Default bound on the memory of a cache: some tens of chunks of tomograms of 512 columns."""


class ChunkCache:
    """Chunks by array and place; the least recently used are dropped where they would take more than a bound.

    It may be used by several threads, and shared by many arrays.

    Parameters
    ----------
    limit_bytes
        Bound on what is kept; a chunk larger than that is read each time.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._chunks: OrderedDict[Any, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Memory of all chunks that are kept."""
        return self._bytes

    def read(self, array: zarr.Array, place: tuple[int, ...]) -> NDArray[Any]:
        """Return the chunk of an array at a place in its grid of chunks; it must not be changed."""
        key = (str(array.store_path), place)
        with self._lock:
            if key in self._chunks:
                self._chunks.move_to_end(key)
                return self._chunks[key]
        region = tuple(
            slice(at * size, (at + 1) * size) for at, size in zip(place, array.chunks, strict=True)
        )
        chunk = np.asarray(array[region])
        with self._lock:
            if key not in self._chunks and chunk.nbytes <= self.limit_bytes:
                self._chunks[key] = chunk
                self._bytes += chunk.nbytes
                while self._bytes > self.limit_bytes:
                    _, dropped = self._chunks.popitem(last=False)
                    self._bytes -= dropped.nbytes
        return chunk


@dataclass(frozen=True)
class CachedArray:
    """Array of a store ``(z, y, x)`` whose chunks are read through a cache.

    Parameters
    ----------
    array
        Array on disk.
    cache
        Chunks that were read.
    """

    array: zarr.Array
    cache: ChunkCache

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.array.shape

    @property
    def dtype(self) -> Any:
        """Type of a voxel."""
        return self.array.dtype

    def __getitem__(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """Read a block of plain slices without steps."""
        bounds = [part.indices(size)[:2] for part, size in zip(region, self.shape, strict=True)]
        shape = tuple(max(0, stop - start) for start, stop in bounds)
        block = np.empty(shape, dtype=self.dtype)
        if not math.prod(shape):
            return block
        places = (
            range(start // size, -(-stop // size))
            for (start, stop), size in zip(bounds, self.array.chunks, strict=True)
        )
        for place in itertools.product(*places):
            chunk = self.cache.read(self.array, place)
            read, write = [], []
            for at, size, (start, stop), length in zip(
                place, self.array.chunks, bounds, chunk.shape, strict=True
            ):
                first, last = max(start, at * size), min(stop, at * size + length)
                read.append(slice(first - at * size, last - at * size))
                write.append(slice(first - start, last - start))
            block[tuple(write)] = chunk[tuple(read)]
        return block
