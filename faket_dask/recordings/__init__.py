"""Recorded tilt-series that a package on the package index carries, by name.

A run file names a file of one as ``data:empiar10499-00254/00254.stack.mrc``. `fetch` unpacks it into the user's cache
on a machine that reaches a package index; all nodes read it there. Every file is known by its checksum.
"""

from faket_dask.recordings.catalogue import Recording, fetch, list_recordings, require_file, resolve_file

__all__ = ["Recording", "fetch", "list_recordings", "require_file", "resolve_file"]
