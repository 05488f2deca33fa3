"""Exporters of a data set to the formats of other programs, by name.

A package adds a format with a class that follows `faket_dask.interchange.exporters.base.Exporter`, and an entry point
that names it::

    [project.entry-points."faket_dask.exporters"]
    emclarity = "my_package:EmClarityExporter"

Modules of exporters are imported when they are used.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from faket_dask.errors import InputError

if TYPE_CHECKING:
    from faket_dask.interchange.exporters.base import Exporter

GROUP = "faket_dask.exporters"
"""Group of the entry points that name exporters of other packages."""

_BUILT_IN = {
    "mrc": "MrcExporter",
    "imod": "ImodExporter",
    "shrec": "ShrecExporter",
    "relion5": "Relion5Exporter",
    "copick": "CopickExporter",
    "warp": "WarpExporter",
    "portal": "PortalExporter",
    "deepfinder": "DeepFinderExporter",
    "nnunet": "NnUnetExporter",
    "targets": "TargetsExporter",
}


def exporter_names() -> list[str]:
    """Return the names of all formats, those of other packages last.

    Examples
    --------
    >>> exporter_names()[:3]
    ['mrc', 'imod', 'shrec']
    """
    return list(_entries())


def load_exporter(name: str) -> Exporter:
    """Import an exporter.

    Raises
    ------
    InputError
        If there is no format of this name, or its package cannot be imported.

    Examples
    --------
    >>> load_exporter("mrc").help
    'MRC stacks and volumes, with angles, .mdoc files and particle tables beside them'
    """
    entries = _entries()
    if name not in entries:
        raise InputError(f"there is no format {name!r}; there are {', '.join(entries)}")
    try:
        return entries[name].load()()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the format {name!r} cannot be loaded from {entries[name].value} ({error}); reinstall its package"
        ) from error


def _entries() -> dict[str, EntryPoint]:
    """Return the entry point of each format; other packages add formats and replace none."""
    built_in = {
        name: EntryPoint(name, f"{__name__}.{name}:{class_name}", GROUP)
        for name, class_name in _BUILT_IN.items()
    }
    return built_in | {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in built_in}
