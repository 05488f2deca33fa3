"""Point lists in the format of the CZ cryoET Data Portal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faket_dask.formats.copick import safe_name
from faket_dask.formats.portal import write_points
from faket_dask.interchange.exporters.source import Source


class PortalExporter:
    """Writer of ``<series>-<class>.ndjson`` in voxels of the series' tomograms; membranes have no orientation."""

    name = "portal"
    help = "point lists of the CZ cryoET Data Portal, one .ndjson per series and class"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file."""
        for series in source.series:
            grid = source.grid(series)
            table = source.particles(series.specimen, grid)
            for name in dict.fromkeys(str(name) for name in table.class_name):
                path = folder / f"{series.name}-{safe_name(name)}.ndjson"
                write_points(path, table, name, grid.voxel_size_A, oriented=name not in source.membranes)
                yield path
