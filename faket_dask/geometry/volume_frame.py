"""Centre of a volume in the frame of the specimen, and tilt angles as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def centre_A(shape: tuple[int, ...], voxel_size_A: float) -> NDArray[np.float64]:
    """Compute the centre of a volume or image, in Å from the centre of its corner voxel.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)``, or pixels ``(y, x)``.
    voxel_size_A
        Edge of a voxel in Å.

    Returns
    -------
    centre
        ``(x, y, z)`` or ``(x, y)`` in Å.

    Examples
    --------
    >>> centre_A((20, 31, 48), 2.0)
    array([48., 30., 20.])
    """
    return np.array([size // 2 for size in reversed(shape)], dtype=np.float64) * voxel_size_A


def format_tilt_angle(angle: float) -> str:
    """Return a tilt angle with sign and degree.

    Examples
    --------
    >>> format_tilt_angle(0.0), format_tilt_angle(60.0), format_tilt_angle(-48.5)
    ('0°', '+60°', '−48.5°')
    """
    rounded = round(float(angle), 2) + 0.0
    return f"{rounded:+g}°".replace("-", "\N{MINUS SIGN}") if rounded else "0°"
