"""Whether what a unit makes is there, in words that fit where it would have been."""

from __future__ import annotations

from faket_dask.engine.completed import CompletedUnits
from faket_dask.pipeline import STAGES


def why_missing(completed: CompletedUnits, stage: str, item: str, index: int | None = None) -> str | None:
    """Why a result is not there, or nothing when it is.

    Parameters
    ----------
    stage, item
        Of the units that make it.
    index
        Of the one unit that is needed; by default all of the item's are.
    """
    done = completed.done.get((stage, item))
    if index is not None:
        return None if done and done.flags[index] else f"{stage} {item} {index} is not done"
    count = len(done.flags) if done else STAGES[stage].count(completed.spec, item)
    missing = count - (done.count if done else 0)
    return f"{missing} of {count} units of {stage} {item} are not done" if missing else None
