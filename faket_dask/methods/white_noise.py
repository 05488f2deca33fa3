"""White noise, as published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.methods.noise import ReferenceTilt, SignalSpectrum


@dataclass(frozen=True)
class WhiteNoise:
    """Noise of equal power at all frequencies."""

    description: str = "white noise (published)"
    modality: str = "noisy"

    def arrays(self, rings: int) -> Sequence[TiltArrayLayout]:
        """Return no layout: white noise is the same for all references."""
        return ()

    def estimate(self, tilt: ReferenceTilt) -> TiltArrays:
        """Return no arrays."""
        return {}

    def field(
        self,
        white: NDArray[np.float32],
        *,
        tilt_angle: float,
        reference: TiltArrays,
        signal: SignalSpectrum | None,
    ) -> NDArray[np.float32]:
        """Return the draw itself."""
        return white


WHITE_NOISE = WhiteNoise()
