"""True conditions of each simulated image, errors included, drawn deterministically from the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import RunConfig
from faket_dask.config.acquisition import MicroscopeSection
from faket_dask.dataset.acquisition import Acquisition
from faket_dask.geometry import acquisition_order, exposure_before
from faket_dask.kernels.displacement import Displacement
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.optics import Defocus
from faket_dask.kernels.sensor_faults import SensorFaults, draw_sensor_faults
from faket_dask.kernels.tilt_angles import LARGEST_TILT_DEG
from faket_dask.stages.seeds import Purpose, generator

STEEPEST_DEG = LARGEST_TILT_DEG - 1
"""Largest true tilt angle that an error may lead to."""


@dataclass(frozen=True, eq=False)
class ImagingConditions:
    """True conditions of each image of a specimen.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` true angles in degrees.
    defocus
        True defocus of each tilt.
    shift_A, drift_A
        ``(tilt, 2)`` displacement of the image, and drift during its exposure, ``(x, y)`` in Å.
    motion_A
        Irregular motion during an exposure in Å.
    dose_e_per_A2
        Electrons per Å² and tilt.
    exposure_before_e_per_A2
        ``(tilt,)`` electrons per Å² before each tilt.
    """

    tilt_angles: NDArray[np.float64]
    defocus: tuple[Defocus, ...]
    shift_A: NDArray[np.float64]
    drift_A: NDArray[np.float64]
    motion_A: float
    dose_e_per_A2: float
    exposure_before_e_per_A2: NDArray[np.float64]

    def exposure(self, tilt: int) -> Exposure:
        """Return the exposure of one tilt."""
        return Exposure(
            float(self.tilt_angles[tilt]),
            self.defocus[tilt],
            self.dose_e_per_A2,
            float(self.exposure_before_e_per_A2[tilt]),
        )

    def displacement(self, tilt: int) -> Displacement:
        """Return the displacement of one tilt's image."""
        (shift_x, shift_y), (drift_x, drift_y) = self.shift_A[tilt], self.drift_A[tilt]
        return Displacement((float(shift_x), float(shift_y)), (float(drift_x), float(drift_y)), self.motion_A)


def draw_imaging_conditions(config: RunConfig, specimen: str, acquisition: Acquisition) -> ImagingConditions:
    """Draw the true conditions of a specimen's images; the same result wherever and whenever they are drawn.

    Each error has random numbers of its own: one that is turned on or off changes none of the others.

    Parameters
    ----------
    config
        Run file.
    specimen
        Name of the specimen.
    acquisition
        Its nominal acquisition.
    """
    microscope, tilts = config.microscope, acquisition.tilt_angles.size
    errors = microscope.errors
    normal = generator(config.dataset.seed, specimen, Purpose.ERRORS).standard_normal((tilts, 8))
    angles = acquisition.tilt_angles + errors.tilt_angle_deg * normal[:, 0]
    order = acquisition_order(acquisition.tilt_angles, microscope.tilt_order)
    return ImagingConditions(
        np.clip(angles, -STEEPEST_DEG, STEEPEST_DEG) if errors.tilt_angle_deg else angles,
        tuple(_draw_defocus(microscope, acquisition.defocus_um, normal[tilt, 1:4]) for tilt in range(tilts)),
        errors.shift_A * normal[:, 4:6],
        errors.drift_A * normal[:, 6:8],
        errors.motion_A,
        acquisition.dose_e_per_A2,
        exposure_before(order, acquisition.dose_e_per_A2),
    )


def _draw_defocus(microscope: MicroscopeSection, mean_um: float, normal: NDArray[np.float64]) -> Defocus:
    """Return the defocus of a tilt for three standard normal numbers: of the mean and both parts of astigmatism."""
    errors = microscope.errors
    nominal = microscope.to_defocus(mean_um + errors.defocus_um * float(normal[0]))
    if not errors.astigmatism_um:
        return nominal
    axis = math.radians(2 * nominal.astigmatism_angle)
    along = nominal.astigmatism_um * math.cos(axis) + errors.astigmatism_um * float(normal[1])
    across = nominal.astigmatism_um * math.sin(axis) + errors.astigmatism_um * float(normal[2])
    return Defocus(
        nominal.mean_um,
        math.hypot(along, across),
        0.5 * math.degrees(math.atan2(across, along)),
        nominal.phase_shift,
    )


def draw_faults(config: RunConfig, specimen: str) -> SensorFaults | None:
    """Draw the faults of the detector that images a specimen, ``None`` where it has none."""
    errors = config.microscope.errors
    if not (errors.gain or errors.hot_pixels):
        return None
    rng = generator(config.dataset.seed, specimen, Purpose.SENSOR)
    return draw_sensor_faults(config.acquisition.detector_px, errors.gain, errors.hot_pixels, rng)
