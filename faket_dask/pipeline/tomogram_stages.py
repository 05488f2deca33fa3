"""Filtering and back-projection as units of work, for stacks of any origin.

A unit of the first stage writes one file, a whole filtered tilt, in which blocks of rows can be read alone; a unit of
the second reads its rows of every tilt and writes the layers of one slab. The filtered tilts are kept, so that a lost
piece of a tomogram can be made again. Where the tomogram is binned afterwards, they already have its rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import ReconstructionSection
from faket_dask.dataset.tomogram_chunks import TomogramChunks, describe_filtered_array
from faket_dask.engine.arrays import OwnedArray, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import S, Stage
from faket_dask.engine.unit import Item
from faket_dask.stages.reconstruction import Restoration


class TomogramSource(Protocol):
    """Stack that a tomogram is made from, and the groups that it and its filtered tilts go to."""

    @property
    def group(self) -> Path:
        """Zarr group of the tomogram."""
        ...

    @property
    def filtered_group(self) -> Path:
        """Zarr group of the filtered tilts."""
        ...

    @property
    def array_name(self) -> str:
        """Name of the tomogram's array."""
        ...

    @property
    def filtered_name(self) -> str:
        """Name of the array of filtered tilts, which tomograms of halves of them share."""
        ...

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Further attributes of the tomogram's array."""
        ...

    @property
    def section(self) -> ReconstructionSection:
        """Settings."""
        ...

    @property
    def tilts(self) -> NDArray[np.intp]:
        """Indices of the tilts that are filtered."""
        ...

    @property
    def members(self) -> NDArray[np.intp]:
        """Indices, among the filtered tilts, of those that are back-projected."""
        ...

    @property
    def restoration(self) -> Restoration | None:
        """Correction of the tilts before they are filtered, if any."""
        ...

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees, of the filtered tilts."""
        ...

    @property
    def thickness_px(self) -> float:
        """Thickness in pixels of the binned tilts."""
        ...

    @property
    def filtered_shape(self) -> tuple[int, int, int]:
        """Tilts, rows and columns of the filtered tilts."""
        ...

    @property
    def chunks(self) -> TomogramChunks:
        """Pieces that units make."""
        ...

    def read_tilt(self, index: int) -> NDArray[np.generic]:
        """Read one of `tilts`, ``(y, x)``."""
        ...


def _filtered_array(source: TomogramSource) -> OwnedArray:
    array = describe_filtered_array(source.filtered_name, source.filtered_shape)
    return OwnedArray(source.filtered_group, array, unit_axes=(0,))


class FilterStack(Stage[S]):
    """Bin and filter one tilt of a tomogram."""

    @abstractmethod
    def open_source(self, spec: S, item: Item) -> TomogramSource:
        """Return the stack of an item."""

    def count(self, spec: S, item: Item) -> int:
        """Return the number of tilts that the tomogram is made from."""
        return int(self.open_source(spec, item).tilts.size)

    def arrays(self, spec: S, item: Item) -> list[OwnedArray]:
        """Return the filtered tilts."""
        return [_filtered_array(self.open_source(spec, item))]

    def compute(self, spec: S, item: Item, index: int) -> Findings:
        """Filter and write one tilt."""
        from faket_dask.stages.reconstruction import prepare_tilt

        source = self.open_source(spec, item)
        section, filtered = source.section, _filtered_array(source)
        open_array(filtered.group, filtered.spec.name)[index] = prepare_tilt(
            tilt=source.read_tilt(index),
            kind=section.filter,
            tilt_angles=source.tilt_angles,
            index=index,
            thickness_px=source.thickness_px,
            binning=section.binning,
            post_binning=section.post_binning,
            without_beads=section.erase_beads,
            restoration=source.restoration,
        )
        return {}


class BackProjectPieces(Stage[S]):
    """Back-project one slab of one block of rows."""

    @abstractmethod
    def open_source(self, spec: S, item: Item) -> TomogramSource:
        """Return the stack of an item."""

    def count(self, spec: S, item: Item) -> int:
        """Return the number of pieces."""
        return len(self.open_source(spec, item).chunks)

    def arrays(self, spec: S, item: Item) -> list[OwnedArray]:
        """Return the tomogram."""
        source = self.open_source(spec, item)
        array = source.chunks.describe_array(source.array_name, source.attributes)
        return [OwnedArray(source.group, array, unit_axes=source.chunks.UNIT_AXES)]

    def compute(self, spec: S, item: Item, index: int) -> Findings:
        """Back-project and write one piece."""
        from faket_dask.kernels.backprojection_binned import back_project_binned

        source = self.open_source(spec, item)
        layers, rows = source.chunks.region(index)
        filtered = _filtered_array(source)
        stack, members = open_array(filtered.group, filtered.spec.name, "r"), source.members
        piece = back_project_binned(
            np.asarray(stack.oindex[members, rows, :]),
            source.tilt_angles[members],
            layers.stop - layers.start,
            source.section.post_binning,
            z_centre=source.chunks.shape[0] // 2 - layers.start,
            device=source.section.device,
        )
        open_array(source.group, source.array_name)[layers, rows, :] = piece
        return {}
