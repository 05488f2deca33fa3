"""What a run will do and what it will cost, before it does anything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from faket_dask.cluster.requirements import GIB, Requirements, StageRequirement
from faket_dask.config import RunConfig
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.parts import SLAB_LAYERS
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import tomograms_of
from faket_dask.html_table import html_table
from faket_dask.kernels.backprojection_binned import FINE_LAYERS
from faket_dask.kernels.similarity.texture_similarity import CROP_PX, GRAM_LAYERS
from faket_dask.kernels.style.memory import targets_bytes, tiled_work
from faket_dask.pipeline import STAGES
from faket_dask.pipeline.calibration import Calibration, calibration
from faket_dask.pipeline.input_checks import resolve
from faket_dask.pipeline.realism import measured_modalities, realism_item
from faket_dask.pipeline.series import SYNTHESISED
from faket_dask.stages.tiling import INTERPRETER_BYTES, task_bytes

BatchKey = tuple[str, str]

BACK_PROJECTION_BYTES = 5 * 2**28
"""Intermediate results of a back-projection on a GPU: about five arrays of a quarter of a gigabyte."""

CUDA_HOST_BYTES = 3 * GIB
"""What CUDA's libraries take of a worker's own memory; an estimate."""

CUDA_CONTEXT_BYTES = GIB
"""What CUDA, cuDNN and the network take of a GPU before it holds any image; an estimate."""


@dataclass(frozen=True)
class Batch:
    """All units of one stage of one item; none of them starts before the batches in `after` have ended."""

    stage: str
    item: str
    count: int
    after: tuple[BatchKey, ...] = ()

    @property
    def key(self) -> BatchKey:
        return (self.stage, self.item)


@dataclass(frozen=True, repr=False)
class Plan:
    """The batches of a data set, in the order they are started, and what they cost."""

    spec: DatasetSpec

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        return tuple(_batches(self.spec))

    def requirements(self, done: dict[BatchKey, int] | None = None) -> Requirements:
        """Cost of what is left to do, when `done` units of each batch are done already."""
        done = done or {}
        costs = _Costs(self.spec, calibration(self.spec.config.style.threads))
        stages = []
        left_by_stage = {name: 0 for name in STAGES}
        for batch in self.batches:
            left_by_stage[batch.stage] += batch.count - done.get(batch.key, 0)
        for name, left in left_by_stage.items():
            if any(batch.stage == name for batch in self.batches):
                seconds, memory, written = costs.of(name)
                gpu = costs.gpu_bytes(name)
                host = memory + (CUDA_HOST_BYTES if gpu else 0)
                stages.append(StageRequirement(name, left, host, seconds, written * left, gpu))
        return Requirements(
            tuple(stages),
            widest=max(1, *left_by_stage.values()),
            threads_per_task=self.spec.config.style.threads,
        )

    def __repr__(self) -> str:
        units = sum(batch.count for batch in self.batches)
        return f"Plan({self.spec.folder.root.name!r}: {len(self.spec.series)} series, {units} units)"

    def _repr_html_(self) -> str:
        spec = self.spec
        requirements = self.requirements()
        body = [
            (
                stage.stage,
                stage.units,
                f"{stage.bytes_per_task / GIB:.2f} GiB",
                f"{stage.seconds_per_task:.2g} s",
                f"{stage.bytes_written / GIB:.3f} GiB",
            )
            for stage in requirements.stages
        ]
        total = (
            "all",
            requirements.units,
            f"{requirements.bytes_per_task / GIB:.2f} GiB",
            f"{requirements.core_seconds:.0f} s on one core",
            f"{requirements.bytes_written / GIB:.3f} GiB",
        )
        return html_table(
            f"{len(spec.series)} series of {spec.geometry.stack_text} (tilts x y x x)",
            ("stage", "units", "memory per task", "time per task", "written"),
            [*body, total],
        )


def plan(config: RunConfig) -> Plan:
    """Check a configuration and its inputs, and plan the data set.

    Raises
    ------
    InputError
        Naming every problem of the inputs, one line each.
    """
    return Plan(resolve(config))


def _batches(spec: DatasetSpec) -> list[Batch]:
    """References first, then series by series, so that the first complete ones are there early."""
    batches: dict[BatchKey, Batch] = {}

    def add(stage: str, item: str, *after: BatchKey) -> BatchKey:
        key = (stage, item)
        if key not in batches:
            batches[key] = Batch(stage, item, STAGES[stage].count(spec, item), after)
        return key

    def add_specimen(specimen: str) -> BatchKey:
        placed = add("place", specimen)
        return add("project", specimen, add("build", specimen, placed))

    modalities = spec.config.outputs.modalities
    measured, targets = {}, {}
    for reference in spec.used_references:
        if reference in spec.inputs.recordings:
            measured[reference] = add("measure", reference)
        else:
            specimen = spec.simulated_specimen(reference)
            measured[reference] = add("measure", reference, add("image", specimen, add_specimen(specimen)))
    if "faket" in modalities:
        styled = {name for series in spec.series for name, _ in spec.parts(series.reference)}
        targets = {
            name: add("targets", name, measured[name]) for name in spec.used_references if name in styled
        }
    for series in spec.series:
        projected = add_specimen(series.specimen)
        parts = [name for name, _ in spec.parts(series.reference)]
        made = [projected]
        if "benchmark" in modalities:
            made.append(add("image", series.specimen, projected))
        if spec.makes_series:
            statistics = (
                list(measured.values())
                if spec.config.noise.fit_over == "all_references"
                else [measured[name] for name in parts]
            )
            leveled = add("levels", series.name, projected, *statistics)
            grams = [targets[name] for name in parts if name in targets]
            made.append(add("style", series.name, leveled, *grams))
        if spec.config.outputs.report:
            compared = [measured[name] for name in parts]
            for modality in measured_modalities(spec):
                add("realism", realism_item(series.name, modality), *made, *compared)
        for tomogram in tomograms_of(spec, series):
            add("reconstruct", tomogram.item, add("filter", tomogram.item, tomogram.source))
    return list(batches.values())


@dataclass(frozen=True)
class _Costs:
    """Seconds, peak bytes and bytes written of one unit of each stage."""

    spec: DatasetSpec
    speed: Calibration

    def of(self, stage: str) -> tuple[float, int, int]:
        spec, speed = self.spec, self.speed
        tilts, (rows, columns) = spec.geometry.tilt_counts[1], spec.geometry.tilt_shape
        tilt_pixels = rows * columns
        depth, _, width = spec.geometry.volume_shape(spec.specimens[0])
        block_rows = min(BLOCK_ROWS, rows)
        block_voxels = depth * block_rows * width
        block_stack = 4 * tilts * block_rows * columns
        reference_pixels = max(
            (int(np.prod(found.shape[1:])) for found in spec.inputs.recordings.values()),
            default=tilt_pixels,
        )
        base = INTERPRETER_BYTES
        kept = sum(name in spec.config.outputs.modalities for name in (*SYNTHESISED, "faket"))
        made = tomograms_of(spec, spec.series[0])
        filtered_tilts, filtered_rows, filtered_columns = made[0].filtered_shape if made else (0, 0, 0)
        filtered_pixels = filtered_rows * filtered_columns
        layers = made[0].shape[0] if made else 0
        match stage:
            case "place":
                return 1.0, base, 0
            case "build":
                # density twice while the particles displace each other, the two masks, and the encoder's copy
                return speed.build_s_per_voxel * block_voxels, base + 15 * block_voxels, 7 * block_voxels
            case "project":
                seconds = speed.project_s_per_voxel * block_voxels * tilts
                return seconds, base + 12 * block_voxels + 3 * block_stack, block_stack
            case "image":
                return speed.image_s_per_pixel * tilt_pixels, base + 72 * tilt_pixels, 4 * tilt_pixels
            case "measure":
                return (
                    (8 if spec.measures_spectra else 1) * speed.levels_s_per_pixel * reference_pixels * tilts,
                    base + 96 * reference_pixels,
                    32 * tilts,
                )
            case "levels":
                return speed.levels_s_per_pixel * tilt_pixels * tilts, base + 64 * tilt_pixels, 64 * tilts
            case "targets":
                return speed.targets_s_per_pixel * reference_pixels, self._style_bytes, 4 * 610_000
            case "style":
                if "faket" not in spec.config.outputs.modalities:
                    return (
                        speed.levels_s_per_pixel * tilt_pixels,
                        base + 64 * tilt_pixels,
                        4 * kept * tilt_pixels,
                    )
                evaluations = spec.config.style.most_evaluations
                seconds = speed.style_s_per_pixel * tilt_pixels * evaluations * self._tiled_work
                return seconds, self._style_bytes, 4 * kept * tilt_pixels
            case "realism":
                pixels = min(CROP_PX, rows) * min(CROP_PX, columns)
                halves = (min(CROP_PX, rows), min(CROP_PX, columns) // 2)
                memory = (
                    base + targets_bytes(halves, None, GRAM_LAYERS) + 64 * max(tilt_pixels, reference_pixels)
                )
                return 2 * speed.targets_s_per_pixel * pixels, memory, 0
            case "filter":
                # the tilt binned, its transform, and the filter in double precision with what it is made from
                return speed.levels_s_per_pixel * tilt_pixels, base + 60 * tilt_pixels, 4 * filtered_pixels
            case "reconstruct":
                after = spec.config.reconstruction.post_binning
                block = min(BLOCK_ROWS, filtered_rows) * filtered_columns
                voxels = min(SLAB_LAYERS, layers) * block // after
                seconds = speed.back_project_s_per_voxel * after**2 * voxels * filtered_tilts
                # the rows twice, the part, and the encoder's copy; layers of full resolution, and low-passed
                memory = base + 8 * filtered_tilts * BLOCK_ROWS * filtered_columns + 8 * voxels
                return seconds, memory + (8 * FINE_LAYERS * block if after > 1 else 0), 4 * voxels
        raise KeyError(stage)

    def gpu_bytes(self, stage: str) -> int:
        """Peak memory of a GPU that computes one unit of a stage; 0 for stages that use none."""
        config = self.spec.config
        styled = stage in ("targets", "style", "realism") and "faket" in config.outputs.modalities
        if styled and config.style.device == "cuda":
            _, memory, _ = self.of(stage)
            return CUDA_CONTEXT_BYTES + memory - INTERPRETER_BYTES
        if stage == "reconstruct" and config.reconstruction.device == "cuda":
            _, memory, _ = self.of(stage)
            return CUDA_CONTEXT_BYTES + memory - INTERPRETER_BYTES + BACK_PROJECTION_BYTES
        return 0

    @cached_property
    def _style_bytes(self) -> int:
        style = self.spec.config.style
        shapes = [found.shape[1:] for found in self.spec.inputs.recordings.values()]
        return task_bytes(style, self.spec.geometry.tilt_shape, shapes, style.tile_px)

    @property
    def _tiled_work(self) -> float:
        style = self.spec.config.style
        layers = set().union(*style.loss_layers)
        return tiled_work(self.spec.geometry.tilt_shape, style.tile_px, layers)
