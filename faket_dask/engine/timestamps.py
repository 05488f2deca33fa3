"""UTC timestamps of markers and run records: ISO 8601 to the second."""

from __future__ import annotations

import calendar
import time

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def format_utc(seconds: float) -> str:
    """Format seconds since the epoch; later times sort behind earlier ones.

    Examples
    --------
    >>> format_utc(0)
    '1970-01-01T00:00:00Z'
    """
    return time.strftime(_FORMAT, time.gmtime(seconds))


def utc_now() -> str:
    """Format the present time."""
    return format_utc(time.time())


def parse_utc(text: str) -> float:
    """Return seconds since the epoch of a formatted time.

    Examples
    --------
    >>> parse_utc("1970-01-01T00:01:00Z")
    60.0
    """
    return float(calendar.timegm(time.strptime(text, _FORMAT)))
