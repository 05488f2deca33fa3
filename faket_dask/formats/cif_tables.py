"""Read columns of mmCIF and BinaryCIF files.

BinaryCIF (Sehnal et al., PLoS Comput. Biol. 16, e1008247, 2020) has the categories of an mmCIF file as columns in
MessagePack, each packed by a chain of encodings that is undone from its end. The files of whole cells are mostly of
this kind. Read from the specification, and models of *Mycoplasma genitalium* that Mol* packed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import gemmi
import msgpack
import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError

BINARY_SUFFIX = ".bcif"

LARGEST_COLUMN = 2**28
"""Most values of a column."""

Table = dict[str, NDArray[Any]]
"""Columns of a category by their names, of equal length: ``float64``, or strings."""


def read_tables(path: Path, columns: Mapping[str, Sequence[str]], numbers: Sequence[str]) -> dict[str, Table]:
    """Read some columns of some categories of the first data block.

    Parameters
    ----------
    path
        File, ``.bcif`` for BinaryCIF; mmCIF may be gzipped.
    columns
        Names of columns by the name of their category, without dots and underscores between them. Those that the file
        does not have are left out.
    numbers
        Columns of numbers, by their names alone.

    Returns
    -------
    tables
        Tables of the categories that the file has.

    Raises
    ------
    InputError
        If the file is absent or damaged, or a value is no finite number; the category and the row are named.
    """
    read = _read_binary if path.suffix.lower() == BINARY_SUFFIX else _read_text
    try:
        tables = read(path, columns)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; check the path") from None
    except Exception as error:  # whatever a damaged file brings about in the parser
        message = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{path} is damaged, or no mmCIF file: {message}; copy it again") from None
    for category, table in tables.items():
        for name, values in table.items():
            if len(values) != len(next(iter(table.values()))):
                raise InputError(
                    f"{path} is damaged: {category}.{name} has {len(values)} values; copy it again"
                )
            table[name] = (
                _to_numbers(values, f"{path}: {category}.{name}")
                if name in numbers
                else values.astype(np.str_)
            )
    return tables


def _to_numbers(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.array([_to_number(value) for value in values.tolist()])
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise InputError(f"{where}, row {row + 1}, is {str(values[row])[:40]!r}; expected a number")
    return numbers


def _to_number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return np.nan


def _read_text(path: Path, columns: Mapping[str, Sequence[str]]) -> dict[str, Table]:
    document = gemmi.cif.read(str(path))
    block = document[0]
    tables: dict[str, Table] = {}
    for category, names in columns.items():
        found = {name: block.find_values(f"_{category}.{name}") for name in names}
        table = {
            name: np.array([gemmi.cif.as_string(value) for value in column], dtype=object)
            for name, column in found.items()
            if len(column)
        }
        if table:
            tables[category] = table
    return tables


def _read_binary(path: Path, columns: Mapping[str, Sequence[str]]) -> dict[str, Table]:
    document = msgpack.unpackb(path.read_bytes(), strict_map_key=False)
    tables: dict[str, Table] = {}
    for category in document["dataBlocks"][0]["categories"]:
        wanted = columns.get(str(category["name"]).removeprefix("_"), ())
        if wanted:
            tables[str(category["name"]).removeprefix("_")] = {
                column["name"]: _decode(column["data"]["data"], column["data"]["encoding"])
                for column in category["columns"]
                if column["name"] in wanted
            }
    return tables


_TYPES = {1: "i1", 2: "<i2", 3: "<i4", 4: "u1", 5: "<u2", 6: "<u4", 32: "<f4", 33: "<f8"}


def _decode(data: Any, encodings: Sequence[Mapping[str, Any]]) -> NDArray[Any]:
    for encoding in reversed(encodings):
        data = _DECODERS[encoding["kind"]](data, encoding)
    return np.asarray(data)


def _decode_bytes(data: Any, encoding: Mapping[str, Any]) -> NDArray[Any]:
    return np.frombuffer(data, _TYPES[encoding["type"]])


def _decode_fixed_point(data: Any, encoding: Mapping[str, Any]) -> NDArray[Any]:
    return np.asarray(data / float(encoding["factor"]))


def _decode_quantised(data: Any, encoding: Mapping[str, Any]) -> NDArray[Any]:
    low, high = float(encoding["min"]), float(encoding["max"])
    return np.asarray(low + data * ((high - low) / (int(encoding["numSteps"]) - 1)))


def _decode_runs(data: Any, encoding: Mapping[str, Any]) -> NDArray[Any]:
    values, counts = data[::2], data[1::2].astype(np.int64)
    if not 0 <= counts.sum() <= LARGEST_COLUMN or (counts < 0).any():
        raise ValueError(f"a column of {counts.sum()} values")
    return np.repeat(values, counts)


def _decode_differences(data: Any, encoding: Mapping[str, Any]) -> NDArray[Any]:
    return np.cumsum(data.astype(np.int64)) + int(encoding["origin"])


def _decode_packed(data: Any, encoding: Mapping[str, Any]) -> NDArray[Any]:
    """Add up the values that an integer is split into: all but its last one are the largest or smallest of the type."""
    limits = np.iinfo(data.dtype)
    goes_on = data == limits.max if encoding["isUnsigned"] else (data == limits.max) | (data == limits.min)
    return np.diff(np.cumsum(data.astype(np.int64))[~goes_on], prepend=0)


def _decode_strings(data: Any, encoding: Mapping[str, Any]) -> NDArray[Any]:
    bounds = _decode(encoding["offsets"], encoding["offsetEncoding"]).tolist()
    text = str(encoding["stringData"])
    strings = [text[begin:end] for begin, end in pairwise(bounds)]
    # The index -1 stands for no value.
    return np.array([*strings, ""], dtype=object)[_decode(data, encoding["dataEncoding"])]


_DECODERS: dict[str, Callable[[Any, Mapping[str, Any]], NDArray[Any]]] = {
    "ByteArray": _decode_bytes,
    "FixedPoint": _decode_fixed_point,
    "IntervalQuantization": _decode_quantised,
    "RunLength": _decode_runs,
    "Delta": _decode_differences,
    "IntegerPacking": _decode_packed,
    "StringArray": _decode_strings,
}
