"""Pipelines: ordered stages with a reader of their specifications, found by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Generic

from faket_dask.engine.folder import RunFolder
from faket_dask.engine.specification import Specification
from faket_dask.engine.stage import BatchKey, S, Stage
from faket_dask.engine.unit import Item
from faket_dask.errors import FaketDaskError, InputError

LAYOUT_VERSION = 4
"""Version of the folder layout; raised when folders of before can no longer be read."""

REMEDY = "restore it, or give the run file to `faket-dask run`, which writes it again and keeps what is done"
"""Advice where a folder's description is damaged."""

ENTRY_POINTS = "faket_dask.pipelines"
"""Group of entry points that declare pipelines: name = ``module:attribute``."""


def _equal_rank(spec: Any, item: Item) -> int:
    return 0


def _no_products(spec: Any) -> Sequence[BatchKey]:
    return ()


@dataclass(frozen=True)
class Pipeline(Generic[S]):
    """Kind of work: its stages in the order that data flows through them.

    Parameters
    ----------
    name
        Name in the description of a run's folder.
    target
        Where workers import the pipeline from, ``module:attribute``.
    stages
        All stages; a stage comes after those that its units wait for.
    read
        Reads the specification of a run's folder.
    list_products
        Returns the batches that a user counts, such as one per series.
    product_name, unit_name
        Plural nouns for those and for their units in displays.
    rank
        Position of an item in the order in which work is started; items of a lower rank are completed first.
    """

    name: str
    target: str
    stages: tuple[Stage[S], ...]
    read: Callable[[Path], S]
    list_products: Callable[[S], Sequence[BatchKey]] = field(default=_no_products)
    product_name: str = "items"
    unit_name: str = "units"
    rank: Callable[[S, Item], int] = field(default=_equal_rank)

    @cached_property
    def by_name(self) -> Mapping[str, Stage[S]]:
        """Stages by name."""
        return {stage.name: stage for stage in self.stages}

    def __getitem__(self, name: str) -> Stage[S]:
        return self.by_name[name]

    def describe(self, spec: Specification) -> dict[str, Any]:
        """Return what the description of a run's folder must hold besides the specification's own content."""
        return {"pipeline": self.name, "layout": LAYOUT_VERSION, "fingerprint": spec.fingerprint}


_TARGETS: dict[str, str] = {}


def register_pipeline(name: str, target: str) -> None:
    """Make a pipeline known by name in this process, as an entry point does in all.

    Parameters
    ----------
    name
        Name in the description of run folders.
    target
        Import path, ``module:attribute``.
    """
    _TARGETS[name] = target


def load_pipeline(target: str) -> Pipeline[Any]:
    """Import a pipeline from ``module:attribute``."""
    return resolve_name(target)


def find_pipeline(name: str) -> Pipeline[Any]:
    """Return the pipeline of a name.

    Raises
    ------
    InputError
        If none of that name is registered or installed, or its package cannot be imported.
    """
    target = _TARGETS.get(name)
    for entry in () if target else entry_points(group=ENTRY_POINTS, name=name):
        target = entry.value
    if target is None:
        raise InputError(
            f"there is no pipeline {name!r} here; install the package that made this folder, or update faket_dask"
        )
    try:
        return load_pipeline(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"the pipeline {name!r} cannot be loaded from {target} ({error}); reinstall its package"
        ) from error


def read_pipeline(root: Path) -> Pipeline[Any]:
    """Return the pipeline that made a run's folder.

    Raises
    ------
    InputError
        If the folder holds no run, or was made by a version whose folders cannot be read any more.
    """
    path = RunFolder(root).description
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{root} is not a data set: it has no {path.name}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); {REMEDY}") from None
    check_layout(path, document)
    return find_pipeline(str(document.get("pipeline")))


def check_layout(path: Path, document: Any) -> None:
    """Refuse the description of a folder in another layout.

    Raises
    ------
    InputError
        If its layout version is not `LAYOUT_VERSION`, or it describes no run at all.
    """
    if not isinstance(document, dict) or "fingerprint" not in document:
        raise InputError(f"{path} is damaged (it has no fingerprint); {REMEDY}")
    version = document.get("layout", 1)
    if version != LAYOUT_VERSION:
        raise InputError(
            f"{path.parent} has folder layout {version}, this version of faket_dask reads layout {LAYOUT_VERSION}; "
            "make the data set anew from its run file in another dataset.folder"
        )


@contextmanager
def open_description(root: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Read the description of a run's folder for a block that makes a specification of it.

    Parameters
    ----------
    root
        Folder of the run.
    kind
        Runs that it should hold, for the message: ``"trainings"``.

    Yields
    ------
    document
        Contents of the description.

    Raises
    ------
    InputError
        If there is none, it is of another layout, or damaged, as far as the block finds.
    """
    path = RunFolder(root.resolve()).description
    try:
        document = json.loads(path.read_bytes())
        check_layout(path, document)
        yield document
    except FileNotFoundError:
        raise InputError(f"{root} is no folder of {kind}: it has no {path.name}") from None
    except FaketDaskError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); {REMEDY}") from None
