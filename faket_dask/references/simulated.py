"""Simulated references: images of a specimen of their own by the microscope model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.acquisition import Acquisition
from faket_dask.engine.arrays import read_tilt
from faket_dask.references.masked_tilt import MaskedTilt


@dataclass(frozen=True)
class SimulatedReference:
    """Reference made by the microscope model; see `faket_dask.references.Reference`.

    Parameters
    ----------
    name
        Name in the run file.
    specimen
        Name of the specimen that it images.
    store
        Zarr group of that specimen's stacks.
    acquisition
        Angles and pixel size.
    shape
        ``(y, x)`` of its tilts.
    mask_artefacts
        True to leave its gold beads out of statistics.
    """

    name: str
    specimen: str
    store: Path
    acquisition: Acquisition
    shape: tuple[int, int]
    mask_artefacts: bool

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees."""
        return self.acquisition.tilt_angles

    @property
    def pixel_size_A(self) -> float:
        """Edge of a pixel."""
        return self.acquisition.pixel_size_A

    @property
    def nyquist_frequency(self) -> float:
        """Cycles per pixel up to which its tilts hold information."""
        return 0.5

    @property
    def knows_alignment(self) -> bool:
        """Always: its tilts are made aligned."""
        return True

    @property
    def simulated_specimen(self) -> str:
        """Name of the specimen that it images."""
        return self.specimen

    def read_tilt(self, tilt: int) -> MaskedTilt:
        """Read one tilt; its masks are found when they are asked for."""
        return MaskedTilt(read_tilt(self.store, "benchmark", tilt), masks_artefacts=self.mask_artefacts)

    read_aligned_tilt = read_tilt

    def read_clean_tilt(self, tilt: int) -> NDArray[np.float32]:
        """Read the projection that a tilt is the image of."""
        return read_tilt(self.store, "noiseless", tilt)
