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
        Estimated time of a unit on one core.
    bytes_written
        Bytes written by all of them together, uncompressed.
    gpu_bytes_per_task
        Peak memory of the GPU that a unit is computed on; 0 for units that use none.
    """

    stage: str
    units: int
    bytes_per_task: int
    seconds_per_task: float
    bytes_written: int
    gpu_bytes_per_task: int = 0


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
        """Stage whose units take longest; GPU stages are left out, as only processors are calibrated."""
        timed = [stage for stage in self.stages if stage.units and not stage.gpu_bytes_per_task]
        return max(timed, key=lambda stage: stage.seconds_per_task, default=None)

    @property
    def core_seconds(self) -> float:
        """Estimated time of all units on one core."""
        return sum(stage.units * stage.seconds_per_task for stage in self.stages)

    @property
    def bytes_written(self) -> int:
        """Bytes written by all units together, uncompressed."""
        return sum(stage.bytes_written for stage in self.stages)

    def seconds(self, workers: int) -> float:
        """Return the estimated time on a number of workers, which is at least that of one unit of each stage."""
        chain = sum(stage.seconds_per_task for stage in self.stages if stage.units)
        return max(chain, self.core_seconds / max(1, min(workers, self.widest)))

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
