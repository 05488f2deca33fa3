"""Names of units of work.

A unit is the piece of a data set that is computed, lost, and computed again as one. It reads its inputs from
stores, writes whole files that no other unit writes, and then a *marker* (`faket_dask.engine.marker`). Resuming,
retrying, surviving a killed worker and repairing a damaged file are all this one mechanism
(`faket_dask.engine.run_unit`); its precondition is that no two units share a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, order=True)
class Item:
    """Subject of a batch of units.

    Parameters
    ----------
    owner
        Name of the specimen, reference, series or model that the results belong to.
    part
        Part of the owner, such as a modality; empty for the whole.

    Examples
    --------
    >>> str(Item("specimen-000", "noisy")), Item("specimen-000", "noisy").path
    ('specimen-000 noisy', 'specimen-000/noisy')
    """

    owner: str
    part: str = ""

    @property
    def path(self) -> str:
        """Relative POSIX path that is unique among the items of a stage."""
        return str(PurePosixPath(self.owner, self.part))

    def __str__(self) -> str:
        return f"{self.owner} {self.part}".rstrip()


@dataclass(frozen=True, order=True)
class Unit:
    """Name of one unit of work: stage, item, and index within the item's batch."""

    stage: str
    item: Item
    index: int

    def __str__(self) -> str:
        return f"{self.stage} {self.item} {self.index}"
