"""Registry of batch systems: those of this package, and those of others.

Another package adds one by an entry point of the group `faket_dask.batch_systems`, whose name is that of the batch
system and whose object is a `BatchSystem`; a script adds one by `register_batch_system`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from faket_dask.cluster.jobs.base import BatchSystem
from faket_dask.cluster.jobs.lsf import LSF
from faket_dask.cluster.jobs.pbs import PBS
from faket_dask.cluster.jobs.sge import SGE
from faket_dask.cluster.jobs.slurm import SLURM
from faket_dask.errors import InputError

ENTRY_POINTS = "faket_dask.batch_systems"


def list_batch_systems() -> tuple[str, ...]:
    """Return the names of all batch systems.

    Examples
    --------
    >>> {"slurm", "pbs", "sge", "lsf"} <= set(list_batch_systems())
    True
    """
    return tuple(_registry())


def get_batch_system(name: str) -> BatchSystem:
    """Return the batch system of a name.

    Raises
    ------
    InputError
        When there is none of this name.

    Examples
    --------
    >>> get_batch_system("sge").title
    'Grid Engine'
    """
    try:
        return _registry()[name]
    except KeyError:
        known = ", ".join(list_batch_systems())
        raise InputError(f"there is no batch system {name!r}; there are {known}") from None


def register_batch_system(system: BatchSystem) -> None:
    """Add a batch system under its name, in place of the one that has it."""
    _registry()[system.name] = system


@cache
def _registry() -> dict[str, BatchSystem]:
    """Batch systems by name; entry points are loaded once, when the first name is looked up."""
    registry: dict[str, BatchSystem] = {system.name: system for system in (SLURM, PBS, SGE, LSF)}
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name in registry:
            continue  # other packages add batch systems and replace none
        system = entry.load()
        if not isinstance(system, BatchSystem):
            raise InputError(
                f"the entry point {entry.name} of {ENTRY_POINTS} is a {type(system).__name__}; it must be a "
                "BatchSystem"
            )
        registry[entry.name] = system
    return registry
