"""Correction of tilts for the contrast transfer function, column by column with the defocus that each has.

Sources: phase flipping and Wiener filtering, Penczek, Methods Enzymol. 482, 35 (2010); correction of tilted images in
strips, Xiong et al., J. Struct. Biol. 168, 378 (2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_positive
from faket_dask.kernels.defocus_gradient import filter_strips
from faket_dask.kernels.optics import Defocus, Optics, contrast_transfer


class CorrectionMethod(Protocol):
    """Filter that follows from a transfer of contrast."""

    @property
    def description(self) -> str:
        """Method and settings in a few words."""
        ...

    def correct(self, transfer: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factors to multiply frequencies by, given those that they were multiplied by, in [−1, 1]."""
        ...


@dataclass(frozen=True)
class PhaseFlip:
    """Frequencies whose contrast is inverted change their sign; amplitudes stay as they are."""

    description = "phase_flip"

    def correct(self, transfer: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sign of the transfer, 1 where it is 0.

        Examples
        --------
        >>> PhaseFlip().correct(np.array([0.5, 0.0, -0.1]))
        array([ 1.,  1., -1.])
        """
        return np.where(transfer < 0, -1.0, 1.0)


@dataclass(frozen=True)
class Wiener:
    """Wiener filter: amplitudes are restored as far as noise lets them be.

    Parameters
    ----------
    signal_to_noise
        Power of the signal before the lens over that of noise, the same at all frequencies.

    Raises
    ------
    ValueError
        If it is not positive.
    """

    signal_to_noise: float

    def __post_init__(self) -> None:
        check_positive("signal_to_noise", self.signal_to_noise)

    @property
    def description(self) -> str:
        """Method and settings in a few words."""
        return f"wiener, SNR {self.signal_to_noise:g}"

    def correct(self, transfer: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``T / (T² + 1/SNR)``.

        Examples
        --------
        >>> Wiener(4.0).correct(np.array([1.0, 0.0, -0.5]))
        array([ 0.8,  0. , -1. ])
        """
        return transfer / (transfer**2 + 1 / self.signal_to_noise)


@dataclass(frozen=True)
class CtfCorrection:
    """Correction of the tilts of a series.

    Parameters
    ----------
    method
        Filter.
    optics
        Microscope.
    defocus
        Defocus of each tilt at the tilt axis.
    """

    method: CorrectionMethod
    optics: Optics
    defocus: tuple[Defocus, ...]

    def select(self, tilts: Sequence[int]) -> CtfCorrection:
        """Return the correction of some of the tilts.

        Parameters
        ----------
        tilts
            Indices of the tilts.
        """
        return replace(self, defocus=tuple(self.defocus[tilt] for tilt in tilts))

    def weights(self, shape: tuple[int, int], pixel_size_A: float, defocus: Defocus) -> NDArray[np.float64]:
        """Return the filter of a part of an image.

        Parameters
        ----------
        shape
            Image shape ``(y, x)``.
        pixel_size_A
            Pixel edge in Å.
        defocus
            Defocus of the part.

        Returns
        -------
        weights
            ``(y, x)``, unshifted; dense matter is dark where they are applied, as it is at underfocus.
        """
        return self.method.correct(-contrast_transfer(shape, pixel_size_A, self.optics, defocus))

    def apply(
        self, tilt: NDArray[np.floating], pixel_size_A: float, tilt_angle: float, index: int
    ) -> NDArray[np.float32]:
        """Correct a tilt in strips that follow the gradient of defocus across it.

        Parameters
        ----------
        tilt
            ``(y, x)``; the tilt axis is y, through column ``x // 2``.
        pixel_size_A
            Pixel edge in Å.
        tilt_angle
            Degrees.
        index
            Index of the tilt.

        Returns
        -------
        corrected
            ``(y, x)`` float32.

        Examples
        --------
        >>> correction = CtfCorrection(PhaseFlip(), Optics(), (Defocus(3.0),))
        >>> correction.apply(np.zeros((16, 16)), 10.0, tilt_angle=0.0, index=0).shape
        (16, 16)
        """

        def weights(shape: tuple[int, int], defocus: Defocus) -> NDArray[np.float64]:
            return self.weights(shape, pixel_size_A, defocus)

        return filter_strips(tilt, pixel_size_A, self.optics, tilt_angle, self.defocus[index], weights)
