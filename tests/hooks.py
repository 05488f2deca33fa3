"""Pipeline of tilt-series that calls a hook before each unit, for faults that tests inject.

Workers import the pipeline as ``tests.hooks:HOOKED``. In workers that are threads of the test's process the hook is the
one that the test has set; a worker process sets its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from faket_dask.config import RunConfig
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.plan import Plan
from faket_dask.engine.stage import Stage
from faket_dask.engine.unit import Unit
from faket_dask.pipeline import TILT_SERIES
from faket_dask.pipeline.input_checks import resolve

Hook = Callable[[DatasetSpec, Unit], None]
"""Called with the specification and the unit that is about to be computed; an exception is the unit's failure."""

_hooks: list[Hook] = []


def _add_hooks(stage: Stage[DatasetSpec]) -> Stage[DatasetSpec]:
    def compute(self: Stage[DatasetSpec], spec: DatasetSpec, item: Any, index: int) -> Any:
        for hook in _hooks:
            hook(spec, Unit(self.name, item, index))
        return stage.compute(spec, item, index)

    hooked: type[Stage[DatasetSpec]] = type(
        f"Hooked{type(stage).__name__}", (type(stage),), {"compute": compute}
    )
    return hooked()


HOOKED = replace(TILT_SERIES, target="tests.hooks:HOOKED", stages=tuple(map(_add_hooks, TILT_SERIES.stages)))
"""Pipeline of data sets with hooks; it computes the same bytes."""


def set_hook(hook: Hook) -> None:
    """Set the only hook of this process."""
    _hooks[:] = [hook]


@contextmanager
def call_before_units(hook: Hook) -> Iterator[None]:
    """Call a hook before each unit of `HOOKED` in this process while the block runs."""
    set_hook(hook)
    try:
        yield
    finally:
        _hooks.clear()


def plan_hooked(config: RunConfig) -> Plan[DatasetSpec]:
    """Return the plan of a run file with hooks."""
    return Plan(resolve(config), HOOKED)
