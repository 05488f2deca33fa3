"""Moments as markers and records of runs write them: UTC, to the second, ISO 8601."""

from __future__ import annotations

import calendar
import time

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def utc_now(seconds: float | None = None) -> str:
    """A moment in seconds since the epoch, by default this one, as text; later ones sort behind."""
    return time.strftime(_FORMAT, time.gmtime(seconds))


def seconds_of(text: str) -> float:
    """Seconds since the epoch of a moment that was written."""
    return float(calendar.timegm(time.strptime(text, _FORMAT)))
