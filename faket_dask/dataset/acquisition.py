"""Acquisition parameters of each specimen, sampled deterministically from the seed where the run file has ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import RunConfig
from faket_dask.config.acquisition import AngleRange, ends
from faket_dask.stages.seeds import Purpose, generator


@dataclass(frozen=True, eq=False)
class Acquisition:
    """Acquisition parameters of one specimen, and so of all its series.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` float64, degrees, increasing.
    pixel_size_A
        Edge of a pixel, and of the specimen's voxels.
    defocus_um, dose_e_per_A2
        Underfocus, and electrons per Å² and tilt, of simulated images.
    """

    tilt_angles: NDArray[np.float64]
    pixel_size_A: float
    defocus_um: float
    dose_e_per_A2: float


def draw_acquisition(config: RunConfig, specimen: str) -> Acquisition:
    """Draw the acquisition of a specimen; the same parameters result wherever and whenever it is drawn."""
    rng = generator(config.dataset.seed, specimen, Purpose.ACQUISITION)

    def draw(value: float | tuple[float, float]) -> float:
        return float(rng.uniform(*ends(value)))

    section, microscope = config.acquisition, config.microscope
    if isinstance(section.tilt_angles, AngleRange):
        chosen = section.tilt_angles
        step = float(rng.choice(chosen.steps_deg))
        angles = chosen.angles(draw(chosen.start_deg), draw(chosen.stop_deg), step)
    else:
        angles = np.asarray(section.tilt_angles, dtype=np.float64)
    return Acquisition(
        angles, draw(section.pixel_size_A), draw(microscope.defocus_um), draw(microscope.dose_e_per_A2)
    )
