"""Electron detectors: transfer of signal and noise.

Source: separate transfer of signal and noise, Vulovic et al., J. Struct. Biol. 183, 19 (2013).
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_between
from faket_dask.kernels.frequency_grid import frequency_grid
from faket_dask.kernels.transfer_curve import NYQUIST, TransferCurve

USUAL_PIXEL_A = 2.0
"""Pixel size at which tilt-series are usually recorded, from which coarser pixels are binned."""


@dataclass(frozen=True)
class Detector:
    """Detector, whose transfer functions are Gaussians through their values at zero and at its Nyquist frequency.

    Parameters
    ----------
    pixel_size_A
        Pixel size at which images are recorded, in Å: that of the detector in the specimen. Coarser images are
        binned, and blurred little by the detector. ``None`` stands for 2 Å, or for the image's where that is
        smaller.
    dqe_zero, dqe_nyquist
        Detective quantum efficiency at zero and at the detector's Nyquist frequency.
    mtf_nyquist
        Modulation transfer at the detector's Nyquist frequency; it is 1 at zero.
    mtf
        Measured modulation transfer, in place of the Gaussian through `mtf_nyquist`.

    Raises
    ------
    ValueError
        Where a number lies outside its physical range.
    """

    pixel_size_A: float | None = None
    dqe_zero: float = 0.9
    dqe_nyquist: float = 0.4
    mtf_nyquist: float = 0.5
    mtf: TransferCurve | None = None

    def __post_init__(self) -> None:
        check_between("detector: dqe_zero", self.dqe_zero, 1e-3, 1.0)
        check_between("detector: dqe_nyquist", self.dqe_nyquist, 1e-3, 1.0)
        check_between("detector: mtf_nyquist", self.mtf_nyquist, 1e-3, 1.0)
        if self.pixel_size_A is not None and not self.pixel_size_A > 0:
            raise ValueError(f"detector: pixel_size_A is {self.pixel_size_A}; it is positive")

    def modulation_transfer(self, shape: tuple[int, int], pixel_size_A: float) -> NDArray[np.float64]:
        """Return the transfer of signal to the image, ``(y, x)``, unshifted; 1 at zero frequency.

        Parameters
        ----------
        shape
            Image shape ``(y, x)``.
        pixel_size_A
            Pixel edge of the image in Å.
        """
        square = self._square_frequency(shape, pixel_size_A)
        return (
            self.mtf_nyquist**square if self.mtf is None else self.mtf.interpolate(NYQUIST * np.sqrt(square))
        )

    def quantum_efficiency(self, shape: tuple[int, int], pixel_size_A: float) -> NDArray[np.float64]:
        """Return the detective quantum efficiency, ``(y, x)``, unshifted.

        Parameters
        ----------
        shape
            Image shape ``(y, x)``.
        pixel_size_A
            Pixel edge of the image in Å.
        """
        falloff = self.dqe_nyquist / self.dqe_zero
        return self.dqe_zero * falloff ** self._square_frequency(shape, pixel_size_A)

    def count(
        self, electrons: NDArray[np.float64], pixel_size_A: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw counts: the signal goes through sqrt(DQE), counts with their noise through MTF / sqrt(DQE).

        Parameters
        ----------
        electrons
            ``(y, x)`` expected electrons of each pixel.
        pixel_size_A
            Pixel edge in Å.
        rng
            Source of the counting noise.
        """
        shape = (electrons.shape[0], electrons.shape[1])
        signal = np.sqrt(self.quantum_efficiency(shape, pixel_size_A) / self.dqe_zero)
        expected = self.dqe_zero * np.maximum(_filter(electrons, signal), 0.0)
        counts = rng.poisson(expected).astype(np.float64)
        return _filter(counts, self.modulation_transfer(shape, pixel_size_A) / signal)

    def _square_frequency(self, shape: tuple[int, int], pixel_size_A: float) -> NDArray[np.float64]:
        """Return the square of each frequency in units of the detector's Nyquist frequency."""
        ky, kx = frequency_grid(shape, pixel_size_A)
        own = self.pixel_size_A or min(USUAL_PIXEL_A, pixel_size_A)
        return (2 * own) ** 2 * (kx**2 + ky**2)


def _filter(image: NDArray[np.float64], transfer: NDArray[np.float64]) -> NDArray[np.float64]:
    return scipy.fft.ifft2(scipy.fft.fft2(image) * transfer).real
