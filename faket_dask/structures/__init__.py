"""Structures of public archives: entries by name, fetched once, checked, and kept in the user's cache.

A run file names an entry as ``pdb:1bxn`` or ``emdb:3228``. It is fetched from its archive, or from a mirror, on the
machine where a run is planned; workers read the cache and use no network. A file is accepted if it says itself that it
is the entry. Its checksum is recorded then, and compared whenever it is read. Missing or damaged entries are an error
with a remedy; nothing else ever takes their place.
"""

from faket_dask.structures.entry import Entry, names_entry, parse_entry
from faket_dask.structures.library import StoredEntry, fetch, list_entries, locate
from faket_dask.structures.origin import UnavailableEntryError

__all__ = [
    "Entry",
    "StoredEntry",
    "UnavailableEntryError",
    "fetch",
    "list_entries",
    "locate",
    "names_entry",
    "parse_entry",
]
