"""Settings of a worker process that a task needs before it uses a network."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

import torch

_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of glibc's malloc.h."""

_LARGE = 2**20
"""Size in bytes from which a freed block is returned to the system at once."""


def prepare_process(threads: int) -> None:
    """Set the number of threads, and have unused memory returned to the system.

    Sums are split among threads, so their number is part of the result.
    """
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    _return_large_blocks()


@lru_cache(maxsize=1)
def _return_large_blocks() -> None:
    """Have activations of any size mapped, as only the largest are by default.

    glibc raises the limit to 32 MiB as blocks are freed; smaller blocks then come from a heap with holes in it:
    a transfer of 1024² in tiles of 256 peaked at 1.27 GB that way, at 1.02 GB this way. The peak is then the one that
    `faket_dask.kernels.style.memory` counts. Where there is no glibc, nothing happens.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)
