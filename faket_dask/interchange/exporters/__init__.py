"""A data set as the files that other programs read: one small exporter for each format."""

from collections.abc import Callable, Iterator
from pathlib import Path

from faket_dask.interchange.exporters.copick import export_copick
from faket_dask.interchange.exporters.imod import export_imod
from faket_dask.interchange.exporters.mrc import export_mrc
from faket_dask.interchange.exporters.portal import export_portal
from faket_dask.interchange.exporters.relion5 import export_relion5
from faket_dask.interchange.exporters.shrec import export_shrec
from faket_dask.interchange.exporters.source import Source
from faket_dask.interchange.exporters.warp import export_warp

Exporter = Callable[[Source, Path], Iterator[Path]]

EXPORTERS: dict[str, Exporter] = {
    "mrc": export_mrc,
    "imod": export_imod,
    "shrec": export_shrec,
    "relion5": export_relion5,
    "copick": export_copick,
    "warp": export_warp,
    "portal": export_portal,
}
"""By name of the format; each writes into a folder that exists and yields what it has written."""
