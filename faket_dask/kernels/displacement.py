"""Displacement of the specimen's image within and between exposures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_between
from faket_dask.kernels.frequency_grid import frequency_grid

_FARTHEST_A = 1e5


@dataclass(frozen=True)
class Displacement:
    """Displacement of one tilt's image.

    Parameters
    ----------
    shift_A
        Displacement ``(x, y)`` of the image's content in Å.
    drift_A
        Motion ``(x, y)`` at constant speed during the exposure, from its first to its last moment, in Å.
    motion_A
        Root mean square of the irregular motion along either axis that the beam induces, in Å.

    Raises
    ------
    ValueError
        Where a number lies outside its range.
    """

    shift_A: tuple[float, float] = (0.0, 0.0)
    drift_A: tuple[float, float] = (0.0, 0.0)
    motion_A: float = 0.0

    def __post_init__(self) -> None:
        for name in ("shift_A", "drift_A"):
            for value in getattr(self, name):
                check_between(f"displacement: {name}", value, -_FARTHEST_A, _FARTHEST_A)
        check_between("displacement: motion_A", self.motion_A, 0.0, _FARTHEST_A)

    @property
    def blurs(self) -> bool:
        """True if the image moves during the exposure."""
        return bool(self.motion_A or any(self.drift_A))

    def envelope(self, shape: tuple[int, int], pixel_size_A: float) -> NDArray[np.float64]:
        """Return the transfer by motion during the exposure, ``(y, x)``, unshifted.

        Parameters
        ----------
        shape
            Image shape ``(y, x)``.
        pixel_size_A
            Pixel edge in Å.

        Examples
        --------
        >>> Displacement(drift_A=(10.0, 0.0)).envelope((1, 4), 8.0).round(2)
        array([[1.  , 0.85, 0.47, 0.85]])
        """
        ky, kx = frequency_grid(shape, pixel_size_A)
        blur = np.exp(-2 * (np.pi * self.motion_A) ** 2 * (kx**2 + ky**2))
        return blur * np.sinc(kx * self.drift_A[0] + ky * self.drift_A[1])

    def phase_ramp(self, shape: tuple[int, int], pixel_size_A: float) -> NDArray[np.complex128]:
        """Return the factor of each frequency, ``(y, x)``, unshifted, that displaces an image by `shift_A`."""
        ky, kx = frequency_grid(shape, pixel_size_A)
        return np.exp(-2j * np.pi * (kx * self.shift_A[0] + ky * self.shift_A[1]))


STILL = Displacement()
"""No displacement."""
