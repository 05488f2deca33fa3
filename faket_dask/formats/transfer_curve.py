"""Transfer curves of detectors: RELION's ``mtf_*.star``, and text of two columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text
from faket_dask.formats.star import read_star
from faket_dask.kernels.transfer_curve import TransferCurve

FREQUENCY = "rlnResolutionInversePixel"
VALUE = "rlnMtfValue"


def read_transfer_curve(path: Path) -> TransferCurve:
    """Read a modulation transfer function.

    Parameters
    ----------
    path
        RELION's STAR file with `_rlnResolutionInversePixel` and `_rlnMtfValue`, or text with two numbers a line:
        frequency in cycles per pixel of the detector, up to 0.5, and transfer. Lines that start with ``#`` are
        comments.

    Returns
    -------
    curve
        The curve.

    Raises
    ------
    InputError
        If the file cannot be read, has other columns, or is no transfer up to the Nyquist frequency.
    """
    frequencies, values = _read_star(path) if path.suffix.lower() == ".star" else _read_columns(path)
    try:
        return TransferCurve(tuple(frequencies.tolist()), tuple(values.tolist()))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _read_star(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    tables = [table for table in read_star(path).values() if FREQUENCY in table.columns]
    if not tables:
        raise InputError(
            f"{path}: no block has the columns _{FREQUENCY} and _{VALUE}; give a detector's mtf_*.star of RELION"
        )
    return tables[0].numbers(FREQUENCY), tables[0].numbers(VALUE)


def _read_columns(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = []
    for number, line in enumerate(read_text(path, "transfer curve").splitlines(), start=1):
        words = line.replace(",", " ").split("#")[0].split()
        if not words:
            continue
        try:
            frequency, value = map(float, words)
        except ValueError:
            raise InputError(
                f"{path}, line {number}: expected two numbers, frequency in 1/pixel and transfer, found {line[:60]!r}"
            ) from None
        rows.append((frequency, value))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]
