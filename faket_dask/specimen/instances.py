"""Instances from a class mask: connected voxels of one class, shared out to the particles of a table.

The mask is read in blocks of y, twice. Voxels are connected through their faces. A class that has rows in a table
gets its instances from them: connected voxels belong to the row that they lie nearest to, and where several rows lie in
connected voxels, each voxel belongs to the nearest of their centres. A class without rows gets one instance, and
one row, for each connected part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.measure import label

from faket_dask.errors import InputError
from faket_dask.specimen.particles import ParticleTable, join_tables, make_table
from faket_dask.specimen.recipe import LARGEST_INSTANCE
from faket_dask.specimen.volume import Slices, to_labels

REACH_VOXELS = 10.0
"""Largest distance of a particle's centre from the nearest voxel of its label: particles may be hollow."""

SMALLEST_PART = 8
"""Fewest voxels of a connected part that is an instance of a class without rows; smaller ones have none."""

BLOCK_ROWS = 64
"""Number of slices of y that are read at a time."""


class ClassMask(Slices, Protocol):
    """Class mask ``(z, y, x)`` in a file, such as an `MrcArray`."""

    @property
    def path(self) -> Path:
        """File, for messages."""
        ...


@dataclass(frozen=True, eq=False)
class InstanceMask:
    """Instances of a class mask, computed as they are read, and the table of all of them.

    Parameters
    ----------
    classes
        Class mask.
    table
        Rows of the table that the mask was compared with, and one for each part of the other classes.
    roots
        ``(parts,)`` int64: connected part that a part of a block belongs to; parts are numbered through all blocks,
        the background is 0.
    first_parts
        Number of the first part of each block.
    rows
        Rows of the table that lie in each connected part; several ones share its voxels.
    voxel_size_A
        Edge of a voxel in Å.
    """

    classes: ClassMask
    table: ParticleTable
    roots: NDArray[np.int64]
    first_parts: tuple[int, ...]
    rows_of_parts: dict[int, NDArray[np.int64]]
    voxel_size_A: float

    @property
    def path(self) -> Path:
        """File of the class mask."""
        return self.classes.path

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels ``(z, y, x)``."""
        return self.classes.shape

    def rows(self, start: int, stop: int, /) -> NDArray[np.uint16]:
        """Compute the instances of the slices ``start <= y < stop``, ``(z, y, x)``."""
        blocks = range(start // BLOCK_ROWS, (stop - 1) // BLOCK_ROWS + 1)
        instances = np.concatenate([self._label_block(block) for block in blocks], axis=1)
        offset = blocks[0] * BLOCK_ROWS
        return instances[:, start - offset : stop - offset]

    def _label_block(self, block: int) -> NDArray[np.uint16]:
        y_start, classes = _read_block(self.classes, block)
        parts, count = _connect(classes)
        first = self.first_parts[block]
        roots = np.concatenate(([0], self.roots[first : first + count]))
        alone = np.zeros(len(roots), np.uint16)
        shared = set()
        for number, root in enumerate(roots.tolist()):
            rows = self.rows_of_parts.get(root, _NO_ROWS)
            if len(rows) == 1:
                alone[number] = self.table.instance[rows[0]]
            elif len(rows) > 1:
                shared.add(root)
        instances = alone[parts]
        for root in shared:
            rows = self.rows_of_parts[root]
            voxels = np.argwhere((roots == root)[parts])
            places = voxels[:, ::-1] + [0, y_start, 0]
            nearest = cKDTree(self.table.centre_A[rows] / self.voxel_size_A).query(places)[1]
            instances[tuple(voxels.T)] = self.table.instance[rows[nearest]]
        return instances


_NO_ROWS = np.zeros(0, np.int64)


def find_instances(
    classes: ClassMask,
    table: ParticleTable,
    voxel_size_A: float,
    names: dict[int, str] | None = None,
    source: object = "",
) -> InstanceMask:
    """Find the instances of a class mask.

    Parameters
    ----------
    classes
        Class mask on disk.
    table
        Particles of some or all classes, centred in the volume; numbered anew in their order.
    voxel_size_A
        Edge of a voxel in Å.
    names
        Name of each class that the table has not, by its number; other numbers are refused.
    source
        File of the table, for messages.

    Returns
    -------
    instances
        Mask of instances. Its table has the particles first.

    Raises
    ------
    InputError
        If a class has rows and no voxels or voxels and no name, a row lies further than `REACH_VOXELS` from its label,
        a connected part lies further from all rows of its class than any other of the class reaches, or there are
        more instances than a mask holds.
    """
    source = f"{source} and {classes.path}" if source else classes.path
    parts = _gather_parts(classes, table, voxel_size_A)
    _check_classes(parts, table, names or {}, source)
    _check_places(parts, table, source)
    rows: dict[int, NDArray[np.int64]] = {}
    for part in np.unique(parts.row_part).tolist():
        rows[part] = np.flatnonzero(parts.row_part == part)
    _adopt_fragments(parts, table, rows, voxel_size_A, source)
    large = (parts.voxels >= SMALLEST_PART) & ~np.isin(parts.class_id, table.class_id)
    own = np.flatnonzero(large).tolist()
    centres = parts.moment[own] / parts.voxels[own, None] * voxel_size_A
    found = make_table(
        [(names or {})[int(parts.class_id[part])] for part in own],
        parts.class_id[own],
        centres,
        np.tile(np.eye(3), (len(own), 1, 1)),
    )
    for row, part in enumerate(own, start=len(table)):
        rows[part] = np.array([row])
    joined = join_tables(table, found)
    if len(joined) > LARGEST_INSTANCE:
        raise InputError(
            f"{source}: {len(joined)} instances do not fit a 16-bit mask, which tells {LARGEST_INSTANCE} apart"
        )
    joined = replace(joined, instance=np.arange(1, len(joined) + 1, dtype=np.int64))
    return InstanceMask(classes, joined, parts.roots, parts.first_parts, rows, voxel_size_A)


@dataclass(eq=False)
class _Parts:
    """Connected parts, by the number of their root: size, sum of ``(x, y, z)``, box and class; and that of each row."""

    roots: NDArray[np.int64]
    first_parts: tuple[int, ...]
    class_id: NDArray[np.int64]
    voxels: NDArray[np.int64]
    moment: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    row_part: NDArray[np.int64]
    row_distance: NDArray[np.float64]


def _connect(classes: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.int64], int]:
    """Number the connected voxels of equal class in a block from 1."""
    parts, count = label(classes, background=0, connectivity=1, return_num=True)
    return parts, int(count)


def _read_block(classes: ClassMask, block: int) -> tuple[int, NDArray[np.uint8]]:
    """Read the first slice of y of a block, and its classes ``(z, y, x)``."""
    start, stop = block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, classes.shape[1])
    return start, to_labels(np.asarray(classes.rows(start, stop)), classes.path, np.uint8, start)


def _gather_parts(mask: ClassMask, table: ParticleTable, voxel_size_A: float) -> _Parts:
    """Connect the voxels of all blocks, and find the part that the centre of each row lies in or nearest to."""
    centres = table.centre_A / voxel_size_A
    parent: list[int] = [0]
    sums: list[tuple[NDArray[Any], ...]] = []
    row_part = np.zeros(len(table), np.int64)
    row_distance = np.full(len(table), np.inf)
    edge: tuple[NDArray[np.unsignedinteger], NDArray[np.int64]] | None = None
    first_parts = []
    for block in range(-(-mask.shape[1] // BLOCK_ROWS)):
        y_start, classes = _read_block(mask, block)
        parts, count = _connect(classes)
        first = len(parent)
        first_parts.append(first)
        parent.extend(range(first, first + count))
        numbers = np.where(parts > 0, parts + (first - 1), 0)
        if edge is not None:
            touching = (edge[0] == classes[:, 0]) & (classes[:, 0] > 0)
            for one, other in set(
                zip(edge[1][touching].tolist(), numbers[:, 0][touching].tolist(), strict=True)
            ):
                _unite(parent, one, other)
        edge = classes[:, -1].copy(), numbers[:, -1].copy()
        voxels = np.argwhere(parts > 0)
        at = tuple(voxels.T)
        places = (voxels[:, ::-1] + [0, y_start, 0]).astype(np.float64)
        sums.append(_measure_parts(parts[at] - 1, count, places, classes[at]))
        height = classes.shape[1]
        for number in np.unique(table.class_id).tolist():
            of_class = classes[at] == number
            close = (centres[:, 1] > y_start - REACH_VOXELS) & (
                centres[:, 1] < y_start + height + REACH_VOXELS
            )
            rows = np.flatnonzero(close & (table.class_id == number))
            if rows.size and of_class.any():
                distance, nearest = cKDTree(places[of_class]).query(centres[rows])
                closer = distance < row_distance[rows]
                row_distance[rows[closer]] = distance[closer]
                row_part[rows[closer]] = numbers[at][of_class][nearest[closer]]
    roots = np.array([_root(parent, part) for part in range(len(parent))], np.int64)
    class_id, voxels, moment, low, high = _merge_parts(roots, sums)
    return _Parts(
        roots, tuple(first_parts), class_id, voxels, moment, low, high, roots[row_part], row_distance
    )


def _measure_parts(
    parts: NDArray[np.int64], count: int, places: NDArray[np.float64], classes: NDArray[np.unsignedinteger]
) -> tuple[NDArray[Any], ...]:
    class_id = np.zeros(count, np.int64)
    class_id[parts] = classes
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, parts, places)
    np.maximum.at(high, parts, places)
    moment = np.stack([np.bincount(parts, places[:, axis], minlength=count) for axis in range(3)], axis=1)
    return class_id, np.bincount(parts, minlength=count), moment, low, high


def _merge_parts(roots: NDArray[np.int64], sums: list[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    """Add up what the blocks measured of each part at the number of its root; others stay empty."""
    count = len(roots)
    class_id, voxels, moment = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros((count, 3))
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    if sums:
        columns = [np.concatenate(column) for column in zip(*sums, strict=True)]
        where = roots[1:]
        class_id[where] = columns[0]
        np.add.at(voxels, where, columns[1])
        np.add.at(moment, where, columns[2])
        np.minimum.at(low, where, columns[3])
        np.maximum.at(high, where, columns[4])
    return class_id, voxels, moment, low, high


def _root(parent: list[int], part: int) -> int:
    while parent[part] != part:
        parent[part] = parent[parent[part]]
        part = parent[part]
    return part


def _unite(parent: list[int], one: int, other: int) -> None:
    low, high = sorted((_root(parent, one), _root(parent, other)))
    parent[high] = low


def _check_classes(parts: _Parts, table: ParticleTable, names: dict[int, str], source: object) -> None:
    present = set(parts.class_id[parts.voxels > 0].tolist())
    for name in np.unique(table.class_name).tolist():
        rows = table.class_name == name
        number = int(table.class_id[rows][0])
        if number not in present:
            raise InputError(
                f"{source}: the list has {np.count_nonzero(rows)} particles {name!r} of the label {number}, and the "
                "labels have no voxel of it; the two do not belong together"
            )
    strangers = sorted(present - set(table.class_id.tolist()) - names.keys())
    if strangers:
        count = int(parts.voxels[parts.class_id == strangers[0]].sum())
        raise InputError(
            f"{source}: the labels have {count} voxels of {strangers[0]}, and the list has nothing of it; the two do "
            "not belong together"
        )


def _check_places(parts: _Parts, table: ParticleTable, source: object) -> None:
    far = parts.row_distance > REACH_VOXELS
    if far.any():
        first = int(np.argmax(far))
        place = ", ".join(f"{value:.0f}" for value in table.centre_A[first])
        raise InputError(
            f"{source}: {np.count_nonzero(far)} of {len(table)} particles of the list lie further than "
            f"{REACH_VOXELS:g} voxels from any voxel of their label, row {first + 1} ({table.class_name[first]}, label "
            f"{table.class_id[first]}, at {place} Å) first; the two do not belong together"
        )


def _adopt_fragments(
    parts: _Parts,
    table: ParticleTable,
    rows: dict[int, NDArray[np.int64]],
    voxel_size_A: float,
    source: object,
) -> None:
    """Give connected parts in which no row lies to the nearest row of their class, as far as its others reach."""
    centres = table.centre_A / voxel_size_A
    for number in np.unique(table.class_id).tolist():
        of_class = np.flatnonzero(table.class_id == number)
        known = [part for part in rows if parts.class_id[part] == number]
        alone = [(part, rows[part][0]) for part in known if len(rows[part]) == 1]
        reach = 2 * REACH_VOXELS
        for part, row in alone:
            corner = np.maximum(parts.high[part] - centres[row], centres[row] - parts.low[part])
            reach = max(reach, float(np.linalg.norm(corner)))
        for part in np.flatnonzero((parts.class_id == number) & (parts.voxels > 0)).tolist():
            if part in rows:
                continue
            middle = parts.moment[part] / parts.voxels[part]
            distance = np.linalg.norm(centres[of_class] - middle, axis=1)
            nearest = int(np.argmin(distance))
            if distance[nearest] > reach:
                place = ", ".join(f"{value:.0f}" for value in middle)
                raise InputError(
                    f"{source}: the labels have {parts.voxels[part]} voxels of {number} about voxel ({place}), and "
                    f"the nearest of the list's {len(of_class)} particles of it is {distance[nearest]:.0f} voxels "
                    "away; the two do not belong together"
                )
            rows[part] = of_class[[nearest]]
