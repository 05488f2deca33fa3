"""Names of entries in run files and on the command line, such as ``pdb:1bxn``."""

from __future__ import annotations

from dataclasses import dataclass

from faket_dask.errors import InputError
from faket_dask.structures.archive import Archive
from faket_dask.structures.emdb import EMDB
from faket_dask.structures.pdb import PDB

ARCHIVES: dict[str, Archive] = {"pdb": PDB, "emdb": EMDB}
"""Archives by the word that stands before the colon."""


@dataclass(frozen=True)
class Entry:
    """Entry of a public archive.

    Parameters
    ----------
    prefix
        Key of the archive in `ARCHIVES`.
    accession
        Accession code, in the archive's own spelling.
    """

    prefix: str
    accession: str

    @property
    def archive(self) -> Archive:
        """Archive that the entry belongs to."""
        return ARCHIVES[self.prefix]

    def __str__(self) -> str:
        return f"{self.prefix}:{self.accession}"


def names_entry(source: str) -> bool:
    """True for the name of an entry, valid or not, and false for phantoms and paths.

    Examples
    --------
    >>> names_entry("pdb:1bxn"), names_entry("./1bxn.pdb"), names_entry("boot")
    (True, False, False)
    """
    prefix, colon, _ = source.partition(":")
    return bool(colon) and prefix.lower() in ARCHIVES


def parse_entry(source: str) -> Entry:
    """Parse the name of an entry.

    Raises
    ------
    InputError
        If there is no such archive, or its entries are named in another way.

    Examples
    --------
    >>> str(parse_entry("pdb:1BXN")), str(parse_entry("emdb:EMD-3228"))
    ('pdb:1bxn', 'emdb:3228')
    >>> parse_entry("pdb:ribosome")
    Traceback (most recent call last):
    faket_dask.errors.InputError: 'ribosome' is no code of the Protein Data Bank, which has a digit from 1 and three
    letters or digits; write it as in pdb:1bxn
    """
    if not names_entry(source):
        raise InputError(f"'{source}' names no entry; write it as in pdb:1bxn or emdb:3228")
    prefix, _, accession = source.partition(":")
    prefix = prefix.lower()
    return Entry(prefix, ARCHIVES[prefix].normalise(accession.strip()))
