"""Exposure of one tilt."""

from dataclasses import dataclass

import numpy as np

from faket_dask.kernels.optics import Defocus
from faket_dask.kernels.tilt_angles import RANGE_TEXT, find_impossible_angles


@dataclass(frozen=True)
class Exposure:
    """Conditions under which one tilt is recorded.

    Parameters
    ----------
    tilt_angle
        Degrees, within ±90 (not included).
    defocus
        Defocus at the tilt axis.
    dose_e_per_A2
        Electrons per Å² that fall on this tilt.
    before_e_per_A2
        Electrons per Å² that the specimen took before this tilt.

    Raises
    ------
    ValueError
        If the angle is not within ±90 degrees, the dose not positive, or the earlier exposure negative.
    """

    tilt_angle: float
    defocus: Defocus
    dose_e_per_A2: float
    before_e_per_A2: float = 0.0

    def __post_init__(self) -> None:
        if find_impossible_angles(self.tilt_angle):
            raise ValueError(f"tilt angle is {self.tilt_angle}°; {RANGE_TEXT}")
        if not (self.dose_e_per_A2 > 0 and np.isfinite(self.dose_e_per_A2) and self.before_e_per_A2 >= 0):
            raise ValueError(
                f"dose ({self.dose_e_per_A2} e/Å²) must be positive, and earlier exposure "
                f"({self.before_e_per_A2} e/Å²) not negative"
            )
