"""Validate a run's results: all files are there, hold what was written, and agree with one another.

A unit's marker knows the checksum of every file that the unit wrote; metadata and coordinates, which set-up writes,
are written again elsewhere and compared. Intact arrays are opened and searched for NaN and infinity, and each stage
checks the contents of its complete batches. A damaged unit is repaired by removing its marker: the next run finds it
missing and computes it again, and nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.engine.arrays import OwnedArray
from faket_dask.engine.consolidated import CONSOLIDATED, METADATA, is_consolidated
from faket_dask.engine.lock import hold_lock
from faket_dask.engine.marker import FileRecord, Marker, relative_name
from faket_dask.engine.plan import Batch, Plan
from faket_dask.engine.run_unit import fingerprint_unit
from faket_dask.engine.unit import Unit
from faket_dask.errors import InputError


@dataclass(frozen=True)
class Damage:
    """Fault of a unit; `missing` when it was never done, or its marker is gone."""

    unit: Unit
    cause: str
    missing: bool = False

    def __str__(self) -> str:
        return f"{self.unit}: {self.cause}"


Progress = Callable[[int, int], None]
"""Called with the number of units that were checked and the number of all."""


def validate(plan: Plan[Any], progress: Progress = lambda done, total: None) -> list[Damage]:
    """Read all results of a run and name every unit that is missing or damaged, in the order of the plan.

    Nothing is changed, so that it may be used during a run; units that the run has yet to compute are missing then.

    Parameters
    ----------
    plan
        Plan of the run.
    progress
        Called after every batch.

    Raises
    ------
    InputError
        If inputs that set-up reads (existing specimens) are no longer there.
    """
    total = sum(batch.count for batch in plan.batches)
    damages: list[Damage] = []
    checked = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for batch in plan.batches:
            units = [batch.unit(index) for index in range(batch.count)]
            results = pool.map(lambda unit: _check_unit(plan, unit), units)
            of_batch = [damage for damage in results if damage is not None]
            begun = len(of_batch) < batch.count or not all(damage.missing for damage in of_batch)
            if begun:
                of_batch += [Damage(units[0], cause) for cause in _compare_set_up(plan, batch)]
            if not of_batch:
                contradictions = plan.stage(batch.stage).check_contents(plan.spec, batch.item)
                of_batch += [Damage(units[0], cause) for cause in contradictions]
            damages += of_batch
            checked += batch.count
            progress(checked, total)
    return damages


def forget(plan: Plan[Any], damages: Iterable[Damage]) -> None:
    """Remove the markers of damaged units, so that the next run computes them again.

    Raises
    ------
    DatasetBusyError
        If a run is working on the folder.
    """
    with hold_lock(plan.spec.folder.lock):
        for damage in damages:
            plan.spec.folder.marker(damage.unit).unlink(missing_ok=True)


def _check_unit(plan: Plan[Any], unit: Unit) -> Damage | None:
    spec, stage = plan.spec, plan.stage(unit.stage)
    path = spec.folder.marker(unit)
    marker = Marker.read(path)
    if marker is None and path.exists():
        return Damage(unit, f"{relative_name(path, spec.folder.root)} is torn")
    if marker is None or marker.inputs != fingerprint_unit(stage, spec, unit):
        return Damage(unit, "not done", missing=True)
    ownership = stage.ownership(spec, unit.item)
    causes = chain(
        (_check_file(file, marker, spec.folder.root) for file in ownership.files(unit.index)),
        (_check_values(array, unit.index, spec.folder.root) for array in ownership.arrays),
    )
    return next((Damage(unit, cause) for cause in causes if cause is not None), None)


def _check_file(file: Path, marker: Marker, root: Path) -> str | None:
    name = relative_name(file, root)
    try:
        actual = FileRecord.measure(file)
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    written = marker.files.get(name)
    if written is None or actual.bytes != written.bytes:
        size = "no" if written is None else written.bytes
        return f"{name} has {actual.bytes} bytes, {size} were written"
    if actual.sha256 != written.sha256:
        return f"{name} is not what was written: its checksum differs"
    return None


def _check_values(array: OwnedArray, index: int, root: Path) -> str | None:
    name = relative_name(array.group / array.spec.name, root)
    try:
        values = array.read_piece(index)
    except Exception as error:  # whatever Zarr and its codecs raise for damaged metadata
        return f"{name} cannot be opened: {type(error).__name__}"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return f"{name} holds NaN or infinity"
    return None


def _compare_set_up(plan: Plan[Any], batch: Batch) -> Iterator[str]:
    """Yield the files that set-up would write differently from what is there."""
    root = plan.spec.folder.root
    with tempfile.TemporaryDirectory() as folder:
        plan.stage(batch.stage).set_up(plan.spec.relocate(Path(folder)), batch.item)
        for expected in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            name = expected.relative_to(folder)
            try:
                same = _read_comparable(root / name) == _read_comparable(expected)
            except FileNotFoundError:
                yield f"{name} is missing"
                continue
            except (ValueError, OSError):
                same = False
            if not same or (name.name == METADATA and not is_consolidated(root / name.parent)):
                yield f"{name} is not what was written"


def _read_comparable(path: Path) -> Any:
    """Read a file's contents; metadata without that of other nodes and the version of the software that wrote it."""
    if path.name != METADATA:
        return path.read_bytes()
    document = json.loads(path.read_bytes())
    if not isinstance(document, dict):
        raise InputError(f"{path} is no metadata")
    document.pop(CONSOLIDATED, None)
    attributes = document.get("attributes")
    if isinstance(attributes, dict):
        attributes.pop("software", None)
    return document
