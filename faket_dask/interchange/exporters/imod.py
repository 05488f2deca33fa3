"""A folder for each series that IMOD can reconstruct as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.tilt_com import write_tilt_com
from faket_dask.interchange.exporters.source import Source


def export_imod(source: Source, folder: Path) -> Iterator[Path]:
    """Write ``<series>_<modality>/``: the stack, `.rawtlt`, `.tlt`, an `.xf` that moves nothing, and ``tilt.com``."""
    for series in source.series:
        for modality in source.modalities:
            name = f"{series.name}_{modality}"
            geometry = source.geometry(series, modality)
            place = folder / name
            place.mkdir(exist_ok=True)
            stack = place / f"{name}.mrc"
            write_stack(
                stack, source.tilts(series, modality), source.stack_shape(series), geometry.pixel_size_A
            )
            yield stack
            depth = source.view(series.specimen).shape[0]
            yield write_tilt_com(place, name, geometry, source.stack_shape(series)[1:], depth)
            yield place / f"{name}.tlt"
            raw = place / f"{name}.rawtlt"
            write_angles(raw, geometry.stage_angles)
            yield raw
            transforms = place / f"{name}.xf"
            write_transforms(transforms, np.broadcast_to(np.eye(2, 3), (len(geometry), 2, 3)))
            yield transforms
