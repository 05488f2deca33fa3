"""Protocol of a stage: one step of a pipeline as units of work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from numpy.typing import NDArray

from faket_dask.engine.arrays import OwnedArray, create_array
from faket_dask.engine.consolidated import consolidate, find_store, remove_consolidated
from faket_dask.engine.marker import Findings
from faket_dask.engine.specification import Specification
from faket_dask.engine.unit import Item

S = TypeVar("S", bound=Specification)


class BatchKey(NamedTuple):
    """Name of a batch: all units of one stage of one item."""

    stage: str
    item: Item


@dataclass(frozen=True)
class UnitCost:
    """Estimated cost of the largest unit of a stage.

    Parameters
    ----------
    seconds
        Time on one core of this machine, of the processor where other load slows it down; ``None`` where it is not
        known.
    memory_bytes
        Peak memory of the worker process, interpreter included.
    written_bytes
        Size of what it writes, uncompressed.
    gpu_bytes
        Peak memory of the GPU that it runs on; 0 for units that use none.
    start
        Seconds of what a process does once, before the first unit that needs it, by a name that stages share.
    """

    seconds: float | None
    memory_bytes: int
    written_bytes: int
    gpu_bytes: int = 0
    start: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Preview:
    """Image of a unit's result.

    Parameters
    ----------
    image
        ``(y, x)`` of any real type.
    title
        One line that describes it.
    """

    image: NDArray[Any]
    title: str


@dataclass(frozen=True)
class Ownership:
    """Files of a batch by the unit that writes them."""

    arrays: tuple[OwnedArray, ...]
    others: tuple[Path, ...]

    def files(self, index: int) -> list[Path]:
        """Return the files that a unit writes and no other unit does."""
        return [owned.group / owned.spec.file(owned.position(index)) for owned in self.arrays] + list(
            self.others
        )


class Stage(ABC, Generic[S]):
    """Step of a pipeline.

    A stage owns everything that is particular to it: its items, what they wait for, the arrays and files that its
    units write, what they cost, and what their results depend on. Nothing else in the package asks for a stage by
    its name. Modules of stages import heavy libraries inside `compute`, so that a worker loads only what it uses.
    """

    name: ClassVar[str]
    """Name in markers, plans and displays."""

    label: ClassVar[str]
    """Name of its tasks on the Dask dashboard, which draws one of few colours by a hash of it."""

    milestone: ClassVar[str | None] = None
    """State of an item in displays once its batch is complete, such as ``"projected"``."""

    least_stored_share: ClassVar[float] = 0.5
    """Smallest share of the uncompressed size that its files take on disk; 0 for data that may be empty."""

    @abstractmethod
    def items(self, spec: S) -> Iterable[Item]:
        """Return all items of the stage; none when the specification does not ask for its results."""

    def predecessors(self, spec: S, item: Item) -> Iterable[BatchKey]:
        """Return the batches that must be complete before any unit of the item starts."""
        return ()

    def count(self, spec: S, item: Item) -> int:
        """Return the number of units of an item."""
        return 1

    def prepare(self, spec: S, item: Item) -> None:
        """Create groups and coordinates of the item's stores; must be harmless when repeated."""

    def arrays(self, spec: S, item: Item) -> list[OwnedArray]:
        """Return the arrays that the item's units write, one file of each per unit."""
        return []

    def files(self, spec: S, item: Item) -> list[Path]:
        """Return other files that a unit of the item writes."""
        return []

    def stores(self, spec: S, item: Item) -> set[Path]:
        """Return the Zarr stores that `set_up` changes: those of the item's arrays, unless `prepare` changes more."""
        return {find_store(owned.group) for owned in self.arrays(spec, item)}

    @abstractmethod
    def compute(self, spec: S, item: Item, index: int) -> Findings:
        """Compute and write one unit; the returned findings go into its marker."""

    def unit_labels(self, spec: S, item: Item) -> Sequence[str]:
        """Return short labels of an item's units for displays, such as tilt angles."""
        return [str(index) for index in range(self.count(spec, item))]

    def read_preview(self, spec: S, item: Item, index: int) -> Preview | None:
        """Read an image of what a unit has written, for displays; ``None`` for stages without images."""
        return None

    @abstractmethod
    def cost(self, spec: S) -> UnitCost:
        """Estimate the cost of the largest unit."""

    def mean_seconds(self, spec: S, units: Mapping[Item, int]) -> float | None:
        """Estimate the mean time of a number of units of each item; that of the largest unless a stage knows better."""
        return self.cost(spec).seconds

    def fingerprint(self, spec: S) -> str:
        """Return the digest of everything that the stage's results depend on."""
        return spec.fingerprint

    def fingerprint_item(self, spec: S, item: Item) -> str:
        """Return the digest of everything that the results of one item depend on; by default that of the stage.

        Where items are independent of each other, as models are, others may then be added to a run.
        """
        return self.fingerprint(spec)

    def check_contents(self, spec: S, item: Item) -> Iterator[str]:
        """Yield contradictions in the contents of a complete, undamaged batch."""
        yield from ()

    def set_up(self, spec: S, item: Item) -> None:
        """Create an item's stores, without any data, and consolidate their metadata."""
        stores = self.stores(spec, item)
        for store in stores:
            remove_consolidated(store)
        self.prepare(spec, item)
        for owned in self.arrays(spec, item):
            create_array(owned.group, owned.spec)
        for store in stores:
            consolidate(store)

    def ownership(self, spec: S, item: Item) -> Ownership:
        """Return which unit of an item writes which files."""
        return Ownership(tuple(self.arrays(spec, item)), tuple(self.files(spec, item)))
