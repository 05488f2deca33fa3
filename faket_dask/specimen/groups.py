"""Groups of particles: chains such as polysomes, and clusters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, Count, check_amount, check_count, draw, draw_count


@dataclass(frozen=True)
class Chain:
    """Particles in a row, as the ribosomes of a polysome.

    A chain goes on in a direction that departs from the last one by up to `bend_deg`; it ends early where there is no
    room. Particles are turned at random.

    Parameters
    ----------
    length
        Particles of a chain, one number or (smallest, largest), both included.
    spacing_A
        Distance between the centres of neighbours in Å, one number or (smallest, largest).
    bend_deg
        Largest angle between one step and the next, 0 to 180.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    length: Count = (3, 12)
    spacing_A: Amount = (230.0, 300.0)
    bend_deg: float = 50.0

    def __post_init__(self) -> None:
        check_count(self.length, "chain: length")
        check_amount(self.spacing_A, "chain: spacing_A", 1.0)
        if check_count(self.length, "chain: length")[0] < 2:
            raise InputError(f"chain: length is {self.length}; a chain has two particles or more")
        if not 0 <= self.bend_deg <= 180:
            raise InputError(f"chain: bend_deg is {self.bend_deg:g}; it lies between 0 and 180")

    def draw_size(self, rng: np.random.Generator) -> int:
        """Draw the number of particles of a chain."""
        return draw_count(self.length, rng)

    def draw_centre(
        self, members_A: list[NDArray[np.float64]], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw the centre ``(x, y, z)`` in Å of the next particle after those before it."""
        step = draw_direction(rng)
        if len(members_A) > 1:
            last = members_A[-1] - members_A[-2]
            last /= np.linalg.norm(last)
            side = np.cross(last, step)
            side /= np.linalg.norm(side)
            # Uniform on the cap about the last direction.
            cosine = rng.uniform(np.cos(np.deg2rad(self.bend_deg)), 1.0)
            step = cosine * last + np.sqrt(1 - cosine**2) * side
        return members_A[-1] + draw(self.spacing_A, rng) * step


@dataclass(frozen=True)
class Cluster:
    """Particles close to one another.

    Parameters
    ----------
    size
        Particles of a cluster, one number or (smallest, largest), both included.
    radius_A
        Distance in Å from the first particle within which the others are centred.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    size: Count = (5, 20)
    radius_A: Amount = 400.0

    def __post_init__(self) -> None:
        if check_count(self.size, "cluster: size")[0] < 2:
            raise InputError(f"cluster: size is {self.size}; a cluster has two particles or more")
        check_amount(self.radius_A, "cluster: radius_A", 1.0)

    def draw_size(self, rng: np.random.Generator) -> int:
        """Draw the number of particles of a cluster."""
        return draw_count(self.size, rng)

    def draw_centre(
        self, members_A: list[NDArray[np.float64]], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw the centre ``(x, y, z)`` in Å of a further particle, uniformly in the ball about the first."""
        return members_A[0] + draw(self.radius_A, rng) * rng.uniform() ** (1 / 3) * draw_direction(rng)


def draw_direction(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a unit vector uniformly.

    Examples
    --------
    >>> round(float(np.linalg.norm(draw_direction(np.random.default_rng(0)))), 12)
    1.0
    """
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector))
