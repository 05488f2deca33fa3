"""Room on disk, before it is needed."""

from __future__ import annotations

import shutil

from faket_dask.cluster.requirements import GIB, Requirements
from faket_dask.dataset.blueprint import Blueprint
from faket_dask.errors import InputError

LEAST_SHARE = 0.5
"""Share of the uncompressed size that data takes at least: noise does not compress, empty volumes do."""


def check_room(blueprint: Blueprint, requirements: Requirements) -> None:
    """Refuse a run whose result cannot fit the disk.

    Raises
    ------
    InputError
        With the arithmetic.
    """
    free = shutil.disk_usage(blueprint.layout.root).free
    images = sum(stage.bytes_written for stage in requirements.stages if stage.stage not in ("build",))
    if images * LEAST_SHARE > free:
        raise InputError(
            f"{blueprint.layout.root}: {images / GIB:.1f} GiB of tilts are to be written, "
            f"{free / GIB:.1f} GiB are free; choose another dataset.folder or keep fewer modalities"
        )
