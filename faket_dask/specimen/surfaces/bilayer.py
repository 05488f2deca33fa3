"""Profile of the potential across a lipid bilayer.

The profile is a sum of Gaussians: head groups (dense, phosphate) at half the phosphate-to-phosphate distance,
hydrocarbon tails between them and ice, and a trough where the tails' ends meet, as in electron-density profiles of
fluid phosphatidylcholine (Nagle & Tristram-Nagle, Biochim. Biophys. Acta 1469, 159, 2000). Their heights follow from
neutral atoms, as those of particles do: CH2 in the 27 Å³ that it takes in a fluid bilayer has 1.8 V over ice, CH3 in
54 Å³ -0.9 V, a dry head group in 325 Å³ 4 V, a hydrated one 2 to 3 V.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROFILE_STEP_A = 0.25
"""Spacing of a profile's table in Å."""

# Where the profile has died out at any voxel size of use, in Å beyond the phosphates and the blur of the sampling.
_REACH_A = 17.0

# Position over that of the phosphates, width in Å, volts over ice; in a bilayer of 38 Å their sum is 2.5 V in the
# heads, 1.65 V in the tails and -0.54 V in the middle.
_PROFILE = ((1.0, 5.0, 2.3), (9.0 / 19.0, 5.0, 1.43), (0.0, 4.0, -1.11))

_HEAD_GROUP_A = 6.0


@dataclass(frozen=True)
class Bilayer:
    """Lipid bilayer of a given thickness.

    Parameters
    ----------
    thickness_A
        Distance in Å between the phosphates of both leaflets: about 38 for fluid phosphatidylcholine, 45 with
        cholesterol.

    Examples
    --------
    >>> Bilayer().half_thickness_A
    25.0
    """

    thickness_A: float = 38.0

    @property
    def half_thickness_A(self) -> float:
        """Half of the thickness in Å that is labelled and kept free of particles: head groups included."""
        return self.thickness_A / 2 + _HEAD_GROUP_A

    def profile(self, blur_A: float) -> NDArray[np.float64]:
        """Compute the potential across the bilayer, blurred by the sampling of a specimen.

        Parameters
        ----------
        blur_A
            Standard deviation in Å of the Gaussian that stands for the sampling.

        Returns
        -------
        profile
            ``(k,)`` volts over ice at distances of 0, 1, 2, … times :data:`PROFILE_STEP_A` from the middle, down to
            nothing.
        """
        half = self.thickness_A / 2
        distance = np.arange(0.0, half + _REACH_A + 4 * blur_A, PROFILE_STEP_A)
        profile = np.zeros_like(distance)
        for share, width, volts in _PROFILE:
            broad = np.hypot(width, blur_A)
            centres = (share * half, -share * half) if share else (0.0,)
            for centre in centres:
                profile += volts * width / broad * np.exp(-0.5 * ((distance - centre) / broad) ** 2)
        profile[-1] = 0.0
        return profile
