"""Realistic, fully labelled synthetic cryo-electron tilt-series by style transfer, for whole data sets, on Dask.

>>> import faket_dask
>>> dataset = faket_dask.run("configs/demo.yaml")        # doctest: +SKIP
>>> series = dataset.open(dataset.series[0])             # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from faket_dask._version import __version__

if TYPE_CHECKING:
    from faket_dask.dataset.dataset import Dataset, open_dataset, open_series
    from faket_dask.pipeline.plan import Plan, plan
    from faket_dask.progress.showing import run, watch

__all__ = ["Dataset", "Plan", "__version__", "open_dataset", "open_series", "plan", "run", "watch"]

_HOMES = {
    "Dataset": "faket_dask.dataset.dataset",
    "Plan": "faket_dask.pipeline.plan",
    "open_dataset": "faket_dask.dataset.dataset",
    "open_series": "faket_dask.dataset.dataset",
    "plan": "faket_dask.pipeline.plan",
    "run": "faket_dask.progress.showing",
    "watch": "faket_dask.progress.showing",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: `faket-dask --help` need not wait for torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'faket_dask' has no attribute {name!r}")
