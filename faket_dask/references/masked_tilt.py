"""Tilt of a reference with the pixels that may be used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.references.resampling import resample_mask, resample_valid


@dataclass(frozen=True, eq=False)
class MaskedTilt:
    """Tilt of a reference; its masks are found once, when they are first asked for.

    Parameters
    ----------
    pixels
        ``(y, x)`` float32 in the unit of the reference.
    recorded_mask
        ``(y, x)`` bool, false for artefacts and outside the detector; ``None`` for a simulated tilt, whose artefacts
        are looked for in the tilt itself.
    masks_artefacts
        False where statistics of a simulated tilt use its gold beads, too.

    Examples
    --------
    >>> tilt = MaskedTilt(np.zeros((64, 64), np.float32))
    >>> bool(tilt.valid_mask.all())
    True
    """

    pixels: NDArray[np.float32]
    recorded_mask: NDArray[np.bool_] | None = None
    masks_artefacts: bool = True

    @cached_property
    def artefact_free(self) -> NDArray[np.bool_]:
        """``(y, x)`` pixels that are neither artefacts nor outside the detector."""
        return ~artefact_mask(self.pixels) if self.recorded_mask is None else self.recorded_mask

    @property
    def valid_mask(self) -> NDArray[np.bool_]:
        """``(y, x)`` pixels that statistics may use."""
        if self.recorded_mask is None and not self.masks_artefacts:
            return np.ones(self.pixels.shape, dtype=np.bool_)
        return self.artefact_free

    def resample(self, factor: float) -> MaskedTilt:
        """Return the tilt with `factor` times as many pixels along either axis."""
        if factor == 1:
            return self
        mask = None if self.recorded_mask is None else resample_mask(self.recorded_mask, factor)
        return MaskedTilt(resample_valid(self.pixels, self.valid_mask, factor), mask, self.masks_artefacts)
