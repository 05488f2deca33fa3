"""Follow a run that another process drives, from the files that it leaves on disk.

The first look reads every marker once, as `status` does. Later looks read the end of the event log and the folders
of batches that can have new markers: those that are not complete and whose predecessors are. No marker is read twice,
so that a run of ten thousand units can be followed from a login node.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faket_dask.cluster.requirements import Requirements
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.event_log import (
    Line,
    parse_failure,
    parse_requirements,
    read_lines,
    select_last_run,
)
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.lock import find_living_holder
from faket_dask.engine.marker import Marker
from faket_dask.engine.plan import Batch, Plan, read_plan
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.timestamps import format_utc
from faket_dask.engine.unit import Unit

PAUSE_S = 1.0
"""Shortest pause between two looks."""

SHARE_OF_TIME = 0.05
"""Largest share of the time that looking may take: on a slow disk, looks are further apart."""

NO_DRIVER = "no run is working on it"


def follow(folder: str | Path) -> Iterator[Event]:
    """Yield the events of the run that is working on a folder until it ends, waiting between them.

    A run that began earlier is reported from its beginning, also one that ended or was killed.

    Parameters
    ----------
    folder
        Folder of the run.

    Raises
    ------
    InputError
        If the folder holds no run.
    """
    follower = RunFollower(read_plan(folder))
    while True:
        begin = time.monotonic()
        for event in follower.look():
            yield event
            if isinstance(event, RunEnded | RunStopped):
                return
        time.sleep(max(PAUSE_S, (time.monotonic() - begin) * (1 / SHARE_OF_TIME - 1)))


@dataclass
class RunFollower:
    """Reader of a run's events; every look returns those since the one before."""

    plan: Plan[Any]
    _completed: CompletedUnits | None = None
    _incomplete: dict[BatchKey, Batch] = field(default_factory=dict)
    _offset: int = 0
    _end: Line | None = None
    _failures: list[UnitFailed] = field(default_factory=list)

    def look(self) -> list[Event]:
        """Return the events since the last look; the last event of all is `RunEnded` or `RunStopped`."""
        # In this order: when the driver is gone, everything that it ever wrote is read afterwards.
        alive = find_living_holder(self.plan.spec.folder.lock) is not None
        lines, self._offset = read_lines(self.plan.spec.folder.event_log, self._offset)
        events: list[Event] = []
        if self._completed is None:
            lines = select_last_run(lines)
            if alive and (not lines or lines[-1]["event"] in ("ended", "stopped")):
                self._offset = 0
                return []  # those are lines of an earlier run; the present one has yet to begin
            events += self._first_events(
                lines[0] if lines and lines[0]["event"] == "started" else None, alive
            )
        else:
            events += self._new_completions(self._completed)
        events += self._logged_failures(lines)
        if not alive:
            cause = self._end.get("cause", NO_DRIVER) if self._end else NO_DRIVER
            ended = self._end is not None and self._end["event"] == "ended"
            failures = tuple(failure for failure in self._failures if failure.final)
            events.append(RunEnded(failures) if ended or not self._incomplete else RunStopped(cause))
        return events

    def _first_events(self, started: Line | None, alive: bool) -> list[Event]:
        self._completed = CompletedUnits.empty(self.plan)
        began = time.time() if started is None else started["time"]
        start = format_utc(began)
        before: dict[BatchKey, list[int]] = {batch.key: [] for batch in self.plan.batches}
        since: list[tuple[Unit, Marker]] = []
        for unit, marker in self._completed.read_new(self.plan.batches):
            if marker.ended < start:
                before[BatchKey(unit.stage, unit.item)].append(unit.index)
            else:
                since.append((unit, marker))
        self._incomplete = {
            batch.key: batch
            for batch in self.plan.batches
            if self._completed.batches[batch.key].count < batch.count
        }
        requirements = Requirements((), widest=1) if started is None else parse_requirements(started)
        workers = 0 if started is None else started["workers"]
        dashboard = started["dashboard"] if started is not None and alive else None
        return [
            RunStarted(self.plan, requirements, before, workers, dashboard, began),
            *(UnitDone(unit, marker) for unit, marker in sorted(since, key=lambda pair: pair[1].ended)),
        ]

    def _new_completions(self, completed: CompletedUnits) -> list[Event]:
        events: list[Event] = []
        while ready := [
            batch
            for batch in self._incomplete.values()
            if not any(key in self._incomplete for key in batch.after)
        ]:
            events += [UnitDone(unit, marker) for unit, marker in completed.read_new(ready)]
            complete = [batch.key for batch in ready if completed.batches[batch.key].count == batch.count]
            for key in complete:
                del self._incomplete[key]
            if not complete:
                break
        return events

    def _logged_failures(self, lines: list[Line]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if line["event"] == "failed":
                failure = parse_failure(line)
                events.append(failure)
                self._failures.append(failure)
            elif line["event"] in ("ended", "stopped"):
                self._end = line
        return events
