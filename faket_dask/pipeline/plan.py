"""Plan of a data set, from its run file."""

from __future__ import annotations

from pathlib import Path

from faket_dask.config import RunConfig, load
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.plan import Plan
from faket_dask.errors import InputError
from faket_dask.input_warnings import give_warnings, hold_warnings, mark_known
from faket_dask.pipeline import TILT_SERIES
from faket_dask.pipeline.input_checks import resolve


def plan(config: RunConfig | str | Path) -> Plan[DatasetSpec]:
    """Check a run file and its inputs, and plan the data set; warnings of inputs that it has recorded are not repeated.

    Parameters
    ----------
    config
        Run file, or its path.

    Raises
    ------
    InputError
        Naming every problem of the inputs, one line each.
    """
    with hold_warnings() as held:
        spec = resolve(config if isinstance(config, RunConfig) else load(config))
    if _is_recorded(spec):
        mark_known(str(warning.message) for warning in held)
    else:
        give_warnings(held)
    return plan_spec(spec)


def _is_recorded(spec: DatasetSpec) -> bool:
    """Tell whether the data set's folder holds these inputs, which were warned of when they were recorded."""
    try:
        return DatasetSpec.read(spec.folder.root).inputs == spec.inputs
    except InputError:
        return False


def plan_spec(spec: DatasetSpec) -> Plan[DatasetSpec]:
    """Return the plan of a data set whose inputs are checked."""
    return Plan(spec, TILT_SERIES)
