"""Particle tables: all objects in a specimen, one row each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.csv_table import read_records, write_rows

_ROTATION = tuple(f"r_{row}{column}" for row in "xyz" for column in "xyz")
_WHOLE = ("instance", "class_id", "variant", "parent", "is_cut")
_LARGEST_WHOLE = 2**53  # a float holds every whole number up to this one
_NEEDED = ("instance", "class", "class_id", "x_A", "y_A", "z_A", *_ROTATION, "radius_A", "variant")
COLUMNS = (*_NEEDED, "state", "parent", "is_cut")
_SCORE = "score"
"""Column of tables of picks alone."""


@dataclass(frozen=True, eq=False)
class Row:
    """One object in a specimen.

    Parameters
    ----------
    class_name, class_id, centre_A, rotation, radius_A, variant, state, parent, is_cut, instance
        Columns of `ParticleTable`. Before a table is made of rows, they have no instance, and `parent` is the number
        of a row, counted from 1.
    is_part
        True if the row is a part of its parent, and has the instance of that.
    """

    class_name: str
    class_id: int
    centre_A: NDArray[np.float64]
    rotation: NDArray[np.float64]
    radius_A: float
    variant: int
    state: str = ""
    parent: int = 0
    is_cut: bool = False
    instance: int = 0
    is_part: bool = False


@dataclass(frozen=True, eq=False)
class ParticleTable:
    """Objects in a specimen, in the order of rendering (later rows displace earlier ones).

    Parameters
    ----------
    instance
        ``(n,)`` int64: value in the instance mask, from 1; 0 for unlabelled crowding. Subunits of a filament that is
        labelled as one have the same.
    class_name
        ``(n,)`` str: class of each row.
    class_id
        ``(n,)`` int64: value in the class mask; 0 for unlabelled crowding.
    centre_A
        ``(n, 3)`` float64: ``(x, y, z)`` in Å from the centre of the volume's corner voxel.
    rotation
        ``(n, 3, 3)`` float64: matrices from particle to specimen, acting on ``(x, y, z)`` column vectors.
    radius_A
        ``(n,)`` float64: radius of a bead, size of a membrane as its kind defines it, or radius of the sphere
        that holds a particle, in Å.
    variant
        ``(n,)`` int64: conformation of a particle (index into the sources of its class); for membranes
        the number that their shape is drawn from.
    state
        ``(n,)`` str: name of a particle's conformation or of a part of an organelle, empty where there is one only.
    parent
        ``(n,)`` int64: instance of the filament, membrane or first particle of the chain that a row belongs to; 0
        for none.
    is_cut
        ``(n,)`` bool: true where a part of the object lies outside the volume.
    score
        ``(n,)`` float64: confidence of a picker in each particle, larger for a better one; ``None`` for objects of a
        specimen, which are known.
    """

    instance: NDArray[np.int64]
    class_name: NDArray[np.str_]
    class_id: NDArray[np.int64]
    centre_A: NDArray[np.float64]
    rotation: NDArray[np.float64]
    radius_A: NDArray[np.float64]
    variant: NDArray[np.int64]
    state: NDArray[np.str_]
    parent: NDArray[np.int64]
    is_cut: NDArray[np.bool_]
    score: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.instance)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "ParticleTable":
        """Return the table of some rows, chosen by a mask or by indices."""
        columns = {name: column[rows] for name, column in vars(self).items() if column is not None}
        return ParticleTable(**columns)

    def row(self, index: int) -> Row:
        """Return one row."""
        return Row(
            str(self.class_name[index]),
            int(self.class_id[index]),
            self.centre_A[index],
            self.rotation[index],
            float(self.radius_A[index]),
            int(self.variant[index]),
            str(self.state[index]),
            int(self.parent[index]),
            bool(self.is_cut[index]),
            int(self.instance[index]),
        )

    def labelled(self) -> "ParticleTable":
        """Return the rows that masks and exported particle lists have: all but the crowding."""
        return self.select(self.class_id > 0)

    def counts(self) -> dict[str, int]:
        """Count the rows of each class."""
        names, counts = np.unique(self.class_name, return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def seed(self) -> int:
        """Compute a seed from the table alone, for random numbers that it does not list (the texture of the ice)."""
        digest = hashlib.sha256()
        for column in (
            self.instance,
            self.class_id,
            self.centre_A,
            self.rotation,
            self.radius_A,
            self.variant,
        ):
            digest.update(np.ascontiguousarray(column).tobytes())
        return int.from_bytes(digest.digest()[:8], "little")

    def write_csv(self, path: Path) -> None:
        """Write the table as comma-separated text with a header line, whole or not at all.

        Floating-point numbers are written with the digits that give back the same number. The column `score` is there
        where the table has scores.
        """
        columns = COLUMNS if self.score is None else (*COLUMNS, _SCORE)
        write_rows(path, columns, map(self._write_row, range(len(self))))

    def _write_row(self, row: int) -> tuple[int | str, ...]:
        numbers = (*self.centre_A[row], *self.rotation[row].ravel(), self.radius_A[row])
        return (
            int(self.instance[row]),
            str(self.class_name[row]),
            int(self.class_id[row]),
            *(repr(float(number)) for number in numbers),
            int(self.variant[row]),
            str(self.state[row]),
            int(self.parent[row]),
            int(self.is_cut[row]),
            *(() if self.score is None else (repr(float(self.score[row])),)),
        )


def make_table(
    class_name: Sequence[str] | NDArray[np.str_],
    class_id: Sequence[int] | NDArray[np.int64],
    centre_A: NDArray[np.float64],
    rotation: NDArray[np.float64],
) -> ParticleTable:
    """Make a table of classes and poses alone; radii and variants are 0, instances count from 1.

    Parameters
    ----------
    class_name, class_id
        ``(n,)`` name and number of each row's class.
    centre_A
        ``(n, 3)`` centres ``(x, y, z)`` in Å.
    rotation
        ``(n, 3, 3)`` matrices from particle to specimen.

    Examples
    --------
    >>> make_table(["boot"], [1], np.zeros((1, 3)), np.eye(3)[None]).counts()
    {'boot': 1}
    """
    count = len(class_id)
    return ParticleTable(
        instance=np.arange(1, count + 1, dtype=np.int64),
        class_name=np.array(class_name, dtype=np.str_),
        class_id=np.array(class_id, dtype=np.int64),
        centre_A=np.array(centre_A, dtype=np.float64),
        rotation=np.array(rotation, dtype=np.float64),
        radius_A=np.zeros(count),
        variant=np.zeros(count, dtype=np.int64),
        state=np.zeros(count, dtype=np.str_),
        parent=np.zeros(count, dtype=np.int64),
        is_cut=np.zeros(count, dtype=np.bool_),
    )


def join_tables(first: ParticleTable, second: ParticleTable) -> ParticleTable:
    """Join the rows of two tables, as they are; scores are kept where both have them.

    Examples
    --------
    >>> table = make_table(["boot"], [1], np.zeros((1, 3)), np.eye(3)[None])
    >>> len(join_tables(table, table))
    2
    """
    pairs = {name: (getattr(first, name), column) for name, column in vars(second).items()}
    scored = first.score is not None and second.score is not None
    columns = {name: np.concatenate(pair) for name, pair in pairs.items() if name != _SCORE or scored}
    return ParticleTable(**columns)


def particle_table(rows: Sequence[Row]) -> ParticleTable:
    """Number the rows and turn them into a table.

    Parameters
    ----------
    rows
        Objects in the order of rendering.

    Returns
    -------
    table
        Table whose instances count from 1 over the rows with a class id, in their order; parts have that of their
        parent. Rows that belong to an unlabelled one have the parent 0.

    Examples
    --------
    >>> rows = [
    ...     Row("boot", 1, np.zeros(3), np.eye(3), 50.0, 0),
    ...     Row("crowd", 0, np.ones(3), np.eye(3), 40.0, 0),
    ...     Row("boot", 1, np.ones(3), np.eye(3), 50.0, 0, parent=1),
    ... ]
    >>> table = particle_table(rows)
    >>> table.instance, table.parent, table.counts(), len(table.labelled())
    (array([1, 0, 2]), array([0, 0, 1]), {'boot': 2, 'crowd': 1}, 2)
    """
    class_id = np.array([row.class_id for row in rows], dtype=np.int64)
    parents = np.array([row.parent for row in rows], dtype=np.int64)
    is_part = np.array([row.is_part for row in rows], dtype=np.bool_) & (
        parents != np.arange(1, len(rows) + 1)
    )
    is_whole = (class_id > 0) & ~is_part
    instance = np.where(is_whole, np.cumsum(is_whole), 0).astype(np.int64)
    instance = np.where(is_part, np.concatenate(([0], instance))[parents], instance)
    return ParticleTable(
        instance=instance,
        class_name=np.array([row.class_name for row in rows], dtype=np.str_),
        class_id=class_id,
        centre_A=np.array([row.centre_A for row in rows], dtype=np.float64).reshape(-1, 3),
        rotation=np.array([row.rotation for row in rows], dtype=np.float64).reshape(-1, 3, 3),
        radius_A=np.array([row.radius_A for row in rows], dtype=np.float64),
        variant=np.array([row.variant for row in rows], dtype=np.int64),
        state=np.array([row.state for row in rows], dtype=np.str_),
        parent=np.concatenate(([0], instance))[parents],
        is_cut=np.array([row.is_cut for row in rows], dtype=np.bool_),
    )


def read_particles(path: Path) -> ParticleTable:
    """Read a table that :meth:`ParticleTable.write_csv` wrote, to the last bit.

    Parameters
    ----------
    path
        Comma-separated file with the columns :data:`COLUMNS`, in any order. The last three, `state`, `parent` and
        `is_cut`, may be missing, as in tables of others and of earlier versions; `score` is there in tables of picks.

    Raises
    ------
    InputError
        If the file is absent, lacks a column, or a value is not a number; the line is named.
    """
    header, records = read_records(path, "particle table", _NEEDED)
    names = (*COLUMNS, _SCORE) if _SCORE in header else COLUMNS
    columns: dict[str, list[float]] = {name: [] for name in names if name not in ("class", "state")}
    for line, record in enumerate(records, start=2):
        for column, values in columns.items():
            try:
                value = float(record[column]) if column in header else 0.0
            except (TypeError, ValueError):
                raise InputError(
                    f"particle table {path}, line {line}: {column} is {record[column]!r}"
                ) from None
            if not np.isfinite(value) or (
                column in _WHOLE and (value != int(value) or abs(value) > _LARGEST_WHOLE)
            ):
                raise InputError(f"particle table {path}, line {line}: {column} is {value}")
            values.append(value)
    count = len(records)
    return ParticleTable(
        instance=np.array(columns["instance"], dtype=np.int64),
        class_name=np.array([record["class"] for record in records], dtype=np.str_),
        class_id=np.array(columns["class_id"], dtype=np.int64),
        centre_A=np.array([columns["x_A"], columns["y_A"], columns["z_A"]], dtype=np.float64)
        .T.reshape(count, 3)
        .copy(),
        rotation=np.array([columns[name] for name in _ROTATION], dtype=np.float64)
        .T.reshape(count, 3, 3)
        .copy(),
        radius_A=np.array(columns["radius_A"], dtype=np.float64),
        variant=np.array(columns["variant"], dtype=np.int64),
        state=np.array([record.get("state", "") for record in records], dtype=np.str_),
        parent=np.array(columns["parent"], dtype=np.int64),
        is_cut=np.array(columns["is_cut"], dtype=np.int64).astype(np.bool_),
        score=np.array(columns[_SCORE], dtype=np.float64) if _SCORE in columns else None,
    )
