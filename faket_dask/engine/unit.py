"""A unit of work: the piece of a data set that is computed, lost, and computed again as one.

A unit ``(stage, item, index)`` reads its inputs from stores, writes whole files that no other unit writes,
and then a *marker* in `progress/`, which holds the fingerprint of what went in and the sizes and checksums of
the files that came out. A unit whose marker matches and whose files are there is done and returns at once. A
unit that is run again replaces its files whole. Resuming, retrying, surviving a killed worker and repairing a
damaged file are all this one mechanism; its precondition is that no two units share a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faket_dask.atomic import write_text
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, create_array, leftovers
from faket_dask.engine.clock import utc_now
from faket_dask.engine.environment import note_environment

Record = dict[str, Any]


@dataclass(frozen=True, order=True)
class Unit:
    """The name of one unit of work."""

    stage: str
    item: str
    index: int

    def __str__(self) -> str:
        return f"{self.stage} {self.item} {self.index}"


@dataclass(frozen=True)
class OwnedArray:
    """An array in the group at `group`, and where in its grid of files each unit writes."""

    group: Path
    spec: ArraySpec
    position: Callable[[int], tuple[int, ...]]


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline as units of work.

    Parameters
    ----------
    name
        As in markers, plans and the Dask dashboard.
    count
        Number of units of an item.
    prepare
        Creates the groups and coordinates of an item's stores; run by the driver before any unit, and harmless
        when run again.
    arrays
        The arrays of an item that its units write into, one file of each per unit.
    compute
        Computes and writes one unit; what it returns goes into the marker.
    files
        Other files that a unit writes.
    """

    name: str
    count: Callable[[DatasetSpec, str], int]
    compute: Callable[[DatasetSpec, str, int], Record]
    prepare: Callable[[DatasetSpec, str], None] = lambda spec, item: None
    arrays: Callable[[DatasetSpec, str], list[OwnedArray]] = lambda spec, item: []
    files: Callable[[DatasetSpec, str], list[Path]] = lambda spec, item: []

    def set_up(self, spec: DatasetSpec, item: str) -> None:
        """Create an item's stores, without any data."""
        self.prepare(spec, item)
        for owned in self.arrays(spec, item):
            create_array(owned.group, owned.spec)

    def ownership(self, spec: DatasetSpec, item: str) -> Callable[[int], list[Path]]:
        """Gives, for the index of a unit, the files that it writes and no other does."""
        arrays, others = self.arrays(spec, item), self.files(spec, item)

        def files_of(index: int) -> list[Path]:
            return [owned.group / owned.spec.file(owned.position(index)) for owned in arrays] + others

        return files_of


def unit_fingerprint(spec: DatasetSpec, unit: Unit) -> str:
    """Digest of what goes into a unit: the fingerprint of its stage and the unit's name."""
    return hashlib.sha256(f"{spec.fingerprint_of(unit.stage)}/{unit}".encode()).hexdigest()[:16]


def run_unit(stage: Stage, spec: DatasetSpec, unit: Unit) -> Record:
    """Compute a unit, unless it is done, and mark it done.

    Returns
    -------
    record
        What the marker holds: seconds, host, name of the environment, files with sizes and checksums, and the
        stage's own findings.
    """
    marker = spec.layout.marker(unit.stage, unit.item, unit.index)
    files = stage.ownership(spec, unit.item)(unit.index)
    done = read_marker(marker)
    if done is not None and is_done(done, spec, unit, files):
        return done
    for path in (marker, *files):  # what is damaged must not be read, as the rest of a shard is by its writer
        for damaged in (path, *leftovers(path)):
            damaged.unlink(missing_ok=True)
    begin = time.perf_counter()
    findings = stage.compute(spec, unit.item, unit.index)
    record: Record = {
        "inputs": unit_fingerprint(spec, unit),
        "files": {relative(path, spec): describe(path) for path in files},
        "findings": findings,
        "seconds": round(time.perf_counter() - begin, 3),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "environment": note_environment(spec.layout, _device(spec)),
        "ended": utc_now(),
    }
    marker.parent.mkdir(parents=True, exist_ok=True)
    write_text(marker, json.dumps(record) + "\n")
    return record


def _device(spec: DatasetSpec) -> str:
    used = (spec.config.style.device, spec.config.reconstruction.device)
    return "cuda" if "cuda" in used else "cpu"


def is_done(record: Record, spec: DatasetSpec, unit: Unit, files: Iterable[Path]) -> bool:
    """Whether a marker's record stands for these inputs and all its files are there in their full size."""
    if record["inputs"] != unit_fingerprint(spec, unit):
        return False
    for path in files:
        known = record["files"].get(relative(path, spec))
        try:
            if known is None or path.stat().st_size != known["bytes"]:
                return False
        except OSError:
            return False
    return True


def read_marker(path: Path) -> Record | None:
    """The record of a marker, or nothing if there is none or it is torn."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and record.keys() >= {
        "inputs",
        "files",
        "findings",
        "seconds",
        "host",
        "ended",
    }
    return record if whole else None


def relative(path: Path, spec: DatasetSpec) -> str:
    return path.relative_to(spec.layout.root).as_posix()


def describe(path: Path) -> dict[str, Any]:
    """Size and checksum of a written file."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
