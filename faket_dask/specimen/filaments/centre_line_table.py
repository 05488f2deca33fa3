"""Centre lines of a specimen as a table, which is a label as masks and particle tables are."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.csv_table import read_records, write_rows

COLUMNS = ("filament", "class", "ordinal", "x_A", "y_A", "z_A")


@dataclass(frozen=True, eq=False)
class CentreLineTable:
    """Points of the centre lines of all filaments in a specimen, in their order along each.

    Parameters
    ----------
    filament
        ``(n,)`` int64: number of the filament, as `parent` in the particle table.
    class_name
        ``(n,)`` str: class of the filament.
    ordinal
        ``(n,)`` int64: position of the point on its filament, from 0 at the minus end.
    point_A
        ``(n, 3)`` float64: ``(x, y, z)`` in Å from the centre of the volume's corner voxel.
    """

    filament: NDArray[np.int64]
    class_name: NDArray[np.str_]
    ordinal: NDArray[np.int64]
    point_A: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.filament)

    def lines(self) -> dict[int, NDArray[np.float64]]:
        """Return the points ``(n, 3)`` of each filament by its number."""
        return {int(number): self.point_A[self.filament == number] for number in np.unique(self.filament)}

    def write_csv(self, path: Path) -> None:
        """Write the table as comma-separated text with a header line, whole or not at all.

        Floating-point numbers are written with the digits that give back the same number.
        """
        write_rows(path, COLUMNS, map(self._write_row, range(len(self))))

    def _write_row(self, row: int) -> tuple[int | str, ...]:
        place = (repr(float(number)) for number in self.point_A[row])
        return int(self.filament[row]), str(self.class_name[row]), int(self.ordinal[row]), *place


def centre_line_table(lines: Iterable[tuple[int, str, NDArray[np.float64]]]) -> CentreLineTable:
    """Make the table of some lines.

    Parameters
    ----------
    lines
        Number, class and points ``(n, 3)`` in Å of each filament.

    Examples
    --------
    >>> table = centre_line_table([(3, "actin", np.zeros((2, 3)))])
    >>> table.filament, table.ordinal
    (array([3, 3]), array([0, 1]))
    """
    entries = list(lines)
    counts = [len(points) for _, _, points in entries]
    return CentreLineTable(
        filament=np.repeat([number for number, _, _ in entries], counts).astype(np.int64),
        class_name=np.repeat(np.array([name for _, name, _ in entries], dtype=np.str_), counts),
        ordinal=np.concatenate(
            [np.arange(count, dtype=np.int64) for count in counts] or [np.zeros(0, np.int64)]
        ),
        point_A=np.concatenate([points for _, _, points in entries] or [np.zeros((0, 3))]),
    )


def read_centre_lines(path: Path) -> CentreLineTable:
    """Read a table that :meth:`CentreLineTable.write_csv` wrote, to the last bit.

    Raises
    ------
    InputError
        If the file is absent, lacks a column, or a value is not a number; the line is named.
    """
    _, records = read_records(path, "table of centre lines", COLUMNS)
    numbers = np.empty((len(records), 5))
    for row, record in enumerate(records):
        for place, column in enumerate(("filament", "ordinal", "x_A", "y_A", "z_A")):
            try:
                numbers[row, place] = float(record[column])
            except (TypeError, ValueError):
                numbers[row, place] = np.nan
            whole = place > 1 or numbers[row, place] == np.rint(numbers[row, place])
            if not np.isfinite(numbers[row, place]) or not whole:
                raise InputError(
                    f"table of centre lines {path}, line {row + 2}: {column} is {record[column]!r}"
                )
    return CentreLineTable(
        filament=numbers[:, 0].astype(np.int64),
        class_name=np.array([record["class"] for record in records], dtype=np.str_),
        ordinal=numbers[:, 1].astype(np.int64),
        point_A=numbers[:, 2:].copy(),
    )
