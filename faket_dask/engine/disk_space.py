"""Room on disk, before it is needed."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faket_dask.cluster.requirements import GIB, Requirements
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.errors import InputError

LEAST_SHARE = 0.5
"""Share of the uncompressed size that data takes at least: noise does not compress, empty volumes do."""


class DiskFull(InputError):
    """The data set's disk is full; nothing else can succeed until there is room."""


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that there is no space left, or no quota."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def room_on(root: Path) -> Iterator[None]:
    """Say plainly that the disk is full, where that is what ends the block.

    Raises
    ------
    DiskFull
        In place of the operating system's error.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise DiskFull(
            f"no space left on the disk of {root}; free some and run again: what is done is kept"
        ) from None


def check_room(spec: DatasetSpec, requirements: Requirements) -> None:
    """Refuse a run whose result cannot fit the disk.

    Raises
    ------
    InputError
        With the arithmetic.
    """
    free = shutil.disk_usage(spec.layout.root).free
    images = sum(stage.bytes_written for stage in requirements.stages if stage.stage not in ("build",))
    if images * LEAST_SHARE > free:
        raise InputError(
            f"{spec.layout.root}: {images / GIB:.1f} GiB of tilts are to be written, "
            f"{free / GIB:.1f} GiB are free; choose another dataset.folder or keep fewer modalities"
        )
