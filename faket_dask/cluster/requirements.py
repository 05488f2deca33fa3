"""What a run asks of the machines it runs on, known before anything is submitted."""

from __future__ import annotations

import math
from dataclasses import dataclass

GIB = 2**30

HEADROOM = 1.25
"""Memory of a worker over that of a task.

Dask ends a worker at 95 % of its limit, and counts the libraries' files that are mapped into it along: these are
shared between workers and can be dropped, and their part differs by a few hundred MiB between machines.
"""


@dataclass(frozen=True)
class StageRequirement:
    """All units of one stage of a run.

    Parameters
    ----------
    stage
        Its name.
    units
        How many are left to compute.
    bytes_per_task
        Peak memory of a worker process that computes one, interpreter included.
    seconds_per_task
        Estimated time of one on one core.
    bytes_written
        By all of them together, uncompressed.
    gpu_bytes_per_task
        Peak memory of the GPU that one is computed on; 0 for units that use none.
    """

    stage: str
    units: int
    bytes_per_task: int
    seconds_per_task: float
    bytes_written: int
    gpu_bytes_per_task: int = 0


@dataclass(frozen=True)
class Requirements:
    """What a whole run asks for; `widest` is the most units that can ever run at once."""

    stages: tuple[StageRequirement, ...]
    widest: int
    threads_per_task: int = 1

    @property
    def units(self) -> int:
        return sum(stage.units for stage in self.stages)

    @property
    def bytes_per_task(self) -> int:
        """Memory that every worker must have, since any unit may run on any worker."""
        return max((stage.bytes_per_task for stage in self.stages if stage.units), default=0)

    @property
    def bytes_per_worker(self) -> int:
        """Limit below which no worker is to be ended."""
        return math.ceil(HEADROOM * self.bytes_per_task)

    @property
    def gpu_bytes_per_task(self) -> int:
        """Memory that the GPU of every worker must have; 0 where no unit uses one."""
        return max((stage.gpu_bytes_per_task for stage in self.stages if stage.units), default=0)

    @property
    def longest(self) -> StageRequirement | None:
        """The stage whose units take longest; those on a GPU are left out, as only processors are calibrated."""
        timed = [stage for stage in self.stages if stage.units and not stage.gpu_bytes_per_task]
        return max(timed, key=lambda stage: stage.seconds_per_task, default=None)

    @property
    def core_seconds(self) -> float:
        return sum(stage.units * stage.seconds_per_task for stage in self.stages)

    @property
    def bytes_written(self) -> int:
        return sum(stage.bytes_written for stage in self.stages)

    def seconds(self, workers: int) -> float:
        """Estimated time on a number of workers: while they are kept busy, but no less than one unit of each stage."""
        chain = sum(stage.seconds_per_task for stage in self.stages if stage.units)
        return max(chain, self.core_seconds / max(1, min(workers, self.widest)))
