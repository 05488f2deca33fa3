"""Tables of a specimen as comma-separated text with a header line."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from faket_dask.atomic import replace_atomically
from faket_dask.errors import InputError


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[int | str]]) -> None:
    """Write a table, whole or not at all."""
    with (
        replace_atomically(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_records(path: Path, kind: str, needed: Sequence[str]) -> tuple[Sequence[str], list[dict[str, Any]]]:
    """Read the header of a table, and its rows by column.

    Parameters
    ----------
    path
        Comma-separated file.
    kind
        Kind of table, for messages.
    needed
        Columns that it must have, in any order.

    Raises
    ------
    InputError
        If the file is absent, no such text, or lacks a column.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or ()
            records = list(reader)
    except OSError as error:
        raise InputError(f"{kind} {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{kind} {path} is not comma-separated text: {error}") from error
    missing = [column for column in needed if column not in header]
    if missing:
        raise InputError(f"{kind} {path} has no column {', '.join(missing)}")
    return header, records
