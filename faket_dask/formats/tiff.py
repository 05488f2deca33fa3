"""Volumes as TIFF files with several pages, which nnU-Net reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faket_dask.atomic import replace_atomically
from faket_dask.formats.mrc_writing import ArrayLike3D

_BLOCK_ROWS = 64


def write_tiff(path: Path, volume: ArrayLike3D) -> None:
    """Write a volume block by block, a page for each layer, whole or not at all.

    Parameters
    ----------
    path
        File to write; replaced when the last block is written.
    volume
        ``(z, y, x)`` array of any type that is sliced like one of NumPy; it is read in blocks of y.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tifffile import imread
    >>> with TemporaryDirectory() as folder:
    ...     write_tiff(Path(folder) / "a.tif", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    ...     imread(Path(folder) / "a.tif").shape
    (2, 3, 4)
    """
    from tifffile import memmap

    shape, dtype = tuple(int(size) for size in volume.shape), np.dtype(volume.dtype)
    with replace_atomically(path) as temporary:
        file = memmap(temporary, shape=shape, dtype=dtype, photometric="minisblack", metadata=None)
        pages = file.reshape(shape)
        for start in range(0, shape[1], _BLOCK_ROWS):
            pages[:, start : start + _BLOCK_ROWS] = volume[:, start : start + _BLOCK_ROWS, :]
        file.flush()
