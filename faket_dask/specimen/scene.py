"""Scene: a specimen while it is drawn, with the rows and the space of all objects so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.class_names import OUTSIDE as OUTSIDE_NAME
from faket_dask.specimen.occupancy import OUTSIDE, Occupancy, PackingError, Position, Region
from faket_dask.specimen.particles import Row
from faket_dask.specimen.shape import Shape, VoxelMask
from faket_dask.specimen.slab.faces import Faces
from faket_dask.specimen.voxel_grid import VoxelGrid

if TYPE_CHECKING:
    from faket_dask.specimen.component import Component


class PlacedMembrane(Protocol):
    """Membrane of a scene that particles may sit on."""

    @property
    def area_A2(self) -> float:
        """Area in Å² within the volume, by which surfaces are chosen."""
        ...

    def draw_point(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw a point ``(x, y, z)`` in Å on the middle of the bilayer, and the unit normal there, outward."""
        ...


class Scene:
    """Specimen while it is drawn.

    Parameters
    ----------
    grid
        Voxels of the specimen.
    occupancy
        Space of the specimen; claimed by `add`.
    rng
        Source of all randomness of the specimen.
    class_ids
        Label of each labelled class.
    counts
        Number of objects of each component, by the first of its classes, where it is given and not drawn.
    """

    def __init__(
        self,
        grid: VoxelGrid,
        occupancy: Occupancy,
        rng: np.random.Generator,
        class_ids: Mapping[str, int],
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self.grid = grid
        self.occupancy = occupancy
        self.rng = rng
        self.rows: list[Row] = []
        self.shown_shares: list[float] = []
        self.molecular_volume_A3 = 0.0
        self.shown_molecular_volume_A3 = 0.0
        self.surfaces: list[tuple[PlacedMembrane, int, int]] = []
        self.faces: Faces | None = None
        self.slab_seed = 0
        self._class_ids = class_ids
        self._counts = counts or {}
        self._compartments: dict[str, list[int]] = {}

    @property
    def next_number(self) -> int:
        """Number of the next row, by which other rows name their parent; it counts from 1 in the order of drawing."""
        return len(self.rows) + 1

    def draw_count(self, component: Component) -> int:
        """Draw the number of objects of a component."""
        given = self.find_count(component)
        if given is not None:
            return given
        low, high = component.count_range(self.grid)
        return int(self.rng.integers(low, high, endpoint=True))

    def find_count(self, component: Component) -> int | None:
        """Return the number of objects of a component that is given, ``None`` where it is drawn."""
        return self._counts.get(component.class_names[0])

    def contains_points(self, points_A: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell of points ``(n, 3)``, ``(x, y, z)`` in Å, whether they lie in the ice of the volume."""
        voxels = np.rint(points_A[:, ::-1] / self.grid.voxel_size_A).astype(np.int64)
        return self.occupancy.find_contained(voxels)

    def class_id(self, name: str) -> int:
        """Return the label of a class, 0 for one without."""
        return self._class_ids.get(name, 0)

    def bound(self, row: Row, faces: Faces, *, cuts: bool) -> None:
        """Bound the ice by two faces, which cut objects or which objects lie between."""
        self.faces, self.slab_seed = faces, row.variant
        self.occupancy.bound(faces, cuts=cuts)
        self.add_beyond(row)

    def add_layers(self, row: Row, first: NDArray[np.int64], last: NDArray[np.int64]) -> None:
        """Add an object that takes the voxels between two layers, as `Occupancy.claim_layers` defines them."""
        self.rows.append(row)
        self.shown_shares.append(float(self.occupancy.claim_layers(first, last) > 0))

    def add_beyond(self, row: Row) -> None:
        """Add an object that takes no room from others, since it lies beyond the ice."""
        self.rows.append(row)
        self.shown_shares.append(1.0)

    def add(self, row: Row, shape: Shape, position: Position, molecular_volume_A3: float = 0.0) -> int:
        """Add an object that takes its voxels, and the volume of its molecules in Å³; return its number."""
        self.occupancy.claim(shape, position)
        number = self._append(row, shape, position)
        self.molecular_volume_A3 += molecular_volume_A3
        self.shown_molecular_volume_A3 += molecular_volume_A3 * self.shown_shares[-1]
        return number

    def add_surface(self, row: Row, shape: Shape, position: Position, surface: PlacedMembrane) -> int:
        """Add a membrane, whose voxels particles that sit on it may take, and return its number."""
        claim = self.occupancy.add_surface(shape, position)
        number = self._append(row, shape, position)
        self.surfaces.append((surface, claim, number))
        return number

    def add_cut_surface(self, row: Row, mask: VoxelMask, surface: PlacedMembrane) -> int:
        """Add a membrane that reaches beyond the volume, as `add_surface` does."""
        claim = self.occupancy.add_surface_mask(mask)
        share = self.occupancy.shown_mask_share(mask)
        self.rows.append(replace(row, is_cut=row.is_cut or share < 1))
        self.shown_shares.append(share)
        self.surfaces.append((surface, claim, len(self.rows)))
        return len(self.rows)

    def add_cut_compartment(self, names: Iterable[str], mask: VoxelMask) -> None:
        """Make a compartment of the free voxels of a mask, as `add_compartment` does."""
        self._name_compartment(names, self.occupancy.add_compartment_mask(mask))

    def add_compartment(self, names: Iterable[str], shape: Shape, position: Position) -> None:
        """Make a compartment of the free voxels of a shape, under the names of the membranes that enclose it."""
        self._name_compartment(names, self.occupancy.add_compartment(shape, position))

    def _name_compartment(self, names: Iterable[str], number: int) -> None:
        for name in names:
            self._compartments.setdefault(name, []).append(number)

    def find_surfaces(self, names: Iterable[str] = ()) -> list[tuple[PlacedMembrane, int, int]]:
        """Return the entries of `surfaces` of membranes by name, a part's after a dot; all by default."""
        requested = set(names)
        if not requested:
            return self.surfaces
        entries = []
        for entry in self.surfaces:
            row = self.rows[entry[2] - 1]
            if requested & {row.class_name, f"{row.class_name}.{row.state}"}:
                entries.append(entry)
        return entries

    def has_compartment(self, names: Iterable[str]) -> bool:
        """Tell whether any of the compartments of these names exists."""
        return any(name == OUTSIDE_NAME or name in self._compartments for name in names)

    def region(self, names: Iterable[str] | None = None, surface: int | None = None) -> Region:
        """Return the voxels that an object may use.

        Parameters
        ----------
        names
            Names of compartments, ``outside`` for what no membrane encloses; all by default.
        surface
            Claim of a membrane that the object sits on, as `surfaces` lists it.
        """
        numbers: list[int] | None = None
        if names is not None:
            numbers = []
            for name in names:
                numbers += [OUTSIDE] if name == OUTSIDE_NAME else self._compartments.get(name, [])
        return self.occupancy.region(numbers, surface)

    def fail(self, name: str, requested: int, placed: int) -> PackingError:
        """Return the error of a class whose objects find no room."""
        return PackingError(name, requested, placed, self.occupancy.occupied_fraction())

    def _append(self, row: Row, shape: Shape, position: Position) -> int:
        share = self.occupancy.shown_share(shape, position)
        self.rows.append(replace(row, is_cut=row.is_cut or share < 1))
        self.shown_shares.append(share)
        return len(self.rows)
