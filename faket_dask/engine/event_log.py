"""What a run's markers do not tell, for those who watch it from another process.

Markers say which units are done. When the run began and on what, which units failed, and how it ended is known
to the driver alone, which appends a line of JSON for each to `progress/journal.jsonl`. Nothing is decided by
this file: without it a data set is as complete as with it.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faket_dask.cluster.requirements import Requirements, StageRequirement
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.unit import Unit

Line = dict[str, Any]


def write_event(path: Path, event: Event) -> None:
    """Append an event to a journal, unless a marker tells it. Only who holds the data set's lock may."""
    match event:
        case UnitDone():
            return
        case RunStarted():
            line: Line = {
                "event": "started",
                "host": socket.gethostname(),
                "process": os.getpid(),
                "workers": event.workers,
                "dashboard": event.dashboard,
                "done": event.done,
                "requirements": asdict(event.requirements),
            }
        case UnitFailed(unit, cause, final):
            line = {
                "event": "failed",
                "stage": unit.stage,
                "item": unit.item,
                "index": unit.index,
                "cause": cause,
                "final": final,
            }
        case RunEnded():
            line = {"event": "ended"}
        case RunStopped(cause):
            line = {"event": "stopped", "cause": cause}
    line["time"] = time.time() if not isinstance(event, RunStarted) else event.began
    before = "\n" if isinstance(event, RunStarted) else ""  # a crash may have torn the last run's last line
    try:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(f"{before}{json.dumps(line)}\n")
    except OSError:
        pass  # a full disk is for the run to tell of; it does not depend on this file


def read_lines(path: Path, offset: int = 0) -> tuple[list[Line], int]:
    """The whole lines of a journal from an offset on, and where the next ones will be."""
    try:
        with open(path, "rb") as stream:
            stream.seek(offset)
            text = stream.read()
    except FileNotFoundError:
        return [], offset
    whole = text[: text.rfind(b"\n") + 1]
    return [found for line in whole.splitlines() if (found := _parsed(line))], offset + len(whole)


def last_run(lines: list[Line]) -> list[Line]:
    """The lines of the run that began last."""
    starts = [number for number, line in enumerate(lines) if line["event"] == "started"]
    return lines[starts[-1] :] if starts else lines


def requirements_in(line: Line) -> Requirements:
    """What a run asked for when it began."""
    found = line["requirements"]
    stages = tuple(StageRequirement(**stage) for stage in found["stages"])
    return Requirements(stages, found["widest"], found["threads_per_task"])


def failure_in(line: Line) -> UnitFailed:
    """The failure that a line tells of."""
    return UnitFailed(Unit(line["stage"], line["item"], line["index"]), line["cause"], line["final"])


def _parsed(line: bytes) -> Line | None:
    try:
        found = json.loads(line)
    except ValueError:  # empty, or torn by a crash
        return None
    return found if isinstance(found, dict) and "event" in found else None
