"""Weights of tilts by the damage that the specimen has when they are recorded.

Source: optimal exposure filter, Grant & Grigorieff, eLife 4, e06980 (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.frequency_grid import frequency_grid
from faket_dask.kernels.radiation_damage import damage_curve

_SAMPLES = 2048
"""Frequencies at which the weights are computed; between them is interpolated."""

_MARGIN = 16
"""Pixels of its mirror image by which a tilt is continued, which the filter reaches across."""


@dataclass(frozen=True)
class DoseWeighting:
    """Dose weighting of the tilts of a series.

    The weight of a frequency k in a tilt is the share q of its signal that is left, divided by the root mean square
    of q over all tilts: the power of noise in the tomogram stays as it is at each frequency, and so does its density at
    low ones, which are not damaged.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage.
    before_e_per_A2, dose_e_per_A2
        Electrons per Å² before and during each tilt.

    Raises
    ------
    ValueError
        If the two differ in length, an exposure before a tilt is negative, or one of a tilt is not positive.
    """

    voltage_kV: float
    before_e_per_A2: tuple[float, ...]
    dose_e_per_A2: tuple[float, ...]

    def __post_init__(self) -> None:
        before, dose = np.array(self.before_e_per_A2), np.array(self.dose_e_per_A2)
        if before.shape != dose.shape or not before.size:
            raise ValueError(
                f"exposures before {before.size} tilts and during {dose.size} are given; each tilt has both"
            )
        if not ((before >= 0).all() and (dose > 0).all() and np.isfinite(before + dose).all()):
            raise ValueError("exposures before tilts must not be negative, those of tilts positive")

    def select(self, tilts: Sequence[int]) -> DoseWeighting:
        """Return the weighting of some of the tilts, normalised over them.

        Parameters
        ----------
        tilts
            Indices of the tilts.
        """
        before, dose = self.before_e_per_A2, self.dose_e_per_A2
        return DoseWeighting(
            self.voltage_kV, tuple(before[tilt] for tilt in tilts), tuple(dose[tilt] for tilt in tilts)
        )

    def curve(self, frequency: NDArray[np.float64], tilt: int) -> NDArray[np.float64]:
        """Return the weights of frequencies in a tilt.

        Parameters
        ----------
        frequency
            Any shape, 1/Å.
        tilt
            Index of the tilt.

        Examples
        --------
        >>> weighting = DoseWeighting(300.0, (0.0, 60.0), (2.0, 2.0))
        >>> weighting.curve(np.array([0.0, 0.02, 0.1]), tilt=1).round(2)
        array([1.  , 0.91, 0.17])
        """
        exposures = zip(self.before_e_per_A2, self.dose_e_per_A2, strict=True)
        left = [damage_curve(frequency, self.voltage_kV, before, dose) for before, dose in exposures]
        mean_square = np.mean(np.square(left), axis=0)
        return left[tilt] / np.sqrt(np.maximum(mean_square, np.finfo(float).tiny))

    def weights(self, shape: tuple[int, int], pixel_size_A: float, tilt: int) -> NDArray[np.float64]:
        """Return the filter of a tilt, ``(y, x)``, unshifted.

        Parameters
        ----------
        shape
            Image shape ``(y, x)``.
        pixel_size_A
            Pixel edge in Å.
        tilt
            Index of the tilt.
        """
        ky, kx = frequency_grid(shape, pixel_size_A)
        frequency = np.linspace(0, np.sqrt(0.5) / pixel_size_A, _SAMPLES)
        return np.interp(np.hypot(kx, ky), frequency, self.curve(frequency, tilt))

    def apply(self, tilt: NDArray[np.floating], pixel_size_A: float, index: int) -> NDArray[np.float32]:
        """Weight a tilt.

        Parameters
        ----------
        tilt
            ``(y, x)``.
        pixel_size_A
            Pixel edge in Å.
        index
            Index of the tilt.

        Returns
        -------
        weighted
            ``(y, x)`` float32.
        """
        rows, columns = tilt.shape
        height, width = (scipy.fft.next_fast_len(size + 2 * _MARGIN, real=True) for size in tilt.shape)
        beyond = ((_MARGIN, height - rows - _MARGIN), (_MARGIN, width - columns - _MARGIN))
        spectrum = scipy.fft.rfft2(np.pad(tilt.astype(np.float32), beyond, mode="symmetric"))
        weights = self.weights((height, width), pixel_size_A, index)
        spectrum *= weights[:, : spectrum.shape[1]].astype(np.float32)
        whole = scipy.fft.irfft2(spectrum, s=(height, width), overwrite_x=True)
        return whole[_MARGIN : _MARGIN + rows, _MARGIN : _MARGIN + columns].astype(np.float32)
