"""Protocol of a public archive of structures."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Archive(Protocol):
    """Archive whose entries have an accession code each.

    Files are named without the ending ``.gz``, which a file that is served may have in addition.
    """

    @property
    def title(self) -> str:
        """Name of the archive, for people."""
        ...

    def normalise(self, accession: str) -> str:
        """Return an accession code in one spelling.

        Raises
        ------
        InputError
            If it is none of this archive.
        """
        ...

    def addresses(self, accession: str) -> tuple[str, ...]:
        """Return the addresses that serve the file of an entry, in the order in which they are tried."""
        ...

    def mirror_paths(self, accession: str) -> tuple[str, ...]:
        """Return the relative paths at which a mirror may have the file of an entry."""
        ...

    def check(self, path: Path, accession: str) -> None:
        """Check that a file is that of an entry.

        Raises
        ------
        InputError
            If it cannot be read, is another entry, or holds nothing to make a particle from.
        """
        ...
