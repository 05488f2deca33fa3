"""Point lists as the CZ cryoET Data Portal has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faket_dask.formats.copick import safe_name
from faket_dask.formats.portal import write_points
from faket_dask.interchange.exporters.source import Source


def export_portal(source: Source, folder: Path) -> Iterator[Path]:
    """Write ``<series>-<class>.ndjson`` for every class, in voxels of the series' tomograms."""
    for series in source.series:
        grid = source.grid(series)
        table = source.particles(series.specimen, grid)
        for name in dict.fromkeys(str(name) for name in table.class_name):
            path = folder / f"{series.name}-{safe_name(name)}.ndjson"
            write_points(path, table, name, grid.voxel_size_A)
            yield path
