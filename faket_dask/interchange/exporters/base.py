"""Protocol of an exporter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from faket_dask.interchange.exporters.source import Source


@runtime_checkable
class Exporter(Protocol):
    """Writer of one format that other programs read."""

    @property
    def name(self) -> str:
        """Name of the format on the command line, and of the folder that it is written to."""

    @property
    def help(self) -> str:
        """Description in one line."""

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set.

        Parameters
        ----------
        source
            Series, labels and tomograms to write; all of them are complete.
        folder
            Existing folder to write to, by `faket_dask.atomic`, which replaces no files of others there.

        Yields
        ------
        path
            Each written file or folder, once it is written.

        Raises
        ------
        InputError
            If the format cannot hold the data.
        """
