"""Tomograms among the files of a folder, which are MRC files as stacks are.

IMOD calls them ``NAME.rec``, ``NAME_rec.mrc`` and ``NAME_full_rec.mrc``, this program ``NAME_faket_rec.mrc``, AreTomo3
``NAME_Vol.mrc``. Those that this program wrote under another name are known by its label and the space group of a
volume; other programs mark tilt-series as volumes, too.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.compression import kind_suffix, strip_compression
from faket_dask.formats.mrc import STACK_SUFFIXES
from faket_dask.formats.mrc_header import VOLUME, read_header
from faket_dask.outputs.record import has_own_label

_NAME = re.compile(r".*(?:\.rec|_rec\.[^.]+|_Vol\.[^.]+)", re.IGNORECASE)


def list_stacks(files: Sequence[Path]) -> list[Path]:
    """List the MRC files among others that are no tomograms, in the same order."""
    return [file for file in files if kind_suffix(file) in STACK_SUFFIXES and not is_tomogram(file)]


def is_tomogram(path: Path) -> bool:
    """Tell whether an MRC file is a tomogram by its name, or by its header where this program wrote it.

    Examples
    --------
    >>> [is_tomogram(Path(name)) for name in ("a.rec", "a_full_rec.mrc", "a.st", "record.mrc")]
    [True, True, False, False]
    """
    if _NAME.fullmatch(strip_compression(path).name):
        return True
    if not has_own_label(path):
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            return read_header(path).space_group == VOLUME
    except InputError:
        return False
