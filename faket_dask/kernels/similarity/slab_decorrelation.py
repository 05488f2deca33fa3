"""Coherence that two projections of one slab have left, for the angle between them and the thickness of the slab.

A projection at angle θ is a plane through the slab's Fourier transform. Stretched by 1 / cos θ along x, two planes
agree in kx and ky and lie ``kx (tan θ₁ - tan θ₂)`` apart along kz. The transform of a random slab of thickness T is
correlated over 1 / T along kz, which leaves ``sinc(T kx (tan θ₁ - tan θ₂))`` of the power in common.
"""

from __future__ import annotations

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray


def slab_coherence(
    frequency: ArrayLike, thickness: float, first_angle: float, second_angle: float
) -> NDArray[np.float64]:
    """Return the share of their power that two projections of a random slab have in common, ring by ring.

    Parameters
    ----------
    frequency
        ``(ring,)`` cycles per pixel (or Å) in the frame of the less tilted of the two.
    thickness
        Thickness of the slab in pixels (or Å).
    first_angle, second_angle
        Tilt angles in degrees.

    Returns
    -------
    share
        ``(ring,)`` mean of ``sinc(a cos φ)`` over the directions φ of a ring, ``∫ J₀(u) du / (π a)`` from 0 to π a
        with ``a = T k cos θ |tan θ₁ - tan θ₂|``: 1 for equal angles and at low frequencies.

    Raises
    ------
    ValueError
        If the thickness is negative.

    Examples
    --------
    >>> slab_coherence([1 / 142, 1 / 61], 1500, 0, 3).round(2)
    array([0.77, 0.25])
    """
    if not thickness >= 0:
        raise ValueError(f"the thickness of a slab cannot be negative, got {thickness}")
    angles = np.deg2rad([first_angle, second_angle])
    step = np.cos(angles).max() * abs(np.tan(angles[0]) - np.tan(angles[1]))
    argument = np.pi * thickness * step * np.atleast_1d(np.asarray(frequency, dtype=np.float64))
    integral = scipy.special.itj0y0(argument)[0]
    return np.where(argument > 0, integral / np.where(argument > 0, argument, 1), 1.0)
