"""What a worker does with a task: a group of units, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from distributed import get_worker
from distributed.core import Status

from faket_dask.dataset.spec import cached_spec
from faket_dask.engine.unit import Record, Unit, run_unit
from faket_dask.pipeline import STAGES


def run_units(units: Sequence[Unit], root: str, fingerprint: str) -> list[Record]:
    """Run units on a worker, which knows no more than where the data set is.

    Returns
    -------
    records
        Of the units before the first that fails. Where that is the very first, its error is raised. Also no more of
        them where the worker is about to leave.
    """
    spec = cached_spec(root, fingerprint)
    worker = get_worker()
    records: list[Record] = []
    for unit in units:
        if records and worker.status == Status.closing_gracefully:
            break
        try:
            records.append(run_unit(STAGES[unit.stage], spec, unit))
        except Exception:
            if not records:
                raise
            break
    return records
