"""Electron Microscopy Data Bank: the primary map of an entry, in the MRC format.

Addresses are those of wwPDB's and EBI's copies of the archive. Since 2010 every map that EMDB distributes has one label
that names its entry, as ``::::EMDATABANK.org::::EMD-3228::::``.
"""

from __future__ import annotations

import re
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.mrc_header import read_header

_CODE = re.compile(r"(?:emd[-_])?([0-9]{4,5})", re.IGNORECASE)
_LABEL = re.compile(r"EMDATABANK\.org::::\s*EMD-([0-9]+)", re.IGNORECASE)


class ElectronMicroscopyDataBank:
    """Electron Microscopy Data Bank."""

    title = "Electron Microscopy Data Bank"

    def normalise(self, accession: str) -> str:
        """Return the number of an accession code.

        Raises
        ------
        InputError
            If it is none.

        Examples
        --------
        >>> EMDB.normalise("3228"), EMDB.normalise("EMD-3228")
        ('3228', '3228')
        """
        match = _CODE.fullmatch(accession)
        if match is None:
            raise InputError(
                f"'{accession}' is no code of the Electron Microscopy Data Bank, which has four or five digits; write "
                "it as in emdb:3228"
            )
        return match[1]

    def addresses(self, accession: str) -> tuple[str, ...]:
        """Return the addresses of wwPDB and EBI."""
        path = self._path(accession)
        return (
            f"https://files.wwpdb.org/pub/{path}",
            f"https://ftp.ebi.ac.uk/pub/databases/{path}",
        )

    def mirror_paths(self, accession: str) -> tuple[str, ...]:
        """Return the path in the archive's tree, and names of files that lie side by side."""
        return (self._path(accession), f"emd_{accession}.map.gz", f"emd_{accession}.map")

    def check(self, path: Path, accession: str) -> None:
        """Check that a file is a map of the size that its header says, and of the entry that its label names.

        Raises
        ------
        InputError
            If it is no map, is cut off, has no voxel size, or is another entry.
        """
        header = read_header(path)
        labels = [match for label in header.labels if (match := _LABEL.search(label))]
        if not labels:
            raise InputError(
                "its header has no label of the Electron Microscopy Data Bank, which names the entry"
            )
        if labels[0][1] != accession:
            raise InputError(f"it is the entry EMD-{labels[0][1]} by its own account")
        if not all(edge > 0 for edge in header.edges_A):
            raise InputError("its header has no voxel size")

    @staticmethod
    def _path(accession: str) -> str:
        return f"emdb/structures/EMD-{accession}/map/emd_{accession}.map.gz"


EMDB = ElectronMicroscopyDataBank()
