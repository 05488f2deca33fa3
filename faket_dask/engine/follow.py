"""The events of a run that another process drives, from what it leaves on disk.

The first look reads every marker once, as `status` does. Later looks read the end of the journal and the
folders of batches that can have new markers, those that are not complete and whose predecessors are; no marker
is read twice. Looking costs the same few calls whatever was done before, so that ten thousand units can be
watched from a login node.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from faket_dask.cluster.requirements import Requirements
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.clock import utc_now
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.event_log import Line, failure_in, last_run, read_lines, requirements_in
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.lock import living_holder
from faket_dask.engine.unit import Record, Unit
from faket_dask.pipeline.plan import Batch, BatchKey, Plan

PAUSE_S = 1.0
"""Between two looks, at least."""

SHARE_OF_TIME = 0.05
"""Most of the time that looking may take: on a slow disk, looks are further apart."""

GONE = "no run is working on it"


def follow(folder: str | Path) -> Iterator[Event]:
    """The events of the run that is working on a data set, as they show on disk, until it ends.

    A run that began earlier is told from its beginning; one that ended, or was killed, too. Between events the
    iterator waits.

    Raises
    ------
    InputError
        When the folder holds no data set.
    """
    follower = Follower(Plan(DatasetSpec.read(Path(folder))))
    while True:
        begin = time.monotonic()
        for event in follower.look():
            yield event
            if isinstance(event, RunEnded | RunStopped):
                return
        time.sleep(max(PAUSE_S, (time.monotonic() - begin) * (1 / SHARE_OF_TIME - 1)))


@dataclass
class Follower:
    """What of a run has been seen on disk; every look gives the events since the one before."""

    plan: Plan
    _ledger: CompletedUnits | None = None
    _open: dict[BatchKey, Batch] = field(default_factory=dict)
    _journal: int = 0
    _end: Line | None = None
    _failures: list[UnitFailed] = field(default_factory=list)

    def look(self) -> list[Event]:
        """The events since the last look; the last of all is `RunEnded` or `RunStopped`."""
        # In this order: when the driver is gone, all that it ever wrote has been read afterwards.
        alive = living_holder(self.plan.spec.layout.lock) is not None
        lines, self._journal = read_lines(self.plan.spec.layout.journal, self._journal)
        events: list[Event] = []
        if self._ledger is None:
            lines = last_run(lines)
            if alive and (not lines or lines[-1]["event"] in ("ended", "stopped")):
                self._journal = 0
                return []  # that was an earlier run; the one that is there now has yet to begin
            events += self._first_look(lines[0] if lines and lines[0]["event"] == "started" else None, alive)
        else:
            events += self._new_units(self._ledger)
        events += self._told(lines)
        if not alive:
            cause = self._end.get("cause", GONE) if self._end else GONE
            ended = self._end is not None and self._end["event"] == "ended"
            failures = tuple(failed for failed in self._failures if failed.final)
            events.append(RunEnded(failures) if ended or not self._open else RunStopped(cause))
        return events

    def _first_look(self, started: Line | None, alive: bool) -> list[Event]:
        self._ledger = CompletedUnits.blank(self.plan)
        began = time.time() if started is None else started["time"]
        start = utc_now(began)
        before: dict[BatchKey, list[int]] = {batch.key: [] for batch in self.plan.batches}
        since: list[tuple[Unit, Record]] = []
        for unit, record in self._ledger.look(self.plan.batches):
            if record["ended"] < start:
                before[unit.stage, unit.item].append(unit.index)
            else:
                since.append((unit, record))
        self._open = {b.key: b for b in self.plan.batches if self._ledger.done[b.key].count < b.count}
        requirements = Requirements((), widest=1) if started is None else requirements_in(started)
        workers = 0 if started is None else started["workers"]
        dashboard = started["dashboard"] if started is not None and alive else None
        return [
            RunStarted(self.plan, requirements, before, workers, dashboard, began),
            *(UnitDone(unit, record) for unit, record in sorted(since, key=lambda pair: pair[1]["ended"])),
        ]

    def _new_units(self, completed: CompletedUnits) -> list[Event]:
        events: list[Event] = []
        while ready := [b for b in self._open.values() if not any(key in self._open for key in b.after)]:
            events += [UnitDone(unit, record) for unit, record in completed.look(ready)]
            complete = [batch.key for batch in ready if completed.done[batch.key].count == batch.count]
            for key in complete:
                del self._open[key]
            if not complete:
                break
        return events

    def _told(self, lines: list[Line]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if line["event"] == "failed":
                events.append(failure_in(line))
                self._failures.append(failure_in(line))
            elif line["event"] in ("ended", "stopped"):
                self._end = line
        return events
