"""Template in an orientation: turned, filtered, masked and normalised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray


def soft_sphere(reach: int, radius: float) -> NDArray[np.float32]:
    """Return a sphere in a cube ``(2 reach + 1,) * 3`` about its middle: 1 inside, 0 outside, one voxel between.

    Examples
    --------
    >>> soft_sphere(3, 2.0)[3, 3]
    array([0. , 0.5, 1. , 1. , 1. , 0.5, 0. ], dtype=float32)
    """
    axis = np.arange(-reach, reach + 1.0)
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    return np.clip(radius + 0.5 - distance, 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class TurnableTemplate:
    """Density of a particle that can be compared with a tomogram in any orientation.

    Parameters
    ----------
    density
        ``(n, n, n)`` float32 about voxel ``n // 2``, axes ``(z, y, x)``.
    oversampling
        Its voxels per voxel of the tomogram.
    radius
        Radius in voxels of the tomogram of the sphere in which template and tomogram are compared.
    transfer
        ``(edge, edge, edge // 2 + 1)`` transfer function at the frequencies of a cube of `edge` voxels, ``None`` for
        none. The cube is larger than the sphere, so that what it spreads does not come back on the other side.
    edge
        Voxels along an edge of that cube.
    """

    density: NDArray[np.float32]
    oversampling: float
    radius: float
    transfer: NDArray[np.float32] | None
    edge: int

    @property
    def reach(self) -> int:
        """Voxels from the middle of a turned template to its faces."""
        return int(np.ceil(self.radius + 0.5))

    def mask(self) -> NDArray[np.float32]:
        """Return the weights ``(2 reach + 1,) * 3`` of the comparison, the same in all orientations."""
        return soft_sphere(self.reach, self.radius)

    def turn(self, rotation: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the template in an orientation, times the mask, of weighted mean 0 and weighted power 1.

        Parameters
        ----------
        rotation
            ``(3, 3)`` matrix, particle to specimen.

        Returns
        -------
        turned
            ``(2 reach + 1,) * 3`` float32; zero throughout for a template that is even within the mask.
        """
        cube = turn_density(self.density, np.ascontiguousarray(rotation.T), self.oversampling, self.edge)
        if self.transfer is not None:
            cube = scipy.fft.irfftn(scipy.fft.rfftn(cube) * self.transfer, cube.shape)
        middle, reach = self.edge // 2, self.reach
        inside = (slice(middle - reach, middle + reach + 1),) * 3
        mask = self.mask().astype(np.float64)
        values = cube[inside].astype(np.float64)
        values -= (mask * values).sum() / mask.sum()
        power = float((mask * values**2).sum())
        return (mask * values / np.sqrt(power) if power > 0 else np.zeros_like(mask)).astype(np.float32)


@njit(cache=True, nogil=True)
def turn_density(
    density: NDArray[np.float32], to_particle: NDArray[np.float64], oversampling: float, edge: int
) -> NDArray[np.float32]:
    """Interpolate a density linearly at the voxels of a cube that are turned into its frame; 0 outside.

    Parameters
    ----------
    density
        ``(n, n, n)`` about voxel ``n // 2``, axes ``(z, y, x)``.
    to_particle
        ``(3, 3)`` matrix from the frame of the cube to that of the density, C-contiguous.
    oversampling
        Voxels of the density per voxel of the cube.
    edge
        Voxels along an edge of the cube, which is about voxel ``edge // 2``.
    """
    turned = np.zeros((edge, edge, edge), np.float32)
    matrix = to_particle * oversampling
    middle, centre = edge // 2, density.shape[0] // 2
    last = density.shape[0] - 1
    for k in range(edge):
        for j in range(edge):
            for i in range(edge):
                dx, dy, dz = i - middle, j - middle, k - middle
                x = matrix[0, 0] * dx + matrix[0, 1] * dy + matrix[0, 2] * dz + centre
                y = matrix[1, 0] * dx + matrix[1, 1] * dy + matrix[1, 2] * dz + centre
                z = matrix[2, 0] * dx + matrix[2, 1] * dy + matrix[2, 2] * dz + centre
                if x < 0 or y < 0 or z < 0 or x >= last or y >= last or z >= last:
                    continue
                a, b, c = int(z), int(y), int(x)
                fz, fy, fx = z - a, y - b, x - c
                front = (1 - fy) * ((1 - fx) * density[a, b, c] + fx * density[a, b, c + 1]) + fy * (
                    (1 - fx) * density[a, b + 1, c] + fx * density[a, b + 1, c + 1]
                )
                back = (1 - fy) * ((1 - fx) * density[a + 1, b, c] + fx * density[a + 1, b, c + 1]) + fy * (
                    (1 - fx) * density[a + 1, b + 1, c] + fx * density[a + 1, b + 1, c + 1]
                )
                turned[k, j, i] = (1 - fz) * front + fz * back
    return turned
