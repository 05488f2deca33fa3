"""Identifiers of random streams.

They are hashed into random numbers (`faket_dask.stages.seeds`), and so part of every result: items may be renamed,
these may not.
"""

from __future__ import annotations


def specimen_stream(index: int) -> str:
    """Return the stream of a specimen of the data set.

    Examples
    --------
    >>> specimen_stream(3)
    'specimen-003'
    """
    return f"specimen-{index:03d}"


def simulated_reference_stream(name: str) -> str:
    """Return the stream of the specimen that a simulated reference images.

    Examples
    --------
    >>> simulated_reference_stream("a")
    'reference-a'
    """
    return f"reference-{name}"


def series_stream(specimen_stream: str, reference: str) -> str:
    """Return the stream of a series.

    Examples
    --------
    >>> series_stream("specimen-003", "a")
    'specimen-003__a'
    """
    return f"{specimen_stream}__{reference}"
