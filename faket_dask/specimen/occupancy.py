"""Occupancy: the voxels of a specimen that objects have claimed, and the compartments that membranes enclose.

Objects claim the voxels that they will have in the masks, so no two labels overlap however tightly they are packed. A
free place is found by random trials: the voxels of a shape are looked up in an order that scatters them, so a place
that is taken is given up after two or three of them, and a million trials take about a second. The orientation of an
object is fixed before its place is sought, so crowding does not favour some orientations over others.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from faket_dask.errors import InputError
from faket_dask.specimen.shape import Shape, VoxelMask, grow_shape
from faket_dask.specimen.slab.faces import Faces, find_layers
from faket_dask.specimen.voxel_grid import VoxelGrid

TRIALS = 200_000
"""Random places that are tried for an object by default."""

OUTSIDE = 0
"""Compartment outside of all membranes."""

_FIRST_SURFACE = 2**15
_VACUUM = 2**16 - 2
_TAKEN = 2**16 - 1

Position = tuple[int, int, int]
Region = NDArray[np.bool_]


class Where(Enum):
    """Part of the space in which a place is searched."""

    SHOWN = "shown"
    """Places where the object has voxels in the volume."""

    WITHIN = "within"
    """Places with all voxels of the object in the volume."""

    CENTRED = "centred"
    """Places with the object's centre in the volume."""

    CENTRED_BEYOND = "centred beyond"
    """Places with the object's centre in the margin."""


class PackingError(InputError):
    """Objects that do not fit into the specimen.

    Parameters
    ----------
    class_name
        Class that did not fit.
    requested, placed
        Number of objects of that class that were requested, and that were placed.
    occupied_fraction
        Fraction of the volume that objects already take.
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


class Occupancy:
    """Voxels of a specimen: free ones by compartment, those of membranes, and those that other objects have taken.

    Parameters
    ----------
    grid
        Voxels of the specimen.
    spacing_A
        Smallest gap between two objects, in Å.
    margin
        Voxels ``(z, y, x)`` by which objects may reach beyond the volume on either side.

    Examples
    --------
    >>> occupancy = Occupancy(VoxelGrid((4, 4, 4), 10.0))
    >>> cube = Shape(np.argwhere(np.ones((2, 2, 2))).astype(np.int32), np.zeros(3))
    >>> occupancy.claim(cube, (0, 0, 0))
    >>> occupancy.fits(cube, (1, 0, 0)), occupancy.fits(cube, (2, 0, 0)), occupancy.occupied_fraction()
    (False, True, 0.125)
    """

    def __init__(
        self, grid: VoxelGrid, spacing_A: float = 0.0, margin: tuple[int, int, int] = (0, 0, 0)
    ) -> None:
        self.grid = grid
        self.margin = np.array(margin)
        self._spacing = spacing_A / grid.voxel_size_A
        # Compartments from 0, surfaces from 2**15, and one number for all other objects: one look-up tells whether a
        # voxel may be used, whatever an object is allowed.
        self._space = np.zeros(tuple(np.array(grid.shape) + 2 * self.margin), np.uint16)
        self._compartments = 0
        self._surfaces = 0
        self._layers: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self._cuts = False

    def bound(self, faces: Faces, *, cuts: bool) -> None:
        """Leave no room beyond the faces of the ice; if they cut objects, none beyond the reach of the largest one.

        Call it before anything is claimed.
        """
        self._cuts = cuts
        y, x = self.list_places()
        first, last = find_layers(*faces.heights(x, y), self.grid.voxel_size_A)
        _, rows, columns = (slice(m, m + n) for m, n in zip(self.margin, self.grid.shape, strict=True))
        self._layers = first[rows, columns], last[rows, columns]
        reach = int(self.margin[0]) if cuts else 0
        for z, layer in enumerate(self._space, start=-int(self.margin[0])):
            layer[(z < first - reach) | (z > last + reach)] = _VACUUM

    def list_places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return y and x in Å of the voxels of a layer, those of the margin included."""
        y, x = (
            np.arange(-margin, size + margin) * self.grid.voxel_size_A
            for margin, size in zip(self.margin[1:], self.grid.shape[1:], strict=True)
        )
        return y, x

    def claim_layers(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> int:
        """Take the voxels from a first to a last layer of z, both included, and those closer than the spacing.

        Parameters
        ----------
        first, last
            Layers ``(y, x)`` at the places that `list_places` returns; no voxel where the last one is below the first.

        Returns
        -------
        shown
            Number of the voxels that lie in the volume.
        """
        gap, shown = math.ceil(self._spacing), 0
        taken = first <= last
        rows, columns = (slice(m, m + n) for m, n in zip(self.margin[1:], self.grid.shape[1:], strict=True))
        for z, layer in enumerate(self._space, start=-int(self.margin[0])):
            layer[taken & (z >= first - gap) & (z <= last + gap)] = _TAKEN
            if 0 <= z < self.grid.shape[0]:
                inside = taken & (z >= first) & (z <= last)
                shown += int(np.count_nonzero(inside[rows, columns]))
        return shown

    def region(self, compartments: Iterable[int] | None = None, surface: int | None = None) -> Region:
        """Return the voxels that an object may use, ``(65536,)`` bool.

        Parameters
        ----------
        compartments
            Compartments whose free voxels may be used, 0 outside of all membranes; all by default.
        surface
            Membrane whose voxels may be used, too, as `add_surface` returned it.
        """
        region = np.zeros(2**16, bool)
        if compartments is None:
            region[:_FIRST_SURFACE] = True
        else:
            region[list(compartments)] = True
        if surface is not None:
            region[_FIRST_SURFACE + surface] = True
        return region

    def fits(self, shape: Shape, position: Position, region: Region | None = None) -> bool:
        """Tell whether all voxels of a shape, its centre in voxel ``(z, y, x)``, may be used."""
        places = np.array([position], np.int64) + self.margin
        lower, upper = self._limits(shape)
        if (places[0] < lower).any() or (places[0] > upper).any():
            return False
        return bool(_first_fit(self._space, self._allowed(region), shape.voxels, places) == 0)

    def find_position(
        self,
        shape: Shape,
        rng: np.random.Generator,
        region: Region | None = None,
        trials: int = TRIALS,
        where: Where = Where.CENTRED,
    ) -> Position | None:
        """Find a place for a shape by trying random ones.

        Parameters
        ----------
        shape
            Voxels of the object.
        rng
            Source of randomness.
        region
            Voxels that may be used; free ones by default.
        trials
            Most places to try.
        where
            Part of the space that is searched.

        Returns
        -------
        position
            Voxel ``(z, y, x)`` of the object's centre, or ``None`` if no place that was tried is free.
        """
        lower, upper = self._limits(shape)
        first, last = self._wanted(shape, where)
        if where is not Where.CENTRED_BEYOND:
            lower, upper = np.maximum(lower, first), np.minimum(upper, last)
        if (lower > upper).any():
            return None
        allowed = self._allowed(region)
        tried, count = 0, 64
        while tried < trials:
            places = rng.integers(lower, upper, (min(count, trials - tried), 3), endpoint=True)
            tried += len(places)
            if where is Where.CENTRED_BEYOND:
                places = places[~self.find_contained(places - self.margin)]
            elif where is Where.CENTRED and self._cuts:
                places = places[self.find_contained(places - self.margin)]
            index = _first_fit(self._space, allowed, shape.scattered, places)
            if index >= 0:
                z, y, x = (int(place) for place in places[index] - self.margin)
                if where is not Where.SHOWN or self.shown_share(shape, (z, y, x)) > 0:
                    return z, y, x
            count = min(8 * count, 32768)
        return None

    def claim(self, shape: Shape, position: Position) -> None:
        """Take the voxels of a shape, and those closer to it than the spacing."""
        self._mark(shape, position, _TAKEN)

    def add_surface(self, shape: Shape, position: Position) -> int:
        """Take the voxels of a membrane, which objects that sit in it may use; return its number.

        Raises
        ------
        InputError
            If there are too many membranes.
        """
        number = self._count_surface()
        self._mark(shape, position, _FIRST_SURFACE + number)
        return number

    def add_compartment(self, shape: Shape, position: Position) -> int:
        """Make a compartment of the free voxels of a shape, and return its number, from 1.

        Raises
        ------
        InputError
            If there are too many compartments.
        """
        number = self._count_compartment()
        places = self._inside(shape.voxels + np.array(position, np.int64) + self.margin)
        free = self._space[tuple(places.T)] < _FIRST_SURFACE
        self._space[tuple(places[free].T)] = number
        return number

    def may_have(self, places: NDArray[np.int64], region: Region) -> bool:
        """Tell whether all voxels ``(n, 3)`` of a cut object that lie in reach may be used."""
        values = self._space[tuple(self._inside(places + self.margin).T)]
        return bool((region[values] | (values == _VACUUM)).all())

    def fits_mask(self, mask: VoxelMask, region: Region) -> bool:
        """Tell whether all voxels of a mask may be used but for those in the vacuum, of which it may have any."""
        allowed = region.copy()
        allowed[_VACUUM] = True
        return all(bool(allowed[layer[chosen]].all()) for layer, chosen in self._pair_layers(mask))

    def add_surface_mask(self, mask: VoxelMask) -> int:
        """Take the voxels of a large membrane, as `add_surface` does."""
        number = self._count_surface()
        if self._spacing > 0:
            reach = int(np.ceil(self._spacing))
            ball = np.linalg.norm(np.indices((2 * reach + 1,) * 3) - reach, axis=0) < self._spacing
            grown = ndimage.binary_dilation(np.pad(mask.mask, reach), ball)
            mask = VoxelMask(mask.low - reach, grown)
        self._mark_mask(mask, _FIRST_SURFACE + number, _VACUUM)
        return number

    def add_compartment_mask(self, mask: VoxelMask) -> int:
        """Make a compartment of the free voxels of a mask, as `add_compartment` does."""
        number = self._count_compartment()
        self._mark_mask(mask, number, _FIRST_SURFACE)
        return number

    def shown_mask_share(self, mask: VoxelMask) -> float:
        """Return the share of a mask's voxels that lie in the volume, as `shown_share` does."""
        part = mask.crop(np.zeros(3, np.int64), np.array(self.grid.shape))
        shown = part.mask
        if self._layers is not None and self._cuts:
            (z, y, x), (_, height, width) = part.low, shown.shape
            lowest, highest = (layer[y : y + height, x : x + width] for layer in self._layers)
            layers = np.arange(z, z + len(shown))[:, None, None]
            shown = shown & (layers >= lowest) & (layers <= highest)
        return int(np.count_nonzero(shown)) / max(1, int(np.count_nonzero(mask.mask)))

    def compartment(self, position: Position) -> int | None:
        """Return the compartment of a voxel ``(z, y, x)``, ``None`` where an object has taken it."""
        value = int(self._space[tuple(np.array(position) + self.margin)])
        return value if value < _FIRST_SURFACE else None

    def shown_share(self, shape: Shape, position: Position) -> float:
        """Return the share of a shape's voxels that lie in the volume: 1 unless a face cuts it, 0 beyond."""
        low, high = shape.bounds()
        if not self._cuts and (low + position >= 0).all() and (high + position < self.grid.shape).all():
            return 1.0
        return float(self.find_contained(shape.voxels + np.array(position)).mean())

    def contains(self, position: Position) -> bool:
        """Tell whether a voxel ``(z, y, x)`` lies in the volume, and between faces that cut."""
        return bool(self.find_contained(np.array([position]))[0])

    def find_contained(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of voxels ``(n, 3)`` whether they lie in the volume, and between faces that cut."""
        contained: NDArray[np.bool_] = np.all((places >= 0) & (places < self.grid.shape), axis=1)
        if self._layers is not None and self._cuts:
            z, y, x = places[contained].T
            first, last = self._layers
            contained[contained] = (z >= first[y, x]) & (z <= last[y, x])
        return contained

    @property
    def ice_size(self) -> int:
        """Number of voxels of ice in the volume, taken ones included."""
        return self._count_ice(lambda layer: np.ones(layer.shape, bool))

    @property
    def ice_volume_A3(self) -> float:
        """Volume of the ice in cubic ångström."""
        return self.ice_size * self.grid.voxel_size_A**3

    @property
    def margin_size(self) -> int:
        """Number of voxels that objects may reach into beyond the ice of the volume."""
        vacuum = sum(int(np.count_nonzero(layer == _VACUUM)) for layer in self._space)
        return self._space.size - vacuum - self.ice_size

    def count_free(self, region: Region) -> tuple[int, int]:
        """Return the numbers of free voxels of a region in the volume's ice and beyond."""
        shown = self._count_ice(lambda layer: region[layer])
        return shown, sum(int(np.count_nonzero(region[layer])) for layer in self._space) - shown

    def occupied_fraction(self) -> float:
        """Return the fraction of the ice's voxels in the volume that are taken."""
        return self._count_ice(lambda layer: layer >= _FIRST_SURFACE) / self.ice_size

    def _count_ice(self, choose: Callable[[NDArray[np.uint16]], NDArray[np.bool_]]) -> int:
        """Count the voxels of the volume's ice that are chosen in each layer ``(y, x)``."""
        if self._layers is None:
            return sum(int(np.count_nonzero(choose(layer))) for layer in self._shown)
        first, last = self._layers
        return sum(
            int(np.count_nonzero(choose(layer) & (z >= first) & (z <= last)))
            for z, layer in enumerate(self._shown)
        )

    @property
    def _shown(self) -> NDArray[np.uint16]:
        """View of the voxels of the volume."""
        return self._space[tuple(slice(m, m + n) for m, n in zip(self.margin, self.grid.shape, strict=True))]

    def _allowed(self, region: Region | None) -> Region:
        return self.region() if region is None else region

    def _limits(self, shape: Shape) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the lowest and the highest voxel of the padded volume that a shape's centre may lie in."""
        low, high = shape.bounds()
        return -low, np.array(self._space.shape) - 1 - high

    def _wanted(self, shape: Shape, where: Where) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the lowest and the highest voxel of the padded volume that puts a shape where it is wanted."""
        low, high = shape.bounds()
        first, last = self.margin, self.margin + np.array(self.grid.shape) - 1
        match where:
            case Where.SHOWN:
                return first - high, last - low
            case Where.WITHIN:
                return first - low, last - high
        return first, last

    def _count_surface(self) -> int:
        """Return the number of a further membrane."""
        if self._surfaces >= _VACUUM - _FIRST_SURFACE:
            raise InputError(f"specimen: more than {self._surfaces} membranes; ask for fewer")
        self._surfaces += 1
        return self._surfaces - 1

    def _count_compartment(self) -> int:
        """Return the number of a further compartment, from 1."""
        if self._compartments >= _FIRST_SURFACE - 1:
            raise InputError(
                f"specimen: more than {self._compartments} compartments; ask for fewer membranes"
            )
        self._compartments += 1
        return self._compartments

    def _mark_mask(self, mask: VoxelMask, value: int, limit: int) -> None:
        """Give a value to the voxels of a mask that have one below a limit."""
        for layer, chosen in self._pair_layers(mask):
            layer[chosen & (layer < limit)] = value

    def _pair_layers(self, mask: VoxelMask) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.bool_]]]:
        """Pair the layers ``(y, x)`` of the space that a mask covers, which may be written to, with its own."""
        part = mask.crop(-self.margin, self._space.shape - self.margin)
        box = tuple(slice(a, a + n) for a, n in zip(part.low + self.margin, part.mask.shape, strict=True))
        return zip(self._space[box], part.mask, strict=True)

    def _inside(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return places[((places >= 0) & (places < self._space.shape)).all(axis=1)]

    def _mark(self, shape: Shape, position: Position, value: int) -> None:
        if self._spacing > 0:
            shape = grow_shape(shape, self._spacing)
        places = self._inside(shape.voxels + np.array(position, np.int64) + self.margin)
        self._space[tuple(places.T)] = value


@njit(cache=True, nogil=True)
def _first_fit(
    space: NDArray[np.uint16],
    allowed: NDArray[np.bool_],
    voxels: NDArray[np.int32],
    places: NDArray[np.int64],
) -> int:
    """Return the first of the places ``(m, 3)`` at which all voxels ``(n, 3)`` may be used; -1 if there is none."""
    for candidate in range(places.shape[0]):
        z, y, x = places[candidate, 0], places[candidate, 1], places[candidate, 2]
        fits = True
        for voxel in range(voxels.shape[0]):
            if not allowed[space[z + voxels[voxel, 0], y + voxels[voxel, 1], x + voxels[voxel, 2]]]:
                fits = False
                break
        if fits:
            return candidate
    return -1
