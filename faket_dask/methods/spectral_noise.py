"""Noise with the power spectrum of the reference's noise, and with its dependence on direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.noise.spectral import CELLS, anisotropy, noise_power, shaped_field
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.methods.noise import ReferenceTilt, SignalSpectrum

POWER, DIRECTIONS = "power", "directions"
"""Names of the arrays: power in rings off and on the axes, and its ratio to that by direction."""


@dataclass(frozen=True)
class SpectralNoise:
    """White noise filtered to the spectrum of the reference less that of the signal."""

    description: str = "noise with the reference's power spectrum"
    modality: str = "spectral"

    def arrays(self, rings: int) -> Sequence[TiltArrayLayout]:
        """Return the layout of power and directions."""
        return (
            TiltArrayLayout(POWER, ("off_or_on_axes", "ring"), (2, rings), "float64"),
            TiltArrayLayout(DIRECTIONS, ("frequency_y", "frequency_x"), CELLS, "float64"),
        )

    def estimate(self, tilt: ReferenceTilt) -> TiltArrays:
        """Return power and directions of a tilt's spectrum, noise and signal together."""
        return {POWER: tilt.ring_power, DIRECTIONS: anisotropy(tilt.pixels)}

    def field(
        self,
        white: NDArray[np.float32],
        *,
        tilt_angle: float,
        reference: TiltArrays,
        signal: SignalSpectrum | None,
    ) -> NDArray[np.float32]:
        """Return the draw filtered to the spectrum of the reference's noise."""
        if signal is None:
            raise ValueError("spectral noise needs the power of the signal, which is not part of it")
        power = noise_power(np.asarray(reference[POWER])[0], signal.power, signal.scale)
        return shaped_field(white, power, np.asarray(reference[DIRECTIONS]))


SPECTRAL_NOISE = SpectralNoise()
