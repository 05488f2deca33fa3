"""Sources of particles in run files: built-in phantoms, entries of public archives, and files."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.compression import kind_suffix
from faket_dask.specimen.globules import names_globule, parse_mass
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.structures import locate, names_entry, parse_entry

STRUCTURE_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
MAP_SUFFIXES = (".mrc", ".map", ".ccp4", ".rec")


class SourceKind(Enum):
    """Kinds of sources."""

    PHANTOM = "built-in phantom"
    STRUCTURE = "structure"
    MAP = "density map"


_ARCHIVE_KINDS = {"pdb": SourceKind.STRUCTURE, "emdb": SourceKind.MAP}


def names_phantom(source: str) -> bool:
    """Tell whether a source is a built-in phantom, by its name or by its mass.

    Examples
    --------
    >>> names_phantom("boot"), names_phantom("globule:559kDa"), names_phantom("pdb:1bxn")
    (True, True, False)
    """
    return source in PHANTOMS or names_globule(source)


def check_source(source: str, where: str) -> SourceKind:
    """Check that a source is a phantom, names an entry, or is a file that exists, and return its kind.

    Parameters
    ----------
    source
        Source as the run file has it, with an absolute path for a file.
    where
        Beginning of messages.

    Raises
    ------
    InputError
        If it is none of these, or a file of another kind.

    Examples
    --------
    >>> check_source("pdb:1bxn", "species 'rubisco'")
    <SourceKind.STRUCTURE: 'structure'>
    """
    is_file = not names_phantom(source) and not names_entry(source)
    if is_file and not Path(source).is_file():
        raise InputError(
            f"{where}: '{source}' is neither a file nor a built-in phantom ({', '.join(PHANTOMS)}, or "
            "globule:559kDa), nor an entry such as pdb:1bxn or emdb:3228"
        )
    try:
        return find_kind(source)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def find_kind(source: str) -> SourceKind:
    """Return the kind of a source: that of its archive, or that which the ending of a file's name says.

    Raises
    ------
    InputError
        If it is no entry of its archive, a globule without a mass, or the ending is that of no structure and of no map.

    Examples
    --------
    >>> find_kind("ribosome.cif.gz")
    <SourceKind.STRUCTURE: 'structure'>
    """
    if names_globule(source):
        parse_mass(source)
    if names_phantom(source):
        return SourceKind.PHANTOM
    if names_entry(source):
        return _ARCHIVE_KINDS[parse_entry(source).prefix]
    suffix = kind_suffix(Path(source))
    if suffix in STRUCTURE_SUFFIXES:
        return SourceKind.STRUCTURE
    if suffix in MAP_SUFFIXES:
        return SourceKind.MAP
    raise InputError(
        f"'{source}' is neither a structure ({', '.join(STRUCTURE_SUFFIXES)}, may be gzipped) nor a map "
        f"({', '.join(MAP_SUFFIXES)}, may be compressed by gzip or bzip2)"
    )


def locate_source(source: str) -> Path | None:
    """Return the file of a source: its path, or that of an entry in the cache; ``None`` for a phantom.

    Nothing is fetched.

    Raises
    ------
    InputError
        If an entry is not in the cache, or damaged.
    """
    if names_phantom(source):
        return None
    return locate(parse_entry(source)).path if names_entry(source) else Path(source)
