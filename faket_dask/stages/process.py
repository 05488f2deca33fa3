"""What a task sets in the process it runs in, before it uses the network."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

import torch

_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of glibc's malloc.h."""

_LARGE = 2**20
"""Bytes from where a block is given back to the system as soon as it is let go of."""


def prepare_process(threads: int) -> None:
    """Compute on this many threads, and hold no more memory than is in use.

    Sums are split among threads, so their number is part of the result.
    """
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    _return_large_blocks()


@lru_cache(maxsize=1)
def _return_large_blocks() -> None:
    """Have activations of any size mapped, as only the largest are by default.

    glibc raises the limit to 32 MiB as blocks are freed; what is smaller then comes from a heap with holes in it:
    a transfer of 1024² in tiles of 256 peaked at 1.27 GB that way, at 1.02 GB this way. The peak is then what
    `faket_dask.kernels.style.memory` counts. Where there is no glibc, nothing happens.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)
