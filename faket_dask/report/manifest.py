"""Manifest of a data set: one row per series with its files, specimen, reference and split, for training scripts.

Paths are relative to the data set, so that its folder may be moved.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from faket_dask.atomic import write_text
from faket_dask.dataset.field_of_view import select_particles
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.splits import split_series
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.unit import Item
from faket_dask.pipeline.build import PlaceParticles
from faket_dask.report.series import list_batches
from faket_dask.specimen.particles import read_particles


def write_manifest(completed: CompletedUnits) -> Path:
    """Write a data set's `manifest.csv` atomically.

    Columns: series, split, complete, specimen, reference, seed, paths of the stores of series and specimen and of the
    particle table, number and range of the tilts, pixel size, and for each class ``n_<class>``, the particles in
    the field of view.
    """
    spec: DatasetSpec = completed.plan.spec
    layout, config = spec.folder, spec.config
    splits = split_series(spec, config.outputs.splits)
    counts = {}
    for specimen in dict.fromkeys(series.specimen for series in spec.series):
        if completed.has(PlaceParticles.name, Item(specimen)):
            table = read_particles(layout.particles(specimen))
            counts[specimen] = select_particles(spec, specimen, table).counts()
    classes = sorted({name for by_class in counts.values() for name in by_class})
    rows = []
    for series in spec.series:
        acquisition = spec.geometry.acquisition(series.specimen)
        paths = {
            "series_store": layout.series(series.name),
            "specimen_store": layout.specimen(series.specimen),
            "particles": layout.particles(series.specimen),
        }
        in_view = counts.get(series.specimen, {})
        rows.append(
            {
                "series": series.name,
                "split": splits.get(series.name, ""),
                "complete": not any(completed.why_missing(*key) for key in list_batches(completed, series)),
                "specimen": series.specimen,
                "reference": series.reference,
                "seed": config.dataset.seed,
                **{name: path.relative_to(layout.root).as_posix() for name, path in paths.items()},
                "tilts": acquisition.tilt_angles.size,
                "first_angle_deg": float(acquisition.tilt_angles[0]),
                "last_angle_deg": float(acquisition.tilt_angles[-1]),
                "pixel_size_A": acquisition.pixel_size_A,
                "defocus_um": acquisition.defocus_um,
                "dose_e_per_A2": acquisition.dose_e_per_A2,
                **{f"n_{name}": in_view.get(name, 0) for name in classes},
            }
        )
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(layout.manifest, stream.getvalue())
    return layout.manifest
