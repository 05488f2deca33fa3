"""How it is imaged: angles, pixels and field of view, and the physics of the microscope."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from faket_dask.config.section import Section


class AngleRange(Section):
    """Evenly spaced tilt angles, both ends included."""

    start_deg: float = Field(ge=-90, le=90)
    stop_deg: float = Field(ge=-90, le=90)
    step_deg: float = Field(gt=0)

    @model_validator(mode="after")
    def _whole_steps(self) -> AngleRange:
        if self.stop_deg <= self.start_deg:
            raise ValueError("stop_deg must be greater than start_deg")
        steps = (self.stop_deg - self.start_deg) / self.step_deg
        if abs(steps - round(steps)) > 1e-6:
            raise ValueError(f"{self.step_deg}° does not divide {self.start_deg}° … {self.stop_deg}°")
        return self

    def angles(self) -> np.ndarray:
        steps = round((self.stop_deg - self.start_deg) / self.step_deg)
        return self.start_deg + self.step_deg * np.arange(steps + 1)


class AcquisitionSection(Section):
    """What the synthetic microscope records: angles, pixels and field of view."""

    tilt_angles: AngleRange | tuple[float, ...]
    pixel_size_A: float = Field(gt=0)
    detector_px: tuple[int, int] = Field(description="rows (along the tilt axis) and columns")

    @field_validator("detector_px")
    @classmethod
    def _large_enough(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 32:
            raise ValueError("must be at least 32 x 32: the network's deepest layer sees nothing smaller")
        return value

    @field_validator("tilt_angles")
    @classmethod
    def _increasing(cls, value: AngleRange | tuple[float, ...]) -> AngleRange | tuple[float, ...]:
        if isinstance(value, tuple):
            if not value:
                raise ValueError("the list of tilt angles is empty")
            if any(not -90 <= angle <= 90 for angle in value):
                raise ValueError("tilt angles lie between -90 and 90 degrees")
            if any(b <= a for a, b in itertools.pairwise(value)):
                raise ValueError("tilt angles must increase, each given once: sort them and drop duplicates")
        return value

    @property
    def angles_deg(self) -> np.ndarray:
        """Tilt angles, (tilt,) float64, degrees, increasing."""
        if isinstance(self.tilt_angles, AngleRange):
            return self.tilt_angles.angles()
        return np.asarray(self.tilt_angles, dtype=np.float64)


class MicroscopeSection(Section):
    """The physics of simulated references and of the `benchmark` modality."""

    voltage_kV: float = Field(default=300.0, gt=0)
    spherical_aberration_mm: float = Field(default=2.7, ge=0)
    amplitude_contrast: float = Field(default=0.08, ge=0, le=1)
    defocus_um: float = Field(default=3.0, description="positive is underfocus")
    astigmatism_um: float = 0.0
    astigmatism_angle_deg: float = 0.0
    dose_e_per_A2: float = Field(default=2.0, gt=0, description="per tilt")
    tilt_order: Literal["dose_symmetric", "increasing", "decreasing"] = "dose_symmetric"
