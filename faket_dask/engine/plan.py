"""Plans: all batches of a run in the order they are started, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic

from dask.utils import format_bytes

from faket_dask.cluster.requirements import GIB, Requirements, StageRequirement
from faket_dask.durations import format_duration
from faket_dask.engine.pipeline import Pipeline, read_pipeline
from faket_dask.engine.stage import BatchKey, S, Stage
from faket_dask.engine.unit import Item, Unit
from faket_dask.html_table import html_table

CUDA_HOST_BYTES = 3 * GIB
"""Memory that CUDA's libraries take of a worker process; an estimate."""


@dataclass(frozen=True)
class Batch:
    """Units of one stage of one item; none of them starts before the batches in `after` are complete."""

    stage: str
    item: Item
    count: int
    after: tuple[BatchKey, ...] = ()

    @property
    def key(self) -> BatchKey:
        """Name of the batch."""
        return BatchKey(self.stage, self.item)

    def unit(self, index: int) -> Unit:
        """Return the name of one of its units."""
        return Unit(self.stage, self.item, index)


@dataclass(frozen=True, repr=False)
class Plan(Generic[S]):
    """Batches of a run, in the order they are started, and their cost.

    Parameters
    ----------
    spec
        Specification of the run.
    pipeline
        Stages that compute it.
    """

    spec: S
    pipeline: Pipeline[S]

    def stage(self, name: str) -> Stage[S]:
        """Return a stage by name."""
        return self.pipeline[name]

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """Batches of all stages, each behind those that it waits for; items of a lower rank come first."""
        requested = [
            (self.pipeline.rank(self.spec, item), number, BatchKey(stage.name, item))
            for number, stage in enumerate(self.pipeline.stages)
            for item in stage.items(self.spec)
        ]
        ordered: dict[BatchKey, Batch] = {}
        for _, _, key in sorted(requested, key=lambda entry: entry[:2]):
            self._add_batch(key, ordered)
        return tuple(ordered.values())

    def _add_batch(self, key: BatchKey, ordered: dict[BatchKey, Batch]) -> None:
        if key in ordered:
            return
        stage = self.stage(key.stage)
        after = tuple(stage.predecessors(self.spec, key.item))
        for predecessor in after:
            self._add_batch(predecessor, ordered)
        ordered[key] = Batch(key.stage, key.item, stage.count(self.spec, key.item), after)

    @cached_property
    def stages(self) -> tuple[Stage[S], ...]:
        """Stages that have batches, in the order of the pipeline."""
        present = {batch.stage for batch in self.batches}
        return tuple(stage for stage in self.pipeline.stages if stage.name in present)

    @cached_property
    def products(self) -> tuple[Batch, ...]:
        """Batches that a user counts, such as one per series."""
        batches = {batch.key: batch for batch in self.batches}
        return tuple(batches[key] for key in self.pipeline.list_products(self.spec))

    def units(self) -> Iterator[Unit]:
        """Iterate over all units in the order of the batches."""
        for batch in self.batches:
            yield from map(batch.unit, range(batch.count))

    def requirements(self, done: Mapping[BatchKey, int] | None = None) -> Requirements:
        """Estimate what is left to do.

        Parameters
        ----------
        done
            Number of units of each batch that are done already.
        """
        done = done or {}
        left: dict[str, dict[Item, int]] = {stage.name: {} for stage in self.stages}
        for batch in self.batches:
            left[batch.stage][batch.item] = batch.count - done.get(batch.key, 0)
        stages, started = [], set[str]()
        for stage in self.stages:
            units = sum(left[stage.name].values())
            if not units:
                stages.append(StageRequirement(stage.name, 0, 0, 0.0, 0))
                continue
            cost = stage.cost(self.spec)
            stages.append(
                StageRequirement(
                    stage.name,
                    units,
                    cost.memory_bytes + (CUDA_HOST_BYTES if cost.gpu_bytes else 0),
                    stage.mean_seconds(self.spec, left[stage.name]),
                    cost.written_bytes * units,
                    cost.gpu_bytes,
                    longest_task_s=cost.seconds,
                    start_s=sum(seconds for name, seconds in cost.start.items() if name not in started),
                )
            )
            started.update(cost.start)
        left_units = {stage.stage: stage.units for stage in stages}
        return Requirements(
            tuple(stages),
            widest=max(1, *left_units.values()) if left_units else 1,
            threads_per_task=self.spec.threads_per_task,
        )

    def __repr__(self) -> str:
        units = sum(batch.count for batch in self.batches)
        return f"Plan({self.spec.folder.root.name!r}: {self.spec.title}, {units} units)"

    def _repr_html_(self) -> str:
        requirements = self.requirements()
        rows = [
            (
                stage.stage,
                stage.units,
                format_bytes(stage.bytes_per_task),
                format_duration(stage.seconds_per_task),
                format_bytes(stage.bytes_written),
            )
            for stage in requirements.stages
        ]
        total = (
            "all",
            requirements.units,
            format_bytes(requirements.bytes_per_task),
            f"{format_duration(requirements.core_seconds)} on one core",
            format_bytes(requirements.bytes_written),
        )
        head = ("stage", "units", "memory per task", "time per task", "written")
        return html_table(self.spec.title, head, [*rows, total])


def read_plan(folder: str | Path) -> Plan[Any]:
    """Read the plan of an existing run's folder.

    Raises
    ------
    InputError
        If the folder holds no run, or its description cannot be read.
    """
    root = Path(folder).resolve()
    pipeline = read_pipeline(root)
    return Plan(pipeline.read(root), pipeline)
