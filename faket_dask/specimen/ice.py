"""Vitreous ice: its potential, from which all others are counted, and its texture."""

import math

import numpy as np
from numpy.typing import NDArray

ICE_V = 4.53
"""Mean inner potential of amorphous ice of 0.93 g/cm³, neutral atoms (Vulovic et al., J. Struct. Biol. 183, 2013)."""

_MOLECULES_PER_A3 = 0.0311
"""Molecules of that ice per Å³ (same source)."""

_STRUCTURE_FACTOR = 0.06
"""Structure factor of water at long wavelengths, density · k_B · T · compressibility, when it froze."""


def ice_fluctuation(voxel_size_A: float) -> float:
    """Compute the standard deviation of the mean potential of a voxel of vitreous ice.

    The number N of molecules in a volume much larger than one fluctuates with variance ``S(0) N``, and
    independently between such volumes, so the texture is white at voxels of 5 Å and more.

    Parameters
    ----------
    voxel_size_A
        Edge of the voxel in Å.

    Returns
    -------
    deviation
        Standard deviation in volts.

    Examples
    --------
    >>> round(ice_fluctuation(10.0), 3)
    0.199
    """
    return ICE_V * math.sqrt(_STRUCTURE_FACTOR / (_MOLECULES_PER_A3 * voxel_size_A**3))


def ice_texture(
    shape: tuple[int, int, int], y_start: int, voxel_size_A: float, strength: float, seed: int
) -> NDArray[np.float32]:
    """Draw the density of ice for consecutive y slices, one stream of random numbers per slice.

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
        Seed of the whole volume.

    Returns
    -------
    density
        Array of `shape`, volts about zero; the same in every block that holds a slice.
    """
    density = np.empty(shape, dtype=np.float32)
    deviation = np.float32(strength * ice_fluctuation(voxel_size_A))
    depth, height, width = shape
    for y in range(height):
        rng = np.random.default_rng([seed, y_start + y])
        density[:, y, :] = deviation * rng.standard_normal((depth, width), dtype=np.float32)
    return density
