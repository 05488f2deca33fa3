"""How many units go in one task, so that the scheduler is asked for no more than it gives."""

from __future__ import annotations

TASKS_PER_S = 5
"""That all workers together should take. A task costs the scheduler some milliseconds whatever its length: these
cost it little, where short units, one by one on hundreds of workers, would all wait for it."""

LONGEST_S = 60.0
"""For a task of several units: their ends and failures are told when it ends."""

REMEMBERED = 100
"""Units after which the length of one has no more weight: the first ones of a worker also compile and open."""

SHORTEST_S = 1e-3
"""That a unit is taken to last: one that took no time to speak of still costs its worker this much."""


class Lengths:
    """How long units of each stage take, from those that have ended."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def note(self, stage: str, seconds: float) -> None:
        count = self._counts[stage] = min(self._counts.get(stage, 0) + 1, REMEMBERED)
        before = self._seconds.get(stage, 0.0)
        self._seconds[stage] = before + (seconds - before) / count

    def group_size(self, stage: str, threads: int) -> int:
        """Units of a stage for one task, when so many threads take tasks.

        One, as long as none has ended: it may be long.
        """
        if stage not in self._seconds:
            return 1
        task_s = min(threads / TASKS_PER_S, LONGEST_S)
        return max(1, int(task_s / max(self._seconds[stage], SHORTEST_S)))
