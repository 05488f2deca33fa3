"""The tomogram of a recorded tilt-series, durable like those of a data set.

What is done lies in a folder beside the target, hidden, until the tomogram is whole: filtered tilts and parts of the
volume, each in a file that is there once it is written, and what they were made from. The same call goes on with
that; another one begins anew.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.config import ReconstructionSection
from faket_dask.dataset.parts import Parts, filtered_array
from faket_dask.dataset.spec import KERNEL_VERSION
from faket_dask.engine.arrays import ArraySpec, create_array, create_group, open_array
from faket_dask.engine.lock import locked
from faket_dask.errors import InputError
from faket_dask.formats import ome_zarr
from faket_dask.formats.mrc import write_volume
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.kernels.backprojection_binned import back_project_binned
from faket_dask.stages.reconstruction import binned_shape, choose_tilts, filtered_shape, prepare_tilt

FILTERING = 0.15
"""Share of the time that filtering takes, about, of filtering and back-projection together."""


def reconstruct_series(
    series: TiltSeries,
    target: Path,
    section: ReconstructionSection,
    threads: int = 1,
    advance: Callable[[float], None] = lambda share: None,
) -> None:
    """Make the tomogram of a recorded tilt-series, with few of its tilts and layers in memory at a time.

    Parameters
    ----------
    series
        Aligned: its tilt axis lies along y. One whose files have an alignment that is not applied is taken with a
        warning.
    target
        ``.mrc`` file or ``.zarr`` folder (OME-Zarr) to write, whole or not at all; replaced if it is there. What is
        done lies beside it meanwhile, in ``.<name>.unfinished``.
    section
        How; the thickness must be given.
    threads
        That work at the same time; the result does not depend on them.
    advance
        Called with each share of the work that is done; they add up to 1.

    Raises
    ------
    InputError
        When the thickness is missing, the target is of another kind, the tilts are too small, or another process
        makes the same tomogram.

    Notes
    -----
    Interrupted in any way, the same call goes on where it was. Where the images, their geometry or the settings are
    not those of what is there, it is begun anew, with a warning.
    """
    if section.thickness_A is None:
        raise InputError("the thickness of the tomogram is not known; give it in Å (--thickness-A)")
    if target.suffix not in (".mrc", ".rec", ".zarr"):
        raise InputError(f"{target} is neither .mrc, .rec nor .zarr, which a tomogram can be written as")
    if series.needs_alignment:
        warnings.warn(
            f"{series.images[0][0].path} is reconstructed as if it were aligned, and its files have an alignment "
            "that is not applied; unless the images are aligned already, align them (--align)",
            stacklevel=2,
        )
    folder = target.with_name(f".{target.name}.unfinished")
    with locked(folder / "progress" / "driver.lock"):
        work = _Work(folder, series, section, section.thickness_A)
        try:
            work.begin(target)
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(work.filter, range(work.tilts.size)):
                    advance(FILTERING / work.tilts.size)
                for _ in pool.map(work.reconstruct, range(len(work.parts))):
                    advance((1 - FILTERING) / len(work.parts))
            work.finish(target)
        except InputError:
            shutil.rmtree(folder)
            raise


@dataclass(frozen=True)
class _Work:
    """What is done of a tomogram, in its folder, and how the rest is."""

    folder: Path
    series: TiltSeries
    section: ReconstructionSection
    thickness_A: float

    @cached_property
    def tilts(self) -> NDArray[np.intp]:
        return choose_tilts(self.series.geometry.tilt_angles, self.section.every)

    @cached_property
    def angles(self) -> NDArray[np.float64]:
        return self.series.geometry.tilt_angles[self.tilts]

    @cached_property
    def parts(self) -> Parts:
        voxel = self.section.pixels_per_voxel
        layers = max(1, round(self.thickness_A / self.series.pixel_size_A) // voxel)
        return Parts((layers, *binned_shape(self.series.shape[1:], voxel)))

    @property
    def stores(self) -> Path:
        return self.folder / "stores.zarr"

    @cached_property
    def filtered(self) -> ArraySpec:
        section = self.section
        shape = filtered_shape(self.series.shape[1:], section.binning, section.binning_after)
        return filtered_array("filtered", (self.tilts.size, *shape))

    @cached_property
    def volume(self) -> ArraySpec:
        return self.parts.array("volume")

    def inputs(self) -> str:
        """All that the tomogram depends on."""
        document = {
            "images": self.series.checksum(),
            "tilt_angles": self.series.geometry.tilt_angles.tolist(),
            "pixel_size_A": self.series.pixel_size_A,
            "settings": self.section.model_dump(mode="json", exclude={"of"}),
            "kernel_version": KERNEL_VERSION,
        }
        return json.dumps(document)

    def begin(self, target: Path) -> None:
        """Go on with what is there, if it is of the same inputs."""
        noted, inputs = self.folder / "inputs.json", self.inputs()
        if not noted.exists() or noted.read_text(encoding="utf-8") != inputs:
            if noted.exists():
                warnings.warn(
                    f"what had been done of {target} was of other images or settings; it is begun anew",
                    stacklevel=3,
                )
                noted.unlink()
            if self.stores.exists():
                shutil.rmtree(self.stores)
            write_text(noted, inputs)
        create_group(self.stores, {})
        for array in (self.filtered, self.volume):
            if min(array.shape) < 1:
                raise InputError(
                    f"{self.series.images[0][0].path} cannot be filtered: {self.section.pixels_per_voxel} pixels "
                    f"per voxel are more than its tilts have ({self.series.shape[1:]})"
                )
            create_array(self.stores, array)

    def _is_done(self, array: ArraySpec, position: tuple[int, ...]) -> bool:
        file = self.stores / array.file(position)
        return file.exists() and file.stat().st_size > 0  # a machine that goes down may leave a name alone

    def filter(self, index: int) -> None:
        """Make one tilt ready."""
        if self._is_done(self.filtered, (index, 0, 0)):
            return
        section, series = self.section, self.series
        try:
            ready = prepare_tilt(
                series.tilt(int(self.tilts[index])),
                section.filter,
                self.angles,
                index,
                self.thickness_A / (series.pixel_size_A * section.binning),
                section.binning,
                section.binning_after,
            )
        except ValueError as error:
            raise InputError(f"{series.images[0][0].path} cannot be filtered: {error}") from None
        open_array(self.stores, self.filtered.name)[index] = ready

    def reconstruct(self, index: int) -> None:
        """Make one part of the volume."""
        if self._is_done(self.volume, self.parts.position(index)):
            return
        layers, rows = self.parts.region(index)
        part = back_project_binned(
            np.asarray(open_array(self.stores, self.filtered.name, "r")[:, rows, :]),
            self.angles,
            layers.stop - layers.start,
            self.section.binning_after,
            z_centre=self.parts.shape[0] // 2 - layers.start,
            device=self.section.device,
        )
        open_array(self.stores, self.volume.name)[layers, rows, :] = part

    def finish(self, target: Path) -> None:
        """Write the tomogram under its name, and nothing else stays."""
        volume = open_array(self.stores, self.volume.name, "r")
        voxel_size_A = self.series.pixel_size_A * self.section.pixels_per_voxel
        whole = self.folder / "whole" / target.name
        shutil.rmtree(whole.parent, ignore_errors=True)
        whole.parent.mkdir()
        if target.suffix == ".zarr":
            ome_zarr.write_volume(whole, volume, voxel_size_A)
            if target.exists():
                target.replace(whole.parent / "before")
        else:
            write_volume(whole, volume, voxel_size_A)
        whole.replace(target)
        shutil.rmtree(self.folder)
