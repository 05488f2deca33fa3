"""All units of work, a stage of the pipeline each."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module

from faket_dask.engine.unit import Stage


class _Stages(UserDict[str, Stage | str]):
    """Stages by name; the module of one, with the libraries that it needs, is imported when it is first used.

    A worker that only back-projects never loads PyTorch, which takes more memory than its work.
    """

    def __getitem__(self, name: str) -> Stage:
        found = self.data[name]
        if isinstance(found, str):
            module, _, constant = found.partition(".")
            found = getattr(import_module(f"{__name__}.{module}"), constant)
            self.data[name] = found
        return found


STAGES = _Stages(
    place="specimen.PLACE",
    build="specimen.BUILD",
    project="projection.PROJECT",
    image="microscope.IMAGE",
    measure="reference.MEASURE",
    targets="reference.TARGETS",
    levels="series.LEVELS",
    style="series.STYLE",
    realism="realism.REALISM",
    filter="reconstruction.FILTER",
    reconstruct="reconstruction.RECONSTRUCT",
)
"""By name, in the order that data flows through them."""
