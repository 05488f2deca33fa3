"""Realistic, fully labelled synthetic cryo-electron tilt-series by style transfer, for whole data sets, on Dask.

>>> import faket_dask
>>> dataset = faket_dask.run("configs/demo.yaml")        # doctest: +SKIP
>>> series = dataset.open(dataset.series[0])             # doctest: +SKIP
"""

from typing import TYPE_CHECKING

import lazy_loader

from faket_dask._version import __version__

if TYPE_CHECKING:
    from faket_dask.dataset.dataset import Dataset, open_dataset, open_series
    from faket_dask.engine.plan import Plan
    from faket_dask.pipeline.plan import plan
    from faket_dask.progress.display import run, watch

__all__ = ["Dataset", "Plan", "__version__", "open_dataset", "open_series", "plan", "run", "watch"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset.dataset": ["Dataset", "open_dataset", "open_series"],
        "engine.plan": ["Plan"],
        "pipeline.plan": ["plan"],
        "progress.display": ["run", "watch"],
    },
)
