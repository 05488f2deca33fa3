"""Components: the kinds of objects that a specimen is made of.

A kind is a frozen dataclass, which is at once a section of the run file and a `Component`: it draws its objects into a
`faket_dask.specimen.scene.Scene`, one row of the particle table each, and renders a row into a block of the volume.
Recipe, placement, rendering, costs and checks know this protocol only.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from faket_dask.specimen.canvas import Canvas
    from faket_dask.specimen.particles import Row
    from faket_dask.specimen.scene import Scene
    from faket_dask.specimen.voxel_grid import VoxelGrid


class Layer(IntEnum):
    """Order in which components are drawn and rendered: later ones find room among earlier ones, and displace them."""

    ICE = 0
    CARBON = 1
    MEMBRANES = 2
    FILAMENTS = 3
    MEMBRANE_PROTEINS = 4
    PARTICLES = 5
    DISTRACTORS = 6
    CROWDING = 7
    CUT = 8
    CONTAMINATION = 9


class Workload(NamedTuple):
    """Work of drawing and rendering a component once.

    Parameters
    ----------
    objects
        Objects that are placed.
    drawn_voxels
        Voxels that are looked at to find the shapes of all objects, and places for them.
    particle_voxels
        Voxels about all particles, that a template is interpolated at.
    surface_voxels
        Voxels about all surfaces, whose distance from them is computed.
    claimed_voxels
        Voxels that the objects have in the masks.
    templates_s
        Seconds in which a process loads the templates, once.
    """

    objects: float = 0.0
    drawn_voxels: float = 0.0
    particle_voxels: float = 0.0
    surface_voxels: float = 0.0
    claimed_voxels: float = 0.0
    templates_s: float = 0.0


class Component(Protocol):
    """One kind of object in a specimen.

    All methods are given the voxel grid of the specimen, since a component may be used in many. A row of the particle
    table must tell, together with the component, all about an object: nothing is drawn when it is rendered.
    """

    @property
    def layer(self) -> Layer:
        """Order in which the component is drawn and rendered."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of its rows in the particle table."""
        ...

    @property
    def labelled(self) -> bool:
        """True if its classes have labels in the masks."""
        ...

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most objects, each of them a row, that one specimen has."""
        ...

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the largest diameter of an object in Å; within a layer, components are drawn from large to small."""
        ...

    def check(self, grid: VoxelGrid) -> None:
        """Check before anything is drawn that the component suits the volume.

        Raises
        ------
        InputError
            If it does not, or a file of it cannot be used.
        """
        ...

    def draw(self, scene: Scene) -> None:
        """Draw objects: find a place for each, claim it, and add its row to the scene.

        Raises
        ------
        PackingError
            If an object finds no room.
        """
        ...

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the distance in Å from a row's centre beyond which the object changes no voxel."""
        ...

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add the object of a row to a block, whichever part of it the block shows."""
        ...

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many objects, from the middle of ranges."""
        ...


@runtime_checkable
class MergedComponent(Protocol):
    """Component whose rows touch one another: their densities add up, and together displace what they lie in.

    Its `render` adds a row to a canvas that is empty but for other rows of the component.
    """

    def surface_level(self, grid: VoxelGrid) -> float:
        """Return the density in volts at the surface of its objects, half of which displaces half of a voxel."""
        ...


@runtime_checkable
class BoundingComponent(Component, Protocol):
    """Component that bounds the ice: it is drawn before all others, whatever its layer, and at most once."""

    cuts: ClassVar[bool]
    """True if its faces cut objects; otherwise all objects lie between them."""

    def measure_share(self, grid: VoxelGrid) -> float:
        """Return the share of a volume that is ice, on average."""
        ...

    def check_room(self, component: Component, grid: VoxelGrid) -> None:
        """Check that a component finds room between the faces.

        Raises
        ------
        InputError
            If it does not.
        """
        ...


@runtime_checkable
class GroupedComponent(Protocol):
    """Component whose rows may be parts of fewer instances in the masks."""

    def count_instances(self, grid: VoxelGrid) -> int:
        """Return the most instances that one specimen has of the component."""
        ...
