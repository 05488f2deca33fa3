"""Compute a unit, unless it is done, and mark it done."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from faket_dask.engine.arrays import list_leftovers
from faket_dask.engine.environment import record_environment
from faket_dask.engine.marker import FileRecord, Marker, relative_name
from faket_dask.engine.pipeline import LAYOUT_VERSION
from faket_dask.engine.stage import S, Stage
from faket_dask.engine.timestamps import utc_now
from faket_dask.engine.unit import Unit


def fingerprint_unit(stage: Stage[S], spec: S, unit: Unit) -> str:
    """Return the digest of everything that a unit depends on: its item's fingerprint, the layout, and its name."""
    text = f"{LAYOUT_VERSION}/{stage.fingerprint_item(spec, unit.item)}/{unit}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_done(marker: Marker | None, stage: Stage[S], spec: S, unit: Unit, files: Sequence[Path]) -> bool:
    """Tell whether a marker stands for these inputs, and all files of the unit exist in their full size."""
    if marker is None or marker.inputs != fingerprint_unit(stage, spec, unit):
        return False
    return marker.has_files(files, spec.folder.root)


def run_unit(stage: Stage[S], spec: S, unit: Unit) -> Marker:
    """Compute a unit, unless it is done, and mark it done.

    A unit that runs again replaces its files whole. Its marker and its files are removed first: a damaged file must
    not be read, which a writer of a part of a shard would do.

    Parameters
    ----------
    stage
        Stage of the unit.
    spec
        Specification of the run.
    unit
        Unit to compute.

    Returns
    -------
    marker
        The record that is now on disk.
    """
    path = spec.folder.marker(unit)
    files = stage.ownership(spec, unit.item).files(unit.index)
    done = Marker.read(path)
    if done is not None and is_done(done, stage, spec, unit, files):
        return done
    for file in (path, *files):
        for stale in (file, *list_leftovers(file)):
            stale.unlink(missing_ok=True)
    begin, begin_processor = time.perf_counter(), time.process_time()
    findings = stage.compute(spec, unit.item, unit.index)
    records = {relative_name(file, spec.folder.root): FileRecord.measure(file) for file in files}
    seconds, processor_s = time.perf_counter() - begin, time.process_time() - begin_processor
    marker = Marker(
        inputs=fingerprint_unit(stage, spec, unit),
        files=records,
        findings=findings,
        seconds=round(seconds, 3),
        host=socket.gethostname(),
        process=os.getpid(),
        environment=record_environment(spec.folder, spec.device),
        ended=utc_now(),
        processor_s=round(processor_s, 3),
    )
    marker.write(path)
    return marker
