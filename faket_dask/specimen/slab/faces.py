"""Faces of a slab of ice: two heights over the plane of the specimen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.slab.waves import Waves


@dataclass(frozen=True, eq=False)
class Hole:
    """Round hole that ice spans, thicker at its rim.

    Parameters
    ----------
    centre_A
        ``(x, y)`` of its middle in Å from the centre of the volume's corner voxel.
    radius_A
        Radius in Å.
    meniscus_A
        Thickness of the ice at the rim, and beyond it, less that in the middle.
    """

    centre_A: tuple[float, float]
    radius_A: float
    meniscus_A: float

    def measure_distance(self, x_A: NDArray[np.float64], y_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance ``(y, x)`` in Å from the middle."""
        return np.hypot(x_A - self.centre_A[0], y_A[:, None] - self.centre_A[1])

    def thicken(self, x_A: NDArray[np.float64], y_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the thickness ``(y, x)`` in Å over that in the middle."""
        return self.meniscus_A * np.minimum(self.measure_distance(x_A, y_A) / self.radius_A, 1.0) ** 2


@dataclass(frozen=True, eq=False)
class Faces:
    """Lower and upper face of a slab.

    Parameters
    ----------
    middle_A
        Point ``(x, y, z)`` in the middle of the volume, in Å from the centre of its corner voxel.
    thickness_A
        Thickness there, without the waves.
    gradient
        Change ``(x, y)`` of the thickness with the place, Å per Å.
    hole
        Hole that the slab spans, if any.
    lower, upper
        Waves of the faces.
    """

    middle_A: tuple[float, float, float]
    thickness_A: float
    gradient: tuple[float, float] = (0.0, 0.0)
    hole: Hole | None = None
    lower: tuple[Waves, ...] = ()
    upper: tuple[Waves, ...] = ()

    def heights(
        self, x_A: NDArray[np.float64], y_A: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute the heights of both faces in Å over the points of a grid.

        Parameters
        ----------
        x_A, y_A
            ``(nx,)`` and ``(ny,)`` places of the points.

        Returns
        -------
        lower, upper
            ``(ny, nx)`` z of the faces; each value depends on its own point alone.

        Examples
        --------
        >>> faces = Faces((50.0, 50.0, 100.0), 80.0, gradient=(0.2, 0.0))
        >>> lower, upper = faces.heights(np.array([50.0, 100.0]), np.array([0.0]))
        >>> lower[0], upper[0]
        (array([60., 55.]), array([140., 145.]))
        """
        x, y, z = self.middle_A
        thickness = self.thickness_A + (x_A - x) * self.gradient[0] + (y_A[:, None] - y) * self.gradient[1]
        if self.hole is not None:
            own = self.hole.thicken(np.array([x]), np.array([y]))
            thickness = thickness + self.hole.thicken(x_A, y_A) - own
        lower, upper = z - thickness / 2, z + thickness / 2
        for waves in self.lower:
            lower = lower + waves.evaluate(x_A, y_A)
        for waves in self.upper:
            upper = upper + waves.evaluate(x_A, y_A)
        return lower, upper


def find_layers(
    lower_A: NDArray[np.float64], upper_A: NDArray[np.float64], voxel_size_A: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the first and the last voxel along z that lies between two faces as a whole.

    Parameters
    ----------
    lower_A, upper_A
        Heights of the faces in Å from the middle of the lowest voxel.
    voxel_size_A
        Edge of a voxel in Å.

    Examples
    --------
    >>> first, last = find_layers(np.array([4.0]), np.array([36.0]), 10.0)
    >>> int(first[0]), int(last[0])
    (1, 3)
    """
    first = np.ceil(lower_A / voxel_size_A + 0.5).astype(np.int64)
    last = np.floor(upper_A / voxel_size_A - 0.5).astype(np.int64)
    return first, last
