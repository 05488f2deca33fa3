"""Protein Data Bank: coordinates, as mmCIF or in the older PDB format.

Addresses are those that RCSB, wwPDB and PDBe document for downloads of single entries.
"""

from __future__ import annotations

import re
from pathlib import Path

import gemmi

from faket_dask.errors import InputError

_CODE = re.compile(r"(?:pdb_0000)?([1-9][a-z0-9]{3})", re.IGNORECASE)
_COORDINATES = tuple(f"_atom_site.Cartn_{axis}" for axis in "xyz")


class ProteinDataBank:
    """Protein Data Bank."""

    title = "Protein Data Bank"

    def normalise(self, accession: str) -> str:
        """Return an accession code in lower case, without the zeros of the longer form.

        Raises
        ------
        InputError
            If it is none.

        Examples
        --------
        >>> PDB.normalise("1BXN"), PDB.normalise("pdb_00001bxn")
        ('1bxn', '1bxn')
        """
        match = _CODE.fullmatch(accession)
        if match is None:
            raise InputError(
                f"'{accession}' is no code of the Protein Data Bank, which has a digit from 1 and three letters or "
                "digits; write it as in pdb:1bxn"
            )
        return match[1].lower()

    def addresses(self, accession: str) -> tuple[str, ...]:
        """Return the addresses of RCSB, wwPDB and PDBe."""
        return (
            f"https://files.rcsb.org/download/{accession.upper()}.cif.gz",
            f"https://files.wwpdb.org/pub/{self._wwpdb_path(accession)}",
            f"https://www.ebi.ac.uk/pdbe/entry-files/download/{accession}.cif",
        )

    def mirror_paths(self, accession: str) -> tuple[str, ...]:
        """Return the path in wwPDB's tree, and names of files that lie side by side."""
        names = [f"{accession}{ending}" for ending in (".cif.gz", ".cif", ".pdb.gz", ".pdb")]
        return (self._wwpdb_path(accession), *names, f"pdb{accession}.ent.gz", f"pdb{accession}.ent")

    def check(self, path: Path, accession: str) -> None:
        """Check that a file has coordinates, and that they are those of an entry by its own account.

        Raises
        ------
        InputError
            If it cannot be read, is another entry, or has no coordinates.
        """
        read = _read_cif_code if path.suffix == ".cif" else _read_pdb_code
        try:
            code = read(path)
        except (RuntimeError, ValueError, OSError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"it cannot be read ({error})") from None
        if _CODE.fullmatch(code) is None or self.normalise(code) != accession:
            raise InputError(f"it is the entry '{code}' by its own account" if code else "it names no entry")

    @staticmethod
    def _wwpdb_path(accession: str) -> str:
        return f"pdb/data/structures/divided/mmCIF/{accession[1:3]}/{accession}.cif.gz"


def _read_cif_code(path: Path) -> str:
    """Return the entry of an mmCIF file, after a check that it has coordinates."""
    document = gemmi.cif.read(str(path))
    if len(document) == 0:
        raise InputError("it is empty")
    block = document.sole_block()
    if len(block.find(list(_COORDINATES))) == 0:
        raise InputError(
            "it is mmCIF without coordinates (no _atom_site), such as structure factors or a ligand"
        )
    return gemmi.cif.as_string(block.find_value("_entry.id") or "")


def _read_pdb_code(path: Path) -> str:
    """Return the entry of a file in PDB format, after a check that it has coordinates."""
    structure = gemmi.read_pdb(str(path))
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise InputError("it has no coordinates")
    return dict(structure.info).get("_entry.id", "")


PDB = ProteinDataBank()
