"""Surfaces that were made last, up to an amount of memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock

from faket_dask.specimen.membranes.part import Part

MOST_BYTES = 2**29
"""Most bytes of surfaces that are kept in a process."""


class PartCache:
    """Parts of organelles, least recently used ones forgotten first.

    Parameters
    ----------
    most_bytes
        Bytes beyond which parts are forgotten; the last ones made are always kept.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[Hashable, tuple[Part, ...]] = OrderedDict()
        self._lock = RLock()

    def get(self, key: Hashable, make: Callable[[], tuple[Part, ...]]) -> tuple[Part, ...]:
        """Return the parts of a key, made if they are not known."""
        with self._lock:
            parts = self._entries.pop(key, None)
            if parts is None:
                parts = make()
            self._entries[key] = parts
            while len(self._entries) > 1 and self._bytes() > self._most_bytes:
                self._entries.popitem(last=False)
            return parts

    def _bytes(self) -> int:
        return sum(
            part.surface.grid.coefficients.nbytes for parts in self._entries.values() for part in parts
        )
