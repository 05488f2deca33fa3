"""Voxel grid that a specimen is drawn and rendered on."""

import math
from dataclasses import dataclass

from faket_dask.errors import InputError
from faket_dask.specimen.template import Sampling


@dataclass(frozen=True)
class VoxelGrid:
    """Shape and sampling of a specimen's volume.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)``.
    voxel_size_A
        Edge of a voxel in Å.
    sampling
        Frequencies that voxels keep.
    ice_share
        Share of the volume that is ice, on average; the rest is vacuum.

    Raises
    ------
    InputError
        If there are no voxels, or they have no size.

    Examples
    --------
    >>> VoxelGrid((11, 21, 31), 10.0).extent_A
    (300.0, 200.0, 100.0)
    """

    shape: tuple[int, int, int]
    voxel_size_A: float
    sampling: Sampling = Sampling.SMOOTHED
    ice_share: float = 1.0

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or any(n != int(n) or n < 2 for n in self.shape):
            raise InputError(f"specimen shape is {self.shape}; give (z, y, x) in voxels, each at least 2")
        if not (math.isfinite(self.voxel_size_A) and self.voxel_size_A > 0):
            raise InputError(f"specimen voxel size is {self.voxel_size_A}; it must be positive, in Å")

    @property
    def extent_A(self) -> tuple[float, float, float]:
        """Distance ``(x, y, z)`` in Å between the centres of opposite corner voxels."""
        z, y, x = self.shape
        return (x - 1) * self.voxel_size_A, (y - 1) * self.voxel_size_A, (z - 1) * self.voxel_size_A

    @property
    def volume_A3(self) -> float:
        """Volume of the ice in cubic ångström."""
        return self.ice_share * float(math.prod(self.shape)) * self.voxel_size_A**3

    @property
    def volume_um3(self) -> float:
        """Volume of the ice in cubic micrometres."""
        return 1e-12 * self.volume_A3

    def check_fits(self, name: str, size_A: float) -> None:
        """Refuse an object that is larger than the volume in any direction.

        Raises
        ------
        InputError
            Naming both sizes.
        """
        smallest = min(self.extent_A)
        if size_A > smallest:
            raise InputError(
                f"specimen: '{name}' is up to {size_A:.0f} Å across and the volume only {smallest:.0f} Å in "
                f"its smallest direction (shape z, y, x {self.shape} at {self.voxel_size_A:g} Å); "
                "enlarge the volume or choose smaller objects"
            )
