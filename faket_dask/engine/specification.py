"""Protocol of a specification: everything that the engine must know of what a pipeline computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from faket_dask.engine.folder import RunFolder


class Specification(Protocol):
    """Resolved settings and inputs of one run.

    Two workers that hold equal specifications compute the same bytes.
    """

    @property
    def folder(self) -> RunFolder:
        """Paths of the run."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of everything that a result depends on."""
        ...

    @property
    def title(self) -> str:
        """Summary for plans and displays, in one line."""
        ...

    @property
    def threads_per_task(self) -> int:
        """Number of threads that one unit uses."""
        ...

    @property
    def device(self) -> str:
        """``"cpu"``, or ``"cuda"`` when any unit uses a GPU."""
        ...

    @property
    def result_inputs(self) -> Mapping[str, Any]:
        """Contents of the fingerprint by section, to name what two runs differ in."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Facts for the record of each run, such as seed and weights."""
        ...

    @property
    def description_files(self) -> frozenset[str]:
        """Names of files that a run writes into the folder before its description, such as its configuration."""
        ...

    def write(self) -> None:
        """Store the specification in its folder."""
        ...

    def relocate(self, root: Path) -> Self:
        """Return the same specification for another folder."""
        ...


def digest_inputs(inputs: Mapping[str, Any]) -> str:
    """Return the digest of everything that a result depends on, 16 hexadecimal digits.

    Parameters
    ----------
    inputs
        Values that JSON holds, by section.

    Examples
    --------
    >>> digest_inputs({"a": 1, "b": 2}) == digest_inputs({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
