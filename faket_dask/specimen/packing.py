"""Packing of spheres that do not overlap into a box, by random sequential addition.

Objects are unions of spheres. They are tried one after the other at random positions, and the first position
without overlap is taken; cells of a grid keep the search local. The orientation of an object is drawn before its
position, so a crowded box does not favour some orientations over others.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.membrane import surface_distance

POSITIONS_PER_ROUND = 128
ROUNDS = 40


class PackingError(InputError):
    """Objects that do not fit into the specimen.

    Parameters
    ----------
    class_name
        Class that did not fit.
    requested, placed
        Number of objects of that class that were requested, and that were placed.
    occupied_fraction
        Fraction of the volume that objects already take, with the gap around them.
    """

    def __init__(self, class_name: str, requested: int, placed: int, occupied_fraction: float) -> None:
        super().__init__(
            f"specimen: only {placed} of {requested} '{class_name}' found room, with {occupied_fraction:.0%} of "
            "the volume occupied; ask for fewer or smaller objects, or enlarge the volume"
        )
        self.class_name = class_name
        self.requested = requested
        self.placed = placed
        self.occupied_fraction = occupied_fraction

    def __reduce__(self) -> tuple[type["PackingError"], tuple[str, int, int, float]]:
        # Exceptions are pickled with their message as the only argument otherwise, and workers raise this one.
        return PackingError, (self.class_name, self.requested, self.placed, self.occupied_fraction)


class _Cells(NamedTuple):
    """Packed spheres ``(n, 4)`` in lists, one for each cell of a grid, by the index of the first and the next."""

    spheres: NDArray[np.float64]
    heads: NDArray[np.int64]
    following: NDArray[np.int64]
    cell_A: float
    largest_radius_A: float


class _Membranes(NamedTuple):
    """Surfaces ``(m, p)`` and half of the thickness about them that is kept free, in Å."""

    surfaces: NDArray[np.float64]
    half_thickness_A: float


@njit(cache=True, nogil=True)
def _first_free(
    shape: NDArray[np.float64],
    positions: NDArray[np.float64],
    cells: _Cells,
    bilayers: _Membranes,
    gap: float,
    own_membrane: int,
) -> int:
    """Find the index of the first position ``(n, 3)`` at which an object ``(k, 4)`` is free; -1 if there is none."""
    spheres, heads, following, cell, largest = cells
    membranes, bilayer = bilayers
    nx, ny, nz = heads.shape
    for candidate in range(positions.shape[0]):
        free = True
        for part in range(shape.shape[0]):
            x = positions[candidate, 0] + shape[part, 0]
            y = positions[candidate, 1] + shape[part, 1]
            z = positions[candidate, 2] + shape[part, 2]
            radius = shape[part, 3]
            for index in range(membranes.shape[0]):
                if index != own_membrane:
                    reach = radius + bilayer + gap
                    if abs(surface_distance(membranes[index], x, y, z)) < reach:
                        free = False
                        break
            if not free:
                break
            reach = radius + largest + gap
            for i in range(max(0, int((x - reach) // cell)), min(nx - 1, int((x + reach) // cell)) + 1):
                for j in range(max(0, int((y - reach) // cell)), min(ny - 1, int((y + reach) // cell)) + 1):
                    for k in range(
                        max(0, int((z - reach) // cell)), min(nz - 1, int((z + reach) // cell)) + 1
                    ):
                        other = heads[i, j, k]
                        while free and other >= 0:
                            dx = spheres[other, 0] - x
                            dy = spheres[other, 1] - y
                            dz = spheres[other, 2] - z
                            closest = spheres[other, 3] + radius + gap
                            free = dx * dx + dy * dy + dz * dz >= closest * closest
                            other = following[other]
            if not free:
                break
        if free:
            return candidate
    return -1


class SpherePacking:
    """Box that objects are packed into.

    Parameters
    ----------
    extent_A
        ``(x, y, z)`` edges of the box in Å; one corner is the origin.
    gap_A
        Smallest gap between two objects, in Å.
    membranes
        ``(m, p)`` surfaces that no sphere may touch (:mod:`faket_dask.specimen.membrane`).
    bilayer_A
        Half of the thickness of those surfaces, in Å.
    """

    CELL_A = 64.0

    def __init__(
        self,
        extent_A: tuple[float, float, float],
        gap_A: float,
        membranes: NDArray[np.float64],
        bilayer_A: float,
    ) -> None:
        self.extent_A = np.asarray(extent_A, dtype=np.float64)
        self.gap_A = gap_A
        self.membranes = membranes
        self.bilayer_A = bilayer_A
        self._spheres = np.empty((1024, 4))
        self._following = np.empty(1024, dtype=np.int64)
        self._count = 0
        self._largest = 0.0
        cells = (self.extent_A // self.CELL_A).astype(np.int64) + 1
        self._heads = np.full(tuple(cells), -1, dtype=np.int64)

    def _bounds(self, shape: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lower = (shape[:, 3:] - shape[:, :3]).max(axis=0)
        upper = self.extent_A - (shape[:, 3:] + shape[:, :3]).max(axis=0)
        return lower, upper

    def find_position(
        self, shape: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64] | None:
        """Find a free position by trying random ones.

        Parameters
        ----------
        shape
            ``(k, 4)`` spheres of the object in its orientation: centres about its own centre and radii, in Å.
        rng
            Source of randomness.

        Returns
        -------
        centre
            ``(x, y, z)`` in Å, or ``None`` if no position that was tried is free.
        """
        lower, upper = self._bounds(shape)
        if np.any(lower > upper):
            return None
        for _ in range(ROUNDS):
            positions = rng.uniform(lower, upper, (POSITIONS_PER_ROUND, 3))
            index = self._first_free(shape, positions, -1)
            if index >= 0:
                return positions[index]
        return None

    def is_free(self, shape: NDArray[np.float64], centre: NDArray[np.float64], own_membrane: int) -> bool:
        """True if an object fits at one position, disregarding the membrane that it sits on."""
        lower, upper = self._bounds(shape)
        if np.any(centre < lower) or np.any(centre > upper):
            return False
        return self._first_free(shape, centre[None], own_membrane) == 0

    def _first_free(
        self, shape: NDArray[np.float64], positions: NDArray[np.float64], own_membrane: int
    ) -> int:
        cells = _Cells(self._spheres, self._heads, self._following, self.CELL_A, self._largest)
        bilayers = _Membranes(self.membranes, self.bilayer_A)
        return int(_first_free(shape, positions, cells, bilayers, self.gap_A, own_membrane))

    def add(self, shape: NDArray[np.float64], centre: NDArray[np.float64]) -> None:
        """Add an object at a position."""
        needed = self._count + len(shape)
        while needed > len(self._spheres):
            self._spheres = np.concatenate((self._spheres, np.empty_like(self._spheres)))
            self._following = np.concatenate((self._following, np.empty_like(self._following)))
        for sphere in shape:
            position = centre + sphere[:3]
            i, j, k = np.clip(position // self.CELL_A, 0, np.array(self._heads.shape) - 1).astype(np.int64)
            self._spheres[self._count, :3] = position
            self._spheres[self._count, 3] = sphere[3]
            self._following[self._count] = self._heads[i, j, k]
            self._heads[i, j, k] = self._count
            self._count += 1
        self._largest = max(self._largest, float(shape[:, 3].max()))

    def occupied_fraction(self) -> float:
        """Estimate the fraction of the box inside any sphere, at fixed pseudo-random points."""
        points = np.random.default_rng(0).uniform(0.0, 1.0, (20000, 3)) * self.extent_A
        point = np.zeros((1, 4))
        taken = 0
        for position in points:
            taken += self._first_free(point, position[None], -1) < 0
        return taken / len(points)
