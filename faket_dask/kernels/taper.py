"""Windows that keep a difference between opposite edges of an image from leaking over all frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hann_taper(size: int) -> NDArray[np.float64]:
    """Return a Hann window, ``(size,)``.

    Examples
    --------
    >>> hann_taper(4).round(2)
    array([0.15, 0.85, 0.85, 0.15])
    """
    return np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2


def edge_taper(size: int) -> NDArray[np.float64]:
    """Return a window, ``(size,)``, that is 1 but for an eighth at either end.

    Examples
    --------
    >>> edge_taper(16).round(2)[:4]
    array([0.15, 0.85, 1.  , 1.  ])
    """
    rise = np.sin(np.pi / 2 * (np.arange(size // 8) + 0.5) / max(size // 8, 1)) ** 2
    return np.concatenate([rise, np.ones(size - 2 * rise.size), rise[::-1]])
