"""Task that a Dask worker runs: several units, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from distributed import get_worker
from distributed.core import Status

from faket_dask.engine.folder import RunFolder
from faket_dask.engine.marker import Marker
from faket_dask.engine.pipeline import load_pipeline
from faket_dask.engine.plan import Plan
from faket_dask.engine.run_unit import run_unit
from faket_dask.engine.unit import Unit
from faket_dask.errors import InputError


def run_units(units: Sequence[Unit], pipeline: str, root: str, fingerprint: str) -> list[Marker]:
    """Run units on a worker, which knows nothing but the run's folder and the pipeline's import path.

    Parameters
    ----------
    units
        Units to compute, in order.
    pipeline
        Import path of the pipeline, ``module:attribute``.
    root
        Folder of the run.
    fingerprint
        Fingerprint of the specification that the task was made for.

    Returns
    -------
    markers
        Markers of the units before the first that fails; if that is the very first, its error is raised. Also fewer
        where the worker is about to leave.
    """
    plan = load_plan(pipeline, root, fingerprint)
    worker = get_worker()
    markers: list[Marker] = []
    for unit in units:
        if markers and worker.status == Status.closing_gracefully:
            break
        try:
            markers.append(run_unit(plan.stage(unit.stage), plan.spec, unit))
        except Exception:
            if not markers:
                raise
            break
    return markers


def load_plan(pipeline: str, root: str, fingerprint: str) -> Plan[Any]:
    """Read the plan of a folder once per process, and again when the run is extended.

    Raises
    ------
    InputError
        If the folder's specification is not the one of this fingerprint.
    """
    written = RunFolder(Path(root)).description.stat().st_mtime_ns
    with _READING:  # threads that begin together need not all read it
        return _load_plan(pipeline, root, fingerprint, written)


_READING = Lock()


@lru_cache(maxsize=4)
def _load_plan(target: str, root: str, fingerprint: str, written: int) -> Plan[Any]:
    pipeline = load_pipeline(target)
    spec = pipeline.read(Path(root))
    if spec.fingerprint != fingerprint:
        raise InputError(
            f"{root} was changed while a run was going on: its fingerprint is no longer {fingerprint}"
        )
    return Plan(spec, pipeline)
