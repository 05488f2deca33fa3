"""SHREC models: folders whose ``projections.mrc`` is a tilt-series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faket_dask.formats.openers.series_format import SeriesFormat
from faket_dask.formats.openers.stack import open_stack_series
from faket_dask.formats.shrec import ALIGNMENT_FILE


def _find(folder: Path, files: Sequence[Path]) -> list[Path]:
    names = {file.name for file in files}
    return [folder / "projections.mrc"] if {ALIGNMENT_FILE, "projections.mrc"} <= names else []


SHREC = SeriesFormat((), _find, open_stack_series)
