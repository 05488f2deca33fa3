"""Vitreous ice: the potential that all others are counted from, and its texture."""

import math

import numpy as np
from numpy.typing import NDArray

# Mean inner potential in volts of amorphous ice of 0.93 g/cm³, of neutral atoms, and the molecules it has
# per Å³ (Vulovic et al., J. Struct. Biol. 183, 19, 2013).
ICE_V = 4.53
_MOLECULES_PER_A3 = 0.0311

# Structure factor of water at long wavelengths, density · k_B · T · compressibility: the fluctuations that
# water had when it froze.
_STRUCTURE_FACTOR = 0.06


def ice_fluctuation(voxel_size_A: float) -> float:
    """Standard deviation of the mean potential of a voxel of vitreous ice.

    The number N of molecules in a volume much larger than one fluctuates with variance ``S(0) N``, and
    independently between such volumes, so the texture is white at voxels of 5 Å and more.

    Parameters
    ----------
    voxel_size_A
        Edge of the voxel in Å.

    Returns
    -------
    deviation
        Volts.
    """
    return ICE_V * math.sqrt(_STRUCTURE_FACTOR / (_MOLECULES_PER_A3 * voxel_size_A**3))


def ice_texture(
    shape: tuple[int, int, int], y_start: int, voxel_size_A: float, strength: float, seed: int
) -> NDArray[np.float32]:
    """Random density of ice for consecutive y slices, one stream of random numbers per slice.

    Parameters
    ----------
    shape
        ``(z, y, x)`` voxels of the block.
    y_start
        Index in the whole volume of the block's first slice.
    voxel_size_A
        Edge of a voxel in Å.
    strength
        Factor on the physical standard deviation.
    seed
        Of the whole volume.

    Returns
    -------
    density
        ``shape``, volts about zero; the same in every block that holds a slice.
    """
    density = np.empty(shape, dtype=np.float32)
    deviation = np.float32(strength * ice_fluctuation(voxel_size_A))
    depth, height, width = shape
    for y in range(height):
        rng = np.random.default_rng([seed, y_start + y])
        density[:, y, :] = deviation * rng.standard_normal((depth, width), dtype=np.float32)
    return density
