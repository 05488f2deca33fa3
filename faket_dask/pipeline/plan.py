"""Plan of a data set, from its run file."""

from __future__ import annotations

from pathlib import Path

from faket_dask.config import RunConfig, load
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.plan import Plan
from faket_dask.pipeline import TILT_SERIES
from faket_dask.pipeline.input_checks import resolve


def plan(config: RunConfig | str | Path) -> Plan[DatasetSpec]:
    """Check a run file and its inputs, and plan the data set.

    Parameters
    ----------
    config
        Run file, or its path.

    Raises
    ------
    InputError
        Naming every problem of the inputs, one line each.
    """
    return plan_spec(resolve(config if isinstance(config, RunConfig) else load(config)))


def plan_spec(spec: DatasetSpec) -> Plan[DatasetSpec]:
    """Return the plan of a data set whose inputs are checked."""
    return Plan(spec, TILT_SERIES)
