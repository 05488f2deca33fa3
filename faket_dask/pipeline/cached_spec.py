"""Specification of a data set as a key of a cache."""

from __future__ import annotations

from faket_dask.dataset.spec import DatasetSpec


class CachedSpec:
    """Specification that is equal to any other of the same folder and fingerprint.

    Parameters
    ----------
    spec
        Specification of a data set.
    """

    def __init__(self, spec: DatasetSpec) -> None:
        self.spec = spec
        self._key = (spec.folder.root, spec.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CachedSpec) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)
