"""STAR files (Hall, J. Chem. Inf. Comput. Sci. 31, 1991) as cryo-EM programs use them: named tables of text.

Values stay text until they are requested as numbers, so that a tomogram called ``001`` keeps its name.

The package `starfile` reads these files, too; this reader is our own because its errors name the file, the block, the
line or row and the label that is wrong, and because it leaves names of digits as they are. The tests compare the two.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.files import read_text

_LARGEST_WHOLE = 2**53
"""Whole number up to which a float holds all of them."""


@dataclass(frozen=True)
class StarTable:
    """One block of a STAR file.

    Parameters
    ----------
    path, name
        File and block (the part after ``data_``), for messages.
    columns
        Values of each label, without its leading underscore, all of one length.

    Examples
    --------
    >>> table = StarTable(Path("a.star"), "", {"rlnTomoName": ("001",), "rlnVoltage": ("300",)})
    >>> table.text("rlnTomoName"), table.numbers("rlnVoltage")
    (('001',), array([300.]))
    >>> table.numbers("rlnDefocusU", 0)
    array([0.])
    """

    path: Path
    name: str
    columns: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def text(self, label: str) -> tuple[str, ...]:
        """Return the values of a label.

        Raises
        ------
        InputError
            If the block has no such label.
        """
        if label not in self.columns:
            raise InputError(f"{self.path}: the block data_{self.name} has no column _{label}")
        return self.columns[label]

    def numbers(self, label: str, default: float | None = None) -> NDArray[np.float64]:
        """Return the values of a label as ``(row,)`` float64, the default in every row if there is no such label.

        Raises
        ------
        InputError
            If there is neither label nor default, or a value is not a finite number.
        """
        if default is not None and label not in self.columns:
            return np.full(len(self), default, dtype=np.float64)
        values = []
        for row, word in enumerate(self.text(label), start=1):
            try:
                value = float(word)
            except ValueError:
                value = np.nan
            if not np.isfinite(value):
                raise InputError(
                    f"{self.path}, block data_{self.name}, row {row}: _{label} is {word[:40]!r}, not a number"
                )
            values.append(value)
        return np.array(values, dtype=np.float64)

    def whole_numbers(self, label: str, default: int | None = None) -> NDArray[np.int64]:
        """Return the values of a label as ``(row,)`` int64, as `numbers` does; ``3.000000`` is a whole number, too.

        Raises
        ------
        InputError
            As `numbers`, and if a value is not a whole number.
        """
        values = self.numbers(label, default)
        wrong = (values != np.rint(values)) | (np.abs(values) > _LARGEST_WHOLE)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{self.path}, block data_{self.name}, row {row + 1}: _{label} is {values[row]:g}, not a whole number"
            )
        return values.astype(np.int64)


def read_star(path: Path) -> dict[str, StarTable]:
    """Read all blocks of a STAR file.

    Parameters
    ----------
    path
        STAR file with simple blocks (one label and value a line) and loops (one row a line).

    Returns
    -------
    blocks
        Blocks by name, the part after ``data_``.

    Raises
    ------
    InputError
        If the file is absent, not text, has no block, or a line does not belong; the line is named.
    """
    blocks: dict[str, dict[str, list[str]]] = {}
    block: dict[str, list[str]] | None = None
    in_loop = False
    for number, line in enumerate(read_text(path, "STAR file").splitlines(), start=1):
        words = _words(path, number, line)
        if not words:
            continue
        if words[0].startswith("data_"):
            name = words[0][5:]
            if name in blocks:
                raise InputError(f"STAR file {path}, line {number}: a second block data_{name}")
            block, in_loop = blocks.setdefault(name, {}), False
        elif block is None:
            raise InputError(
                f"STAR file {path}, line {number}: expected a block (data_…), found {line[:60]!r}"
            )
        elif words[0] == "loop_":
            if block:
                raise InputError(
                    f"STAR file {path}, line {number}: a loop in a block that has values already"
                )
            in_loop = True
        elif words[0].startswith("_") and not (in_loop and any(block.values())):
            label = words[0][1:]
            if label in block:
                raise InputError(f"STAR file {path}, line {number}: _{label} for the second time")
            if not in_loop and len(words) != 2:
                raise InputError(f"STAR file {path}, line {number}: expected one value for _{label}")
            block[label] = [] if in_loop else [words[1]]
        else:
            if not in_loop or len(words) != len(block):
                raise InputError(
                    f"STAR file {path}, line {number}: {len(words)} values where there are {len(block)} columns"
                )
            for values, word in zip(block.values(), words, strict=True):
                values.append(word)
    if not blocks:
        raise InputError(f"STAR file {path} has no block (data_…)")
    return {
        name: StarTable(path, name, {label: tuple(values) for label, values in columns.items()})
        for name, columns in blocks.items()
    }


def write_star(path: Path, blocks: Mapping[str, Mapping[str, Sequence[object]]]) -> None:
    """Write blocks as loops, whole or not at all.

    Parameters
    ----------
    path
        File to write; replaced whole.
    blocks
        Columns of each block by label, all of one length. Floats are written with six decimals, zero without a sign.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.star"
    ...     write_star(path, {"global": {"rlnTomoName": ["001"], "rlnVoltage": [300.0]}})
    ...     read_star(path)["global"].columns
    {'rlnTomoName': ('001',), 'rlnVoltage': ('300.000000',)}
    """
    parts = []
    for name, columns in blocks.items():
        parts.append(f"\ndata_{name}\n\nloop_\n")
        parts += [f"_{label} #{number}\n" for number, label in enumerate(columns, start=1)]
        for row in zip(*columns.values(), strict=True):
            parts.append("\t".join(_word(value) for value in row) + "\n")
    write_text(path, "".join(parts))


def columns_by_label(rows: Sequence[Mapping[str, object]]) -> dict[str, Sequence[object]]:
    """Turn rows of equal labels into the columns that `write_star` writes.

    Examples
    --------
    >>> columns_by_label([{"rlnTomoName": "a", "rlnClassNumber": 1}, {"rlnTomoName": "b", "rlnClassNumber": 2}])
    {'rlnTomoName': ['a', 'b'], 'rlnClassNumber': [1, 2]}
    """
    return {label: [row[label] for row in rows] for label in (rows[0] if rows else ())}


def _words(path: Path, number: int, line: str) -> list[str]:
    if "'" not in line and '"' not in line:
        words = line.split()
        for position, word in enumerate(words):
            if word.startswith("#"):
                return words[:position]
        return words
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise InputError(f"STAR file {path}, line {number}: {error}") from None


def _word(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:z.6f}"
    text = str(value)
    if not text or any(character.isspace() for character in text) or text[0] in "_#'\"":
        if '"' in text or "\n" in text:
            raise ValueError(f"{text!r} cannot be written to a STAR file")
        return f'"{text}"'
    return text
