"""Noise models: ways to draw the noise of a synthetic tilt from what is known of a reference's.

A package adds one by an entry point of the group ``faket_dask.noise_models`` that names an object with the members of
`NoiseModel`. Strength, mean and standard deviation of the noise are not part of a model: they are fitted over the
references and applied to any field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import Moments
from faket_dask.kernels.noise.unpaired import fill_artefacts, ring_power
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.registry import Registry


@dataclass(frozen=True, eq=False)
class ReferenceTilt:
    """A tilt of a reference with its artefacts replaced by their surroundings.

    Parameters
    ----------
    pixels
        ``(y, x)`` float64 in the unit of the reference.
    moments
        Mean and standard deviation of the pixels that are no artefacts.
    rings
        Number of rings of equal frequency in which spectra are measured.
    """

    pixels: NDArray[np.float64]
    moments: Moments
    rings: int

    @classmethod
    def from_image(
        cls, image: NDArray[np.generic], rings: int, valid_mask: NDArray[np.bool_] | None = None
    ) -> ReferenceTilt:
        """Fill the artefacts of a recorded tilt.

        Parameters
        ----------
        image
            ``(y, x)`` in any unit.
        rings
            Number of rings of equal frequency, at most half the shorter side.
        valid_mask
            ``(y, x)`` bool, false for artefacts; by default they are looked for.

        Raises
        ------
        ValueError
            If the tilt is not finite, or constant.
        """
        pixels, moments = fill_artefacts(image, valid_mask)
        return cls(pixels, Moments(*moments), rings)

    @cached_property
    def ring_power(self) -> NDArray[np.float64]:
        """``(2, rings)`` power of the standardised tilt in rings, off and on the axes of the spectrum."""
        return ring_power(self.pixels, self.rings)


@dataclass(frozen=True, eq=False)
class SignalSpectrum:
    """Power of the signal in a tilt.

    Parameters
    ----------
    power
        ``(rings,)`` power of the standardised noiseless tilt.
    scale
        Strength of that signal in the reference, as in `NoiseCurves`.
    """

    power: NDArray[np.float64]
    scale: float


class NoiseModel(Protocol):
    """One way to draw noise."""

    @property
    def description(self) -> str:
        """One line for people."""
        ...

    @property
    def modality(self) -> str:
        """Name of the modality that has this noise."""
        ...

    def arrays(self, rings: int) -> Sequence[TiltArrayLayout]:
        """Return the layout of what `estimate` returns; where it is empty, references need not be studied."""
        ...

    def estimate(self, tilt: ReferenceTilt) -> TiltArrays:
        """Return what the model must know of one tilt of a reference."""
        ...

    def field(
        self,
        white: NDArray[np.float32],
        *,
        tilt_angle: float,
        reference: TiltArrays,
        signal: SignalSpectrum | None,
    ) -> NDArray[np.float32]:
        """Return the noise of a tilt, ``(y, x)``, of mean 0 and standard deviation 1.

        Parameters
        ----------
        white
            ``(y, x)`` standard normal draw of this tilt, the only source of chance.
        tilt_angle
            Angle of the tilt in degrees.
        reference
            Estimates at this angle, interpolated and blended.
        signal
            Power of the signal in this tilt; ``None`` where no model studies references.
        """
        ...


NOISE_MODELS: Registry[NoiseModel] = Registry(
    "faket_dask.noise_models",
    "noise model",
    {
        "white": "faket_dask.methods.white_noise:WHITE_NOISE",
        "spectral": "faket_dask.methods.spectral_noise:SPECTRAL_NOISE",
    },
)
"""Noise models by the names of run files."""
