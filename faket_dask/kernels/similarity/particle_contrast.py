"""Contrast of particles in a tomogram, at places that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_real, check_positive


@dataclass(frozen=True)
class ParticleContrast:
    """Contrast of the particles of one class.

    Parameters
    ----------
    contrast
        Mean of the tomogram minus the mean within the particles, in standard deviations of the tomogram's voxels;
        positive where particles are dark.
    standard_error
        Its standard error, from the scatter over the particles.
    particles
        Number of particles that lie within the tomogram as a whole.
    """

    contrast: float
    standard_error: float
    particles: int


def measure_particle_contrast(
    tomogram: NDArray[np.generic], centres: ArrayLike, radius_px: float
) -> ParticleContrast:
    """Measure the contrast of spheres around known places.

    Parameters
    ----------
    tomogram
        ``(z, y, x)`` in any unit. Mean and standard deviation are those of the layers from the lowest to the highest
        particle, their radius included: empty layers above and below the specimen do not count.
    centres
        ``(particle, 3)`` places ``(z, y, x)`` in voxels.
    radius_px
        Radius of the spheres in voxels.

    Returns
    -------
    contrast
        Contrast, with no particles and NaN where no sphere lies within the tomogram.

    Raises
    ------
    ValueError
        If the places are not ``(particle, 3)``, or the radius is not positive.

    Examples
    --------
    >>> tomogram = np.random.default_rng(0).normal(size=(16, 32, 32))
    >>> z, y, x = np.ogrid[:16, :32, :32]
    >>> tomogram[(z - 8) ** 2 + (y - 16) ** 2 + (x - 9) ** 2 <= 16] -= 2
    >>> round(measure_particle_contrast(tomogram, [[8, 16, 9]], 4.0).contrast, 1)
    1.9
    """
    volume = as_real("tomogram", "(z, y, x)", tomogram)
    radius = check_positive("radius_px", radius_px)
    places = np.asarray(centres, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 3:
        raise ValueError(f"places must be (particle, 3), got shape {places.shape}")
    reach = int(np.floor(radius))
    offsets = np.argwhere(np.ones((2 * reach + 1,) * 3)) - reach
    offsets = offsets[(offsets**2).sum(axis=1) <= radius**2]
    voxels = np.rint(places).astype(np.int64)
    whole = ((voxels >= reach) & (voxels < np.array(volume.shape) - reach)).all(axis=1)
    voxels = voxels[whole]
    if not len(voxels):
        return ParticleContrast(float("nan"), float("nan"), 0)
    layers = volume[voxels[:, 0].min() - reach : voxels[:, 0].max() + reach + 1].astype(np.float64)
    deviation = float(layers.std())
    if deviation == 0:
        return ParticleContrast(float("nan"), float("nan"), 0)
    means = np.array([volume[tuple((voxel + offsets).T)].mean(dtype=np.float64) for voxel in voxels])
    contrasts = (layers.mean() - means) / deviation
    error = contrasts.std(ddof=1) / np.sqrt(len(contrasts)) if len(contrasts) > 1 else float("nan")
    return ParticleContrast(float(contrasts.mean()), float(error), len(contrasts))
