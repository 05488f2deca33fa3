"""Tasks in flight on the workers, and the units that they stand for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from distributed import Client, Future

from faket_dask.engine.marker import Marker
from faket_dask.engine.plan import Plan
from faket_dask.engine.queue import TaskUnits
from faket_dask.engine.unit import Unit
from faket_dask.engine.worker import run_units

TASKS_PER_THREAD = 3
"""Tasks submitted ahead per worker thread: none waits for the driver, and a lost worker loses little."""

COLLECT_S = 0.002
"""Seconds per worker thread between two collections: with hundreds of threads half a second or so, and everything that
has ended since is fetched in a few messages instead of hundreds. Workers have other units meanwhile."""

SHORTEST_S = 0.01
"""Seconds between two collections with a few threads; little beside a unit."""

CHECK_S = 5.0
"""Seconds between two checks of conditions that change during a run: number of workers, lock, cluster."""

Outcome = Marker | BaseException | None
"""Result of a unit: its marker, its error, or nothing where its task ended before it."""


class TasksInFlight:
    """Tasks submitted to a Dask cluster and not yet collected.

    Parameters
    ----------
    plan
        Plan of the run.
    client
        Client of the cluster.
    check
        Called every few seconds; an exception that it raises ends the run.
    """

    def __init__(self, plan: Plan[Any], client: Client, check: Callable[[], None]) -> None:
        self._client = client
        self._plan = plan
        self._check = check
        self._checked = -CHECK_S
        self.threads = 1
        self.tasks: dict[str, tuple[TaskUnits, Future]] = {}

    def count_free_slots(self) -> int:
        """Return how many more tasks to submit, once they are enough to be worth a message to the scheduler."""
        if time.monotonic() - self._checked >= CHECK_S:
            self._check()
            self.threads = max(1, sum(self._client.nthreads().values()))
            self._checked = time.monotonic()
        slots = TASKS_PER_THREAD * self.threads - len(self.tasks)
        return slots if slots > self.threads // 8 else 0

    def submit(self, tasks: Sequence[TaskUnits], attempts: Sequence[int]) -> None:
        """Submit tasks in one message, each with the number of earlier attempts at its first unit."""
        keys: list[Any] = [
            (self._plan.stage(first.stage).label, str(first.item), first.index, attempt)
            for (first, *_), attempt in zip(tasks, attempts, strict=True)
        ]
        futures = self._client.map(
            run_units,
            tasks,
            pipeline=self._plan.pipeline.target,
            root=str(self._plan.spec.folder.root),
            fingerprint=self._plan.spec.fingerprint,
            key=keys,
            pure=False,
            retries=0,
        )
        for units, future in zip(tasks, futures, strict=True):
            self.tasks[future.key] = (units, future)

    def collect(self) -> Iterator[tuple[Unit, Outcome]]:
        """Yield units whose tasks have ended since, with their outcomes, fetched from all workers at once.

        Waits for the first, but no longer than until the next check.
        """
        ended = self._wait_for_ended()
        finished = {future.key: future for future in ended if future.status == "finished"}
        fetched = self._client.gather(finished, errors="skip") if finished else {}
        for future in ended:
            units, _ = self.tasks.pop(future.key)
            outcomes = fetched.get(future.key) or _fetch_outcomes(future)
            future.release()  # now: a frame that an error holds on to would keep the task on the scheduler
            yield from zip_longest(units, outcomes)

    def _wait_for_ended(self) -> list[Future]:
        until = time.monotonic() + CHECK_S
        while True:
            time.sleep(min(max(COLLECT_S * self.threads, SHORTEST_S), CHECK_S))
            ended = [future for _, future in self.tasks.values() if future.status != "pending"]
            if ended or time.monotonic() >= until:
                return ended

    def cancel(self) -> None:
        """Cancel all tasks, if the client is still connected."""
        outstanding = [future for _, future in self.tasks.values()]
        if outstanding and self._client.status == "running":
            self._client.cancel(outstanding)
        self.tasks.clear()


def _fetch_outcomes(future: Future) -> Sequence[Marker | BaseException]:
    """Return a task's error, or the markers of one whose worker was lost between its end and the fetching."""
    if future.status == "cancelled":
        return [ConnectionError("task was cancelled")]
    error = future.exception()
    return future.result() if error is None else [error]
