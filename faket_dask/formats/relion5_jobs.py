"""Find the files of a RELION-5 project that belong together: particles, and the table of their tomograms.

RELION keeps the results of a job in ``<Type>/job<number>``: particles in ``Extract/job010`` or ``Refine3D/job015``, the
table of tomograms in ``Tomograms/job006``. An optimisation set beside the particles names both, with paths from the
project's folder.
"""

from __future__ import annotations

from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.files import find_upwards
from faket_dask.formats.star import StarTable, read_star

TOMOGRAMS = "tomograms.star"
_PARTICLES_FILE, _TOMOGRAMS_FILE = "rlnTomoParticlesFile", "rlnTomoTomogramsFile"


def find_particles(path: Path) -> Path:
    """Return the list of particles that an optimisation set names, or the file itself if it is no such set.

    Parameters
    ----------
    path
        STAR file.

    Raises
    ------
    InputError
        If the file is absent or damaged, or names a file that is not there.
    """
    table = _read_set(path)
    return path if table is None else find_upwards(path, table.text(_PARTICLES_FILE)[0])


def find_tomograms(path: Path) -> Path:
    """Find the table of tomograms that particles lie in.

    Parameters
    ----------
    path
        List of particles, or optimisation set. The table is the one that the set names, or a set beside the list; else
        ``tomograms.star`` beside the list; else ``Tomograms/job*/tomograms.star`` of the nearest folder above.

    Raises
    ------
    InputError
        If there is no such table, or several.
    """
    table = _read_set(path)
    if table is not None:
        return find_upwards(path, table.text(_TOMOGRAMS_FILE)[0])
    named = {file.resolve(): file for file in _named_beside(path)}
    if named:
        return _choose_only(path, list(named.values()))
    if path.with_name(TOMOGRAMS).is_file():
        return path.with_name(TOMOGRAMS)
    for folder in path.absolute().parents:
        tables = sorted(folder.glob(f"Tomograms/job*/{TOMOGRAMS}"))
        if tables:
            return _choose_only(path, tables)
    raise InputError(
        f"no table of the tomograms of {path}: no {TOMOGRAMS} beside it, none in an optimisation set beside it or in "
        "Tomograms/job* of a folder above; name it by --tomograms"
    )


def _read_set(path: Path) -> StarTable | None:
    tables = read_star(path).values()
    return next((table for table in tables if _TOMOGRAMS_FILE in table.columns), None)


def _named_beside(path: Path) -> list[Path]:
    """Return the tables of tomograms that sets beside a list name together with it, as far as they are there."""
    tables = []
    for file in sorted(path.parent.glob("*optimisation_set.star")):
        table = _read_set(file)
        if table is None or Path(table.columns.get(_PARTICLES_FILE, ("",))[0]).name != path.name:
            continue
        try:
            tables.append(find_upwards(file, table.text(_TOMOGRAMS_FILE)[0]))
        except InputError:
            continue  # a set that was copied out of its project
    return tables


def _choose_only(path: Path, tables: list[Path]) -> Path:
    if len(tables) > 1:
        raise InputError(
            f"{path} may lie in the tomograms of {', '.join(map(str, tables))}; name one by --tomograms"
        )
    return tables[0]
