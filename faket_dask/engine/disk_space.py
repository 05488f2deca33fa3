"""Disk-space checks before and during a run."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faket_dask.cluster.requirements import GIB, Requirements
from faket_dask.engine.plan import Plan
from faket_dask.errors import DiskFullError


def is_disk_full(error: BaseException) -> bool:
    """Tell whether an error reports that there is no space or no quota left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def explain_full_disk(root: Path) -> Iterator[None]:
    """Replace the operating system's error for a full disk by one that says what to do.

    Raises
    ------
    DiskFullError
        In place of the operating system's error.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise DiskFullError(
            f"no space left on the disk of {root}; free some and run again: what is done is kept"
        ) from None


def check_disk_space(plan: Plan[Any], requirements: Requirements) -> None:
    """Refuse a run whose results cannot fit on the disk.

    Raises
    ------
    DiskFullError
        With the arithmetic.
    """
    root = plan.spec.folder.root
    free = shutil.disk_usage(root).free
    least = sum(
        plan.stage(stage.stage).least_stored_share * stage.bytes_written for stage in requirements.stages
    )
    if least > free:
        total = sum(s.bytes_written for s in requirements.stages if plan.stage(s.stage).least_stored_share)
        raise DiskFullError(
            f"{root}: {total / GIB:.1f} GiB are to be written, {free / GIB:.1f} GiB are free; choose another "
            "folder or keep fewer modalities"
        )
