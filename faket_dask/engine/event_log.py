"""Log of the events that markers do not record, for those who follow a run from another process.

Markers say which units are done. When the run began, which units failed, and how it ended is known to the driver
alone, which appends a line of JSON for each to `progress/events.jsonl`. No decision depends on this file: without it
a data set is as complete as with it.
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
from faket_dask.engine.unit import Item, Unit

Line = dict[str, Any]


def write_event(path: Path, event: Event) -> None:
    """Append an event to a log, unless a marker records it; only the holder of the run's lock may."""
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
            line = {"event": "failed", "unit": asdict(unit), "cause": cause, "final": final}
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
        pass  # the run itself reports a full disk; it does not depend on this file


def read_lines(path: Path, offset: int = 0) -> tuple[list[Line], int]:
    """Read the whole lines of a log from an offset on, and return the offset of the next ones."""
    try:
        with open(path, "rb") as stream:
            stream.seek(offset)
            text = stream.read()
    except FileNotFoundError:
        return [], offset
    whole = text[: text.rfind(b"\n") + 1]
    return [line for raw in whole.splitlines() if (line := _parse_line(raw))], offset + len(whole)


def select_last_run(lines: list[Line]) -> list[Line]:
    """Return the lines of the run that began last."""
    starts = [number for number, line in enumerate(lines) if line["event"] == "started"]
    return lines[starts[-1] :] if starts else lines


def parse_requirements(line: Line) -> Requirements:
    """Return the requirements in the line of a run's start."""
    document = line["requirements"]
    stages = tuple(StageRequirement(**stage) for stage in document["stages"])
    return Requirements(stages, document["widest"], document["threads_per_task"])


def parse_failure(line: Line) -> UnitFailed:
    """Return the failure that a line records."""
    unit = line["unit"]
    return UnitFailed(Unit(unit["stage"], Item(**unit["item"]), unit["index"]), line["cause"], line["final"])


def _parse_line(raw: bytes) -> Line | None:
    try:
        document = json.loads(raw)
    except ValueError:  # empty, or torn by a crash
        return None
    return document if isinstance(document, dict) and "event" in document else None
