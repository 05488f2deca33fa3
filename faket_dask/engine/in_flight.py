"""What is out: tasks at workers, and the units that they stand for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from distributed import Client, Future

from faket_dask.engine.queue import Group
from faket_dask.engine.unit import Record, Unit
from faket_dask.engine.worker import run_units
from faket_dask.pipeline.plan import Plan

TASKS_PER_THREAD = 3
"""Submitted ahead per worker thread: none waits for the driver, and a lost worker loses little."""

COLLECT_S = 0.002
"""Per worker thread, between two checks of what has ended: with hundreds of threads half a second or so, and what has
ended since is fetched in a few messages instead of hundreds. Workers have other units meanwhile."""

SHORTEST_S = 0.01
"""Between two such checks with a few threads; next to nothing beside a unit."""

LOOK_S = 5.0
"""Between two looks at what may change during a run: the number of workers, and whether it can go on at all."""

DASHBOARD_NAMES = {
    "build": "build-labels",
    "project": "project-density",
    "measure": "measure-noise",
    "levels": "levels-noise",
    "filter": "filter-projection",
    "reconstruct": "reconstruct-block",
}
"""What tasks are called on the Dask dashboard, where it is not their stage alone. It draws a colour of eighteen by a
hash of the name: with these second words, no two stages have the same one, nor two neighbours similar ones."""

Outcome = Record | BaseException | None
"""Of a unit: what its marker holds, why it failed, or nothing where its group ended before it."""


class Submission:
    """Tasks that are out, each a group of units."""

    def __init__(self, plan: Plan, client: Client, look_around: Callable[[], None]) -> None:
        self._client = client
        self._root = str(plan.spec.layout.root)
        self._fingerprint = plan.spec.fingerprint
        self._look_around = look_around
        self._looked = -LOOK_S
        self.threads = 1
        self.tasks: dict[str, tuple[Group, Future]] = {}

    def room(self) -> int:
        """How many more tasks may be submitted, once they are enough to be worth a message to the scheduler."""
        if time.monotonic() - self._looked >= LOOK_S:
            self._look_around()
            self.threads = max(1, sum(self._client.nthreads().values()))
            self._looked = time.monotonic()
        room = TASKS_PER_THREAD * self.threads - len(self.tasks)
        return room if room > self.threads // 8 else 0

    def submit(self, groups: Sequence[Group], attempts: Sequence[int]) -> None:
        """Submit groups in one message, each with the number of earlier attempts at its first unit."""
        keys: list[Any] = [
            (DASHBOARD_NAMES.get(unit.stage, unit.stage), unit.item, unit.index, attempt)
            for (unit, *_), attempt in zip(groups, attempts, strict=True)
        ]
        futures = self._client.map(
            run_units,
            groups,
            root=self._root,
            fingerprint=self._fingerprint,
            key=keys,
            pure=False,
            retries=0,
        )
        for group, future in zip(groups, futures, strict=True):
            self.tasks[future.key] = (group, future)

    def outcomes(self) -> Iterator[tuple[Unit, Outcome]]:
        """What came of units whose tasks have ended since: their records are fetched from all workers at once.

        Waits for the first, but no longer than until it is time to look around.
        """
        ended = self._ended()
        well = {future.key: future for future in ended if future.status == "finished"}
        fetched = self._client.gather(well, errors="skip") if well else {}
        for future in ended:
            group, _ = self.tasks.pop(future.key)
            outcomes = fetched.get(future.key) or _outcomes(future)
            future.release()  # now: a frame that an error holds on to would keep the task on the scheduler
            yield from zip_longest(group, outcomes)

    def _ended(self) -> list[Future]:
        until = time.monotonic() + LOOK_S
        while True:
            time.sleep(min(max(COLLECT_S * self.threads, SHORTEST_S), LOOK_S))
            ended = [future for _, future in self.tasks.values() if future.status != "pending"]
            if ended or time.monotonic() >= until:
                return ended

    def cancel(self) -> None:
        outstanding = [future for _, future in self.tasks.values()]
        if outstanding and self._client.status == "running":
            self._client.cancel(outstanding)
        self.tasks.clear()


def _outcomes(future: Future) -> Sequence[Record | BaseException]:
    """Of one task: an error, or the records of units whose worker was lost between their end and the fetching."""
    if future.status == "cancelled":
        return [ConnectionError("task was cancelled")]
    error = future.exception()
    return future.result() if error is None else [error]
