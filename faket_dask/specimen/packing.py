"""Spheres in a box that never overlap, by random sequential addition.

Objects are unions of spheres. They are offered one after the other at random places, and the first place
where nothing is in the way is taken; cells of a grid keep the search local. The orientation of an object is
settled before its place, so a crowded box does not favour some orientations over others.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.membrane import surface_distance

PLACES_PER_ROUND = 128
ROUNDS = 40


class PackingError(InputError):
    """The requested objects do not fit.

    Parameters
    ----------
    class_name
        Class that did not fit.
    requested, placed
        Objects of that class that were asked for, and that found room.
    occupied_fraction
        Share of the volume that objects already take, with the gap around them.
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


@njit(cache=True, nogil=True)
def _first_free(
    shape: NDArray[np.float64],
    places: NDArray[np.float64],
    spheres: NDArray[np.float64],
    heads: NDArray[np.int64],
    following: NDArray[np.int64],
    cell: float,
    largest: float,
    gap: float,
    membranes: NDArray[np.float64],
    bilayer: float,
    own_membrane: int,
) -> int:
    nx, ny, nz = heads.shape
    for candidate in range(places.shape[0]):
        free = True
        for part in range(shape.shape[0]):
            x = places[candidate, 0] + shape[part, 0]
            y = places[candidate, 1] + shape[part, 1]
            z = places[candidate, 2] + shape[part, 2]
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
    """A box that fills up.

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

    def _room(self, shape: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lower = (shape[:, 3:] - shape[:, :3]).max(axis=0)
        upper = self.extent_A - (shape[:, 3:] + shape[:, :3]).max(axis=0)
        return lower, upper

    def find_place(self, shape: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64] | None:
        """Look for room at random places.

        Parameters
        ----------
        shape
            ``(k, 4)`` spheres of the object in its orientation: centres about its own centre and radii, in Å.
        rng
            Source of randomness.

        Returns
        -------
        centre
            ``(x, y, z)`` in Å, or ``None`` where every place that was tried is taken.
        """
        lower, upper = self._room(shape)
        if np.any(lower > upper):
            return None
        for _ in range(ROUNDS):
            places = rng.uniform(lower, upper, (PLACES_PER_ROUND, 3))
            index = self._first_free(shape, places, -1)
            if index >= 0:
                return places[index]
        return None

    def is_free(self, shape: NDArray[np.float64], centre: NDArray[np.float64], own_membrane: int) -> bool:
        """Whether an object fits at one place, disregarding the membrane that it sits on."""
        lower, upper = self._room(shape)
        if np.any(centre < lower) or np.any(centre > upper):
            return False
        return self._first_free(shape, centre[None], own_membrane) == 0

    def _first_free(self, shape: NDArray[np.float64], places: NDArray[np.float64], own_membrane: int) -> int:
        return int(
            _first_free(
                shape,
                places,
                self._spheres,
                self._heads,
                self._following,
                self.CELL_A,
                self._largest,
                self.gap_A,
                self.membranes,
                self.bilayer_A,
                own_membrane,
            )
        )

    def add(self, shape: NDArray[np.float64], centre: NDArray[np.float64]) -> None:
        """Take up the room of an object."""
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
        """Share of the box inside any sphere, estimated at fixed pseudo-random points."""
        points = np.random.default_rng(0).uniform(0.0, 1.0, (20000, 3)) * self.extent_A
        point = np.zeros((1, 4))
        taken = 0
        for place in points:
            taken += self._first_free(point, place[None], -1) < 0
        return taken / len(points)
