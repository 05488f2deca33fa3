"""Durations for people."""

from __future__ import annotations

_UNITS = (
    ("s", 1.0, 120.0),
    ("min", 60.0, 7200.0),
    ("h", 3600.0, 172_800.0),
    ("days", 86_400.0, float("inf")),
)
"""Unit, its seconds, and the seconds from which on the next one is used."""


def format_duration(seconds: float | None) -> str:
    """Return a duration with a unit that people use, in two digits or more.

    Parameters
    ----------
    seconds
        Duration; ``None`` for one that is not known.

    Examples
    --------
    >>> [format_duration(seconds) for seconds in (0.0003, 0.25, 2.34, 99, 300, 8000, 1e6)]
    ['under 0.1 s', '0.2 s', '2.3 s', '99 s', '5.0 min', '2.2 h', '12 days']
    >>> format_duration(None)
    'unknown'
    """
    if seconds is None:
        return "unknown"
    if seconds < 0.1:
        return "under 0.1 s"
    unit, size, _ = next(unit for unit in _UNITS if seconds < unit[2])
    return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
