"""Resources that a run needs, known before anything is submitted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dask.utils import format_bytes

from faket_dask.errors import InputError

GIB = 2**30

HEADROOM = 1.25
"""Ratio of a worker's memory to that of a task.

Dask ends a worker at 95 % of its limit and counts mapped library files as its memory; these are shared between workers
and can be dropped, and their size differs by a few hundred MiB between machines.
"""


@dataclass(frozen=True)
class StageRequirement:
    """All units of one stage of a run.

    Parameters
    ----------
    stage
        Name of the stage.
    units
        Number of units left to compute.
    bytes_per_task
        Peak memory of a worker process that computes a unit, interpreter included.
    seconds_per_task
        Estimated mean time of a unit on one core; ``None`` where it is not known.
    bytes_written
        Bytes written by all of them together, uncompressed.
    gpu_bytes_per_task
        Peak memory of the GPU that a unit is computed on; 0 for units that use none.
    longest_task_s
        Estimated time of the largest unit; by default the mean.
    start_s
        Estimated time that every worker takes once before its first unit, such as to load a network.
    """

    stage: str
    units: int
    bytes_per_task: int
    seconds_per_task: float | None
    bytes_written: int
    gpu_bytes_per_task: int = 0
    longest_task_s: float | None = None
    start_s: float = 0.0

    @property
    def longest_s(self) -> float:
        """Estimated time of the largest unit; 0 where it is not known."""
        return max(self.longest_task_s or 0.0, self.seconds_per_task or 0.0)

    @property
    def work_s(self) -> float:
        """Estimated time of all units on one core, without the start; 0 where it is not known."""
        return self.units * (self.seconds_per_task or 0.0)

    @property
    def seconds(self) -> float | None:
        """Estimated time of all units on one worker, with its start; ``None`` where it is not known."""
        return None if self.seconds_per_task is None else self.work_s + self.start_s


@dataclass(frozen=True)
class Requirements:
    """Resources of a whole run.

    Parameters
    ----------
    stages
        Requirements of each stage.
    widest
        Most units that can ever run at once.
    threads_per_task
        Threads that a unit computes on.

    Examples
    --------
    >>> stage = StageRequirement("project", 100, 2 * GIB, 60.0, 0)
    >>> Requirements((stage,), widest=100).seconds(workers=10)
    600.0
    """

    stages: tuple[StageRequirement, ...]
    widest: int
    threads_per_task: int = 1

    @property
    def units(self) -> int:
        """Number of units left to compute."""
        return sum(stage.units for stage in self.stages)

    @property
    def bytes_per_task(self) -> int:
        """Peak memory of the largest unit: every worker needs it, since any unit may run on any worker."""
        return max((stage.bytes_per_task for stage in self.stages if stage.units), default=0)

    @property
    def bytes_per_worker(self) -> int:
        """Memory limit of a worker."""
        return max(1, math.ceil(HEADROOM * self.bytes_per_task))

    @property
    def gpu_bytes_per_task(self) -> int:
        """Peak GPU memory of the largest unit; 0 where no unit uses a GPU."""
        return max((stage.gpu_bytes_per_task for stage in self.stages if stage.units), default=0)

    @property
    def longest(self) -> StageRequirement | None:
        """Stage whose units take longest; those of unknown time and GPU stages, which are not calibrated, left out."""
        timed = [stage for stage in self.stages if stage.units and not stage.gpu_bytes_per_task]
        return max(timed, key=lambda stage: stage.longest_s, default=None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the stages that have units left and whose time is not known."""
        return tuple(stage.stage for stage in self.stages if stage.units and stage.seconds_per_task is None)

    @property
    def core_seconds(self) -> float:
        """Estimated time of all units on one core, those of unknown time left out."""
        return sum(stage.work_s + stage.start_s for stage in self.stages)

    @property
    def bytes_written(self) -> int:
        """Bytes written by all units together, uncompressed."""
        return sum(stage.bytes_written for stage in self.stages)

    def seconds(self, workers: int) -> float:
        """Return the estimated time on a number of workers, which is at least that of one unit of each stage.

        Stages of unknown time are left out (`unknown`).
        """
        chain = sum(stage.seconds_per_task or 0.0 for stage in self.stages if stage.units)
        start = sum(stage.start_s for stage in self.stages)
        work = sum(stage.work_s for stage in self.stages)
        return start + max(chain, work / max(1, min(workers, self.widest)))

    def check_worker_memory(self, memory_per_worker_GiB: float | None) -> int | None:
        """Return the bytes that the run file gives to a worker; None where it leaves them open.

        Raises
        ------
        InputError
            When one task needs more.
        """
        if memory_per_worker_GiB is None:
            return None
        memory = int(memory_per_worker_GiB * GIB)
        if memory < self.bytes_per_task:
            raise InputError(
                f"cluster.memory_per_worker_GiB is {memory_per_worker_GiB:g}, one task needs "
                f"{format_bytes(self.bytes_per_task)}"
            )
        return memory
