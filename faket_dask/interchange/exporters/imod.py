"""A folder for each series that IMOD reconstructs without further files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.imod_defocus import SUFFIX, write_defocus
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.tilt_com import write_tilt_com
from faket_dask.interchange.exporters.source import Source


class ImodExporter:
    """Writer of ``<series>_<modality>/``: the stack, `.rawtlt`, `.tlt`, `.xtilt`, an identity `.xf`, ``tilt.com``.

    Where images carry a CTF, `.defocus` has it for ctfphaseflip.
    """

    name = "imod"
    help = "a folder per series with stack, angles, identity transforms and tilt.com"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file."""
        for series in source.series:
            for modality in source.modalities:
                name = f"{series.name}_{modality}"
                geometry = source.geometry(series, modality)
                directory = folder / name
                directory.mkdir(exist_ok=True)
                stack = directory / f"{name}.mrc"
                write_stack(
                    stack, source.tilts(series, modality), source.stack_shape(series), geometry.pixel_size_A
                )
                yield stack
                depth = source.view(series.specimen).shape[0]
                yield write_tilt_com(directory, name, geometry, source.stack_shape(series)[1:], depth)
                yield directory / f"{name}.tlt"
                yield directory / f"{name}.xtilt"
                raw = directory / f"{name}.rawtlt"
                write_angles(raw, geometry.stage_angles)
                yield raw
                transforms = directory / f"{name}.xf"
                write_transforms(transforms, np.broadcast_to(np.eye(2, 3), (len(geometry), 2, 3)))
                yield transforms
                ctf = source.ctf(series, modality)
                if ctf is not None:
                    defocus = directory / f"{name}{SUFFIX}"
                    write_defocus(defocus, ctf, geometry.stage_angles)
                    yield defocus
