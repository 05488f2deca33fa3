"""Plan of a data set, from its run file."""

from __future__ import annotations

from faket_dask.config import RunConfig
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.plan import Plan
from faket_dask.pipeline import TILT_SERIES
from faket_dask.pipeline.input_checks import resolve


def plan(config: RunConfig) -> Plan[DatasetSpec]:
    """Check a run file and its inputs, and plan the data set.

    Parameters
    ----------
    config
        Run file, as `faket_dask.config.load` reads it.

    Raises
    ------
    InputError
        Naming every problem of the inputs, one line each.
    """
    return plan_spec(resolve(config))


def plan_spec(spec: DatasetSpec) -> Plan[DatasetSpec]:
    """Return the plan of a data set whose inputs are checked."""
    return Plan(spec, TILT_SERIES)
