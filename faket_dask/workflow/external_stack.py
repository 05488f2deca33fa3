"""Tomogram of an external tilt-series, in the same durable units as those of a data set.

The units' files lie in a hidden folder beside the target until the tomogram is complete. The same call resumes from
them; one with other images or settings starts anew.
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.cluster.requirements import GIB
from faket_dask.config import ReconstructionSection
from faket_dask.dataset.fingerprint import KERNEL_VERSION
from faket_dask.dataset.layout import FILTERED_TILTS, TOMOGRAMS
from faket_dask.dataset.tomogram_chunks import TomogramChunks
from faket_dask.engine.arrays import create_group, open_array
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import Event, UnitDone
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.lock import hold_lock
from faket_dask.engine.pipeline import Pipeline
from faket_dask.engine.plan import Plan
from faket_dask.engine.serial import execute_serially
from faket_dask.engine.specification import digest_inputs
from faket_dask.engine.stage import BatchKey, UnitCost
from faket_dask.engine.unfinished import is_other_work, may_hold_work
from faket_dask.engine.unit import Item
from faket_dask.errors import DiskFullError, FaketDaskError, InputError
from faket_dask.formats import ome_zarr
from faket_dask.formats.mrc import write_volume
from faket_dask.formats.side_files import list_misreadings, list_series_files
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.placing import put_file_in_place, put_folder_in_place
from faket_dask.outputs.record import absolute
from faket_dask.pipeline.tomogram_stages import BackProjectPieces, FilterStack
from faket_dask.stages.device import check_device
from faket_dask.stages.reconstruction import (
    HALVES,
    Half,
    Restoration,
    binned_shape,
    choose_half,
    choose_tilts,
    density_scale,
    describe_restoration,
    filtered_shape,
    weighs_spans,
)
from faket_dask.workflow.series_restoration import check_restorable, restore_series

FILTER_SHARE = 0.15
"""Approximate share of the time that filtering takes of the whole."""

ITEM = Item("tomogram")


def _name_half(target: Path, half: Half | None) -> Path:
    """Return the file of the tomogram of a half, beside that of all tilts."""
    return target if half is None else target.with_name(f"{target.stem}_{half}{target.suffix}")


@dataclass(frozen=True)
class StackSpec:
    """Specification of the tomogram of an external stack; also the source that its stages read.

    Parameters
    ----------
    root
        Folder of the units' files.
    series
        Aligned tilt-series.
    section
        Settings; the thickness is given.
    half
        Half of the tilts that are back-projected; all of them if ``None``.
    """

    root: Path
    series: TiltSeries
    section: ReconstructionSection
    half: Half | None = None

    threads_per_task = 1
    filtered_name = "tomogram"
    description_files = frozenset[str]()

    @property
    def folder(self) -> RunFolder:
        """Paths of the run."""
        return RunFolder(self.root)

    @property
    def device(self) -> str:
        """Device of the back-projection."""
        return self.section.device

    @property
    def title(self) -> str:
        """One line for displays."""
        return f"tomogram of {self.chunks.shape} voxels from {self.tilts.size} tilts"

    @cached_property
    def result_inputs(self) -> dict[str, Any]:
        """Contents of the fingerprint."""
        return {
            "images": self.series.checksum(),
            "tilt_angles": self.series.geometry.tilt_angles.tolist(),
            "pixel_size_A": self.series.pixel_size_A,
            "settings": self.section.list_settings(),
            "restoration": repr(self.restoration),
            "span_weights": weighs_spans(self.section.filter, self.tilt_angles),
            "kernel_version": KERNEL_VERSION,
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of images, geometry and settings."""
        return digest_inputs(self.result_inputs)

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts for the record of a run."""
        return {"kernel_version": KERNEL_VERSION}

    def relocate(self, root: Path) -> StackSpec:
        """Return the same specification for another folder."""
        return replace(self, root=root)

    def write(self) -> None:
        """Store the description of the run."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_text(self.folder.description, json.dumps(TOMOGRAM.describe(self)) + "\n")

    @property
    def halves(self) -> tuple[Half, ...]:
        """Halves of the tilts of which there are to be tomograms, too."""
        return tuple(half for kind in dict.fromkeys(self.section.halves) for half in HALVES[kind])

    @property
    def array_name(self) -> str:
        """Name of the tomogram's array."""
        return self.filtered_name if self.half is None else f"{self.filtered_name}_{self.half}"

    @cached_property
    def restoration(self) -> Restoration | None:
        """Correction of the tilts before they are filtered."""
        return restore_series(self.series, self.section, self.tilts)

    @property
    def members(self) -> NDArray[np.intp]:
        """Indices, among the filtered tilts, of those that are back-projected."""
        if self.half is None:
            return np.arange(self.tilts.size)
        before = self.series.geometry.exposure_before_e_per_A2
        return choose_half(self.half, self.tilts.size, None if before is None else before[self.tilts])

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the tomogram's array."""
        section, angles = self.section, self.tilt_angles[self.members]
        shape = binned_shape(self.series.shape[1:], section.binning)
        scale = density_scale(section.filter, shape, angles, section.binning)
        return {"density_scale": scale, **describe_restoration(self.restoration)}

    @property
    def store(self) -> Path:
        """Zarr store of the tomogram and its filtered tilts."""
        return self.root / "stores.zarr"

    @property
    def group(self) -> Path:
        """Zarr group of the tomogram."""
        return self.store / TOMOGRAMS

    @property
    def filtered_group(self) -> Path:
        """Zarr group of the filtered tilts."""
        return self.store / FILTERED_TILTS

    @cached_property
    def tilts(self) -> NDArray[np.intp]:
        """Indices of the tilts that are filtered."""
        return choose_tilts(self.series.geometry.tilt_angles, self.section.tilt_stride)

    @cached_property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees, of those tilts."""
        return self.series.geometry.tilt_angles[self.tilts]

    @property
    def thickness_A(self) -> float:
        """Thickness of the tomogram."""
        assert self.section.thickness_A is not None
        return self.section.thickness_A

    @property
    def thickness_px(self) -> float:
        """Thickness in pixels of the binned tilts."""
        return self.thickness_A / (self.series.pixel_size_A * self.section.binning)

    @cached_property
    def filtered_shape(self) -> tuple[int, int, int]:
        """Tilts, rows and columns of the filtered tilts."""
        shape = filtered_shape(self.series.shape[1:], self.section.binning, self.section.post_binning)
        return (self.tilts.size, *shape)

    @cached_property
    def chunks(self) -> TomogramChunks:
        """Pieces that units make."""
        voxel = self.section.pixels_per_voxel
        layers = max(1, round(self.thickness_A / self.series.pixel_size_A) // voxel)
        return TomogramChunks((layers, *binned_shape(self.series.shape[1:], voxel)))

    def read_tilt(self, index: int) -> NDArray[np.generic]:
        """Read one of `tilts`, ``(y, x)``."""
        return self.series.tilt(int(self.tilts[index]))


class FilterExternalStack(FilterStack[StackSpec]):
    """Bin and filter one tilt."""

    name = "filter"
    label = "filter-projection"

    def open_source(self, spec: StackSpec, item: Item) -> StackSpec:
        """Return the specification, which is its own source."""
        return spec

    def items(self, spec: StackSpec) -> list[Item]:
        """Return the one tomogram."""
        return [ITEM]

    def prepare(self, spec: StackSpec, item: Item) -> None:
        """Create the groups of the store."""
        for path in (spec.store, spec.group, spec.filtered_group):
            create_group(path, {})

    def compute(self, spec: StackSpec, item: Item, index: int) -> dict[str, Any]:
        """Filter and write one tilt."""
        try:
            return dict(super().compute(spec, item, index))
        except FaketDaskError:
            raise
        except ValueError as error:
            tilt = spec.series.describe_tilt(int(spec.tilts[index]))
            raise InputError(f"{tilt}, cannot be filtered: {error}") from None

    def cost(self, spec: StackSpec) -> UnitCost:
        """Return nothing known: it runs in this process."""
        return UnitCost(None, 0, 0)


class ReconstructExternalStack(BackProjectPieces[StackSpec]):
    """Back-project one slab of one block of rows."""

    name = "reconstruct"
    label = "reconstruct-block"

    def open_source(self, spec: StackSpec, item: Item) -> StackSpec:
        """Return the specification, which is its own source."""
        return replace(spec, half=Half(item.part) if item.part else None)

    def items(self, spec: StackSpec) -> list[Item]:
        """Return the tomogram, and those of halves."""
        return [ITEM, *(Item(ITEM.owner, half) for half in spec.halves)]

    def predecessors(self, spec: StackSpec, item: Item) -> list[BatchKey]:
        """Return the filtered tilts."""
        return [BatchKey(FilterExternalStack.name, ITEM)]

    def cost(self, spec: StackSpec) -> UnitCost:
        """Return nothing known: it runs in this process."""
        return UnitCost(None, 0, 0)


def _refuse_to_read(root: Path) -> StackSpec:
    raise InputError(
        f"{root} is an unfinished tomogram; give the same `faket-dask reconstruct` again to finish it"
    )


TOMOGRAM = Pipeline(
    name="external-tomogram",
    target="faket_dask.workflow.external_stack:TOMOGRAM",
    stages=(FilterExternalStack(), ReconstructExternalStack()),
    read=_refuse_to_read,
)
"""Pipeline of one tomogram; it runs in the process that opened the stack."""


def reconstruct_series(
    series: TiltSeries,
    target: Path,
    section: ReconstructionSection,
    threads: int = 1,
    advance: Callable[[float], None] = lambda share: None,
    *,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> None:
    """Reconstruct a recorded tilt-series, with few of its tilts and layers in memory at a time.

    Parameters
    ----------
    series
        Aligned tilt-series: its tilt axis lies along y. A warning is given if its files have an alignment that is not
        applied.
    target
        ``.mrc`` file or ``.zarr`` folder (OME-Zarr) to write, whole or not at all; an existing one is replaced if this
        program wrote it. Tomograms of halves of the tilts lie beside it, ``<name>_odd.mrc`` and so on. Unfinished work
        is in ``.<name>.unfinished``.
    section
        Settings; the thickness must be given.
    threads
        Number of threads; the result does not depend on it.
    advance
        Called with each share of the work that is done; they add up to 1.
    inputs
        Files that the series was read from, beside its images.
    overwrite
        True to replace a file of others, too; never one of the series, nor a folder with files of others.

    Raises
    ------
    InputError
        If the thickness is missing, or the defocus or exposures that a correction needs, the target is of another
        kind, a file of the series, or not this program's, or cannot be written, the tilts are too small, or there is
        no such device.
    DiskFullError
        If the disk has no space for the tomogram.
    DatasetBusyError
        If another process makes the same tomogram.

    Notes
    -----
    Interrupted in any way, the same call resumes. If the images, their geometry or the settings differ from those of
    the unfinished work, it starts anew, with a warning.
    """
    if section.thickness_A is None:
        raise InputError("the thickness of the tomogram is not known; give it in Å (--thickness-A)")
    if target.suffix not in (".mrc", ".rec", ".zarr"):
        raise InputError(f"{target} is neither .mrc, .rec nor .zarr, which a tomogram can be written as")
    if threads < 1:
        raise InputError(f"{threads} threads cannot work; give at least one (--threads)")
    check_device(section.device)
    target = absolute(target)
    spec = StackSpec(target.with_name(f".{target.name}.unfinished"), series, section)
    check_restorable(series, section, spec.tilts)
    is_folder = target.suffix == ".zarr"
    targets = [_name_half(target, half) for half in (None, *spec.halves)]
    claim = claim_outputs(
        [] if is_folder else targets,
        targets if is_folder else [],
        inputs=list_series_files(series, inputs),
        overwrite=overwrite,
        refusals=[
            *(reason for path in targets for reason in list_misreadings(path, is_series=False)),
            *(
                []
                if may_hold_work(spec.root)
                else [f"{spec.root} holds no unfinished tomogram; move it away"]
            ),
        ],
    )
    with claim:
        _check_sizes(spec, target)
        _reconstruct(spec, target, threads, advance)


def _reconstruct(spec: StackSpec, target: Path, threads: int, advance: Callable[[float], None]) -> None:
    series = spec.series
    if series.needs_alignment:
        warnings.warn(
            f"{series.images[0][0].path} is reconstructed as if it were aligned, and its files have an alignment "
            "that is not applied; unless the images are aligned already, align them (--align)",
            stacklevel=3,
        )
    with hold_lock(spec.folder.lock):
        try:
            _discard_other_work(spec, target)
            spec.write()
            plan = Plan(spec, TOMOGRAM)
            _compute(plan, threads, advance)
        except FaketDaskError:
            shutil.rmtree(spec.root)
            raise
        _write_target(spec, target)


def _check_sizes(spec: StackSpec, target: Path) -> None:
    if min(*spec.filtered_shape, *spec.chunks.shape) < 1:
        raise InputError(
            f"{spec.series.images[0][0].path} cannot be filtered: {spec.section.pixels_per_voxel} pixels per voxel "
            f"are more than its tilts have ({spec.series.shape[1:]})"
        )
    tomograms = 1 + len(spec.halves)
    needed, free = 4 * tomograms * math.prod(spec.chunks.shape), shutil.disk_usage(target.parent).free
    if needed > free:
        number, take = ("a tomogram", "takes") if tomograms == 1 else (f"{tomograms} tomograms", "take")
        raise DiskFullError(
            f"{target}: {number} of {' x '.join(map(str, spec.chunks.shape))} voxels {take} {needed / GIB:.1f} GiB, "
            f"and {free / GIB:.1f} GiB are free there; choose another folder, a larger --binning or a smaller "
            "--thickness-A"
        )


def _discard_other_work(spec: StackSpec, target: Path) -> None:
    """Remove unfinished work of other images or settings."""
    if not is_other_work(spec):
        return
    warnings.warn(
        f"what had been done of {target} was of other images or settings; it is begun anew", stacklevel=4
    )
    shutil.rmtree(spec.store, ignore_errors=True)


def _compute(plan: Plan[StackSpec], threads: int, advance: Callable[[float], None]) -> None:
    counts: Counter[str] = Counter()
    for batch in plan.batches:
        counts[batch.stage] += batch.count
    shares = {
        FilterExternalStack.name: FILTER_SHARE / counts[FilterExternalStack.name],
        ReconstructExternalStack.name: (1 - FILTER_SHARE) / counts[ReconstructExternalStack.name],
    }

    def report(event: Event) -> None:
        if isinstance(event, UnitDone):
            advance(shares[event.unit.stage])

    completed = CompletedUnits.read(plan)
    for key, progress in completed.batches.items():
        advance(shares[key.stage] * progress.count)
    execute_serially(plan, completed, report, threads=threads)


def _write_target(spec: StackSpec, target: Path) -> None:
    """Write the tomograms under their names, and remove everything else."""
    voxel_size_A = spec.series.pixel_size_A * spec.section.pixels_per_voxel
    complete = spec.root / "complete"
    shutil.rmtree(complete, ignore_errors=True)
    complete.mkdir()
    for half in (*spec.halves, None):
        volume = open_array(spec.group, replace(spec, half=half).array_name, "r")
        named = _name_half(target, half)
        if target.suffix == ".zarr":
            ome_zarr.write_volume(complete / named.name, volume, voxel_size_A)
            put_folder_in_place(complete / named.name, named)
        else:
            write_volume(complete / named.name, volume, voxel_size_A)
            put_file_in_place(complete / named.name, named)
    shutil.rmtree(spec.root)
