"""Labelled tomograms that a picker is trained on or judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.formats.mrc_writing import ArrayLike3D


@dataclass(frozen=True, eq=False)
class TrainingTomogram:
    """Tomogram with its labels on one grid; arrays are opened, not read.

    Parameters
    ----------
    name
        Name in messages.
    tomogram
        ``(z, y, x)`` density; read in blocks of plain slices.
    class_mask
        ``(z, y, x)`` label of each voxel, 0 for background.
    centre
        ``(n, 3)`` float64: voxel ``(z, y, x)`` of each object's centre.
    class_id
        ``(n,)`` int64: label of each object.
    class_ids
        Label of each class that the mask may hold, by name.
    voxel_size_A
        Edge of a voxel in Å.
    """

    name: str
    tomogram: ArrayLike3D
    class_mask: ArrayLike3D
    centre: NDArray[np.float64]
    class_id: NDArray[np.int64]
    class_ids: Mapping[str, int]
    voxel_size_A: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y and x."""
        return self.tomogram.shape
