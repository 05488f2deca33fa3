"""A folder for each series that IMOD reconstructs without further files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.imod_defocus import SUFFIX, write_defocus
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.tilt_com import write_newst_com, write_tilt_com
from faket_dask.geometry import TiltGeometry
from faket_dask.interchange.exporters.source import Source


class ImodExporter:
    """Writer of ``<series>_<modality>/``: the stack, `.rawtlt`, `.tlt`, `.xtilt`, an identity `.xf`, ``tilt.com``.

    Where images carry a CTF, `.defocus` has it for ctfphaseflip. Where they are displaced and the export tells so, the
    `.xf` moves them back, and ``newst.com`` makes the aligned stack that ``tilt.com`` reconstructs.
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
                depth, shape = source.view(series.specimen).shape[0], source.stack_shape(series)[1:]
                aligned = f"{name}.mrc" if geometry.is_aligned else f"{name}_ali.mrc"
                upright = replace(geometry, shift_A=None)
                yield write_tilt_com(directory, name, upright, shape, depth, stack=aligned)
                if not geometry.is_aligned:
                    yield write_newst_com(directory, name, aligned)
                yield directory / f"{name}.tlt"
                yield directory / f"{name}.xtilt"
                raw = directory / f"{name}.rawtlt"
                write_angles(raw, geometry.stage_angles)
                yield raw
                transforms = directory / f"{name}.xf"
                write_transforms(transforms, _move_back(geometry))
                yield transforms
                ctf = source.ctf(series, modality)
                if ctf is not None:
                    defocus = directory / f"{name}{SUFFIX}"
                    write_defocus(defocus, ctf, geometry.stage_angles)
                    yield defocus


def _move_back(geometry: TiltGeometry) -> NDArray[np.float64]:
    """Return the transforms ``(tilt, 2, 3)`` that undo displacements; ``tilt.com`` says where the tilt axis is."""
    transforms = np.tile(np.eye(2, 3), (len(geometry), 1, 1))
    if geometry.shift_A is not None:
        transforms[:, :, 2] = -geometry.shift_A / geometry.pixel_size_A
    return transforms
