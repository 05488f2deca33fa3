"""Looking at everything in a data set again: is it all there, is it what was written, does it mean what it says.

A unit's marker knows the checksum of every file that the unit wrote; what set-up writes (metadata, coordinates) is
written again elsewhere and compared. What is intact is opened, too, and searched for NaN and infinity, and the masks
of a specimen are held against its table of particles. A damaged unit is mended by taking its marker away: the next
run finds it missing and makes it again, and nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.dataset.label_checks import misplaced_labels
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import open_array
from faket_dask.engine.lock import locked
from faket_dask.engine.unit import (
    OwnedArray,
    Unit,
    describe,
    read_marker,
    relative,
    unit_fingerprint,
)
from faket_dask.errors import InputError
from faket_dask.pipeline import STAGES
from faket_dask.pipeline.plan import Batch, Plan


@dataclass(frozen=True)
class Damage:
    """What is wrong with a unit; `missing` when it was never done, or its marker is gone."""

    unit: Unit
    cause: str
    missing: bool = False

    def __str__(self) -> str:
        return f"{self.unit}: {self.cause}"


Progress = Callable[[int, int], None]
"""Called with the number of units that have been looked at and the number of all."""


def validate(spec: DatasetSpec, progress: Progress = lambda done, total: None) -> list[Damage]:
    """Read a data set through and name every unit that is missing or damaged, in the order of the plan.

    Nothing is changed, so that it may be used while a run goes on; what the run is about to do is missing then.

    Raises
    ------
    InputError
        When inputs that set-up reads (existing specimens) are no longer there.
    """
    plan = Plan(spec)
    total = sum(batch.count for batch in plan.batches)
    found: list[Damage] = []
    seen = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for batch in plan.batches:
            units = [Unit(batch.stage, batch.item, index) for index in range(batch.count)]
            causes = list(pool.map(lambda unit: _cause(spec, unit), units))
            damages = [damage for damage in causes if damage is not None]
            begun = len(damages) < batch.count or not all(damage.missing for damage in damages)
            if begun:
                damages += [Damage(units[0], cause) for cause in _set_up_damage(spec, batch)]
            if batch.stage == "build" and not damages:
                damages += [Damage(units[0], cause) for cause in misplaced_labels(spec, batch.item)]
            found += damages
            seen += batch.count
            progress(seen, total)
    return found


def forget(spec: DatasetSpec, damages: list[Damage]) -> None:
    """Take the markers of damaged units away, so that the next run makes them again.

    Raises
    ------
    InputError
        While a run works on the data set.
    """
    with locked(spec.layout.lock):
        for damage in damages:
            unit = damage.unit
            spec.layout.marker(unit.stage, unit.item, unit.index).unlink(missing_ok=True)


def _cause(spec: DatasetSpec, unit: Unit) -> Damage | None:
    marker = spec.layout.marker(unit.stage, unit.item, unit.index)
    record = read_marker(marker)
    if record is None and marker.exists():
        return Damage(unit, f"{relative(marker, spec)} is torn")
    if record is None or record["inputs"] != unit_fingerprint(spec, unit):
        return Damage(unit, "not done", missing=True)
    stage = STAGES[unit.stage]
    for path in stage.ownership(spec, unit.item)(unit.index):
        name = relative(path, spec)
        known = record["files"].get(name)
        try:
            found = describe(path)
        except FileNotFoundError:
            return Damage(unit, f"{name} is missing")
        except OSError as error:
            return Damage(unit, f"{name} cannot be read: {error.strerror}")
        if known is None or found["bytes"] != known["bytes"]:
            size = "no" if known is None else known["bytes"]
            return Damage(unit, f"{name} has {found['bytes']} bytes, {size} were written")
        if found["sha256"] != known["sha256"]:
            return Damage(unit, f"{name} is not what was written: its checksum differs")
    for owned in stage.arrays(spec, unit.item):
        if (cause := _values_damage(spec, owned, unit.index)) is not None:
            return Damage(unit, cause)
    return None


def _values_damage(spec: DatasetSpec, owned: OwnedArray, index: int) -> str | None:
    array = owned.spec
    starts = [at * size for at, size in zip(owned.position(index), array.file_shape, strict=True)]
    piece = tuple(slice(start, start + size) for start, size in zip(starts, array.file_shape, strict=True))
    name = relative(owned.group / array.name, spec)
    try:
        values = np.asarray(open_array(owned.group, array.name, "r")[piece])
    except Exception as error:  # whatever Zarr and its codecs raise for damaged metadata
        return f"{name} cannot be opened: {type(error).__name__}"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return f"{name} holds NaN or infinity"
    return None


def _set_up_damage(spec: DatasetSpec, batch: Batch) -> Iterator[str]:
    """What set-up would write otherwise than it is there."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = spec.config.dataset.model_copy(update={"folder": Path(folder)})
        elsewhere = replace(spec, config=spec.config.model_copy(update={"dataset": dataset}))
        STAGES[batch.stage].set_up(elsewhere, batch.item)
        for written in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            name = written.relative_to(folder)
            there = spec.layout.root / name
            try:
                same = _comparable(there) == _comparable(written)
            except FileNotFoundError:
                yield f"{name} is missing"
                continue
            except (ValueError, OSError):
                same = False
            if not same:
                yield f"{name} is not what was written"


def _comparable(path: Path) -> Any:
    """Contents of a file; of metadata, without the version of the software that wrote it."""
    if path.name != "zarr.json":
        return path.read_bytes()
    document = json.loads(path.read_bytes())
    if not isinstance(document, dict):
        raise InputError(f"{path} is no metadata")
    attributes = document.get("attributes")
    if isinstance(attributes, dict):
        attributes.pop("software", None)
    return document
