"""Halos: thinned ice about gold beads, an effect that is drawn and not derived."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount, draw


class DrawnHalo(NamedTuple):
    """Halo of one bead: its thickness in Å, and the share of the ice that is missing at the bead."""

    thickness_A: float
    loss: float


@dataclass(frozen=True)
class Halo:
    """Shells about beads in which ice is missing, most of it at the bead and none at the outer edge.

    Parameters
    ----------
    thickness_A
        Thickness of a shell in Å, one number or (smallest, largest).
    loss
        Share of the ice that is missing at the bead, one number or (smallest, largest).

    Raises
    ------
    InputError
        If a number is impossible.

    Examples
    --------
    >>> Halo(thickness_A=40.0, loss=0.2).draw(7)
    DrawnHalo(thickness_A=40.0, loss=0.2)
    """

    __pydantic_config__ = SECTION

    thickness_A: Amount = (20.0, 80.0)
    loss: Amount = (0.0, 0.3)

    def __post_init__(self) -> None:
        check_amount(self.thickness_A, "fiducials: halo: thickness_A")
        if check_amount(self.loss, "fiducials: halo: loss")[1] > 1:
            raise InputError(f"fiducials: halo: loss is {self.loss}; a share is at most 1")

    def draw(self, seed: int) -> DrawnHalo:
        """Draw the halo of a bead by a seed."""
        rng = np.random.default_rng(seed)
        return DrawnHalo(draw(self.thickness_A, rng), draw(self.loss, rng))


NO_HALO = DrawnHalo(0.0, 0.0)
