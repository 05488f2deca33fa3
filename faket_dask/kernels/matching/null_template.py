"""Templates of what is not in a tomogram, but otherwise like the particle."""

from __future__ import annotations

from enum import Enum

import numpy as np
import scipy.fft
from numpy.typing import NDArray


class Null(Enum):
    """Kinds of null templates.

    Examples
    --------
    >>> Null("scrambled")
    <Null.SCRAMBLED: 'scrambled'>
    """

    INVERTED = "inverted"
    """The opposite contrast: noise that is symmetric about its mean scores as for the particle, matter scores low."""

    SCRAMBLED = "scrambled"
    """The template's amplitudes with random phases; at low resolution they are found where the particle is."""

    MIRRORED = "mirrored"
    """The other hand; at low resolution it is found where the particle is."""


def null_template(density: NDArray[np.float32], null: Null, seed: int = 0) -> NDArray[np.float32]:
    """Return a null of a template.

    Parameters
    ----------
    density
        ``(n, n, n)`` about voxel ``n // 2``.
    null
        Kind.
    seed
        Seed of the random phases.

    Examples
    --------
    >>> density = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> bool((null_template(density, Null.INVERTED) == -density).all())
    True
    """
    match null:
        case Null.INVERTED:
            return -density
        case Null.MIRRORED:
            return _mirror(density)
        case Null.SCRAMBLED:
            return _scramble(density, seed)


def _mirror(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mirror at the plane through the middle voxel, across x."""
    middle, size = density.shape[2] // 2, density.shape[2]
    places = 2 * middle - np.arange(size)
    mirrored = np.zeros_like(density)
    is_inside = (places >= 0) & (places < size)
    mirrored[..., is_inside] = density[..., places[is_inside]]
    return mirrored


def _scramble(density: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    noise = scipy.fft.rfftn(np.random.default_rng(seed).standard_normal(density.shape))
    amplitude = np.abs(scipy.fft.rfftn(density.astype(np.float64)))
    phases = noise / np.maximum(np.abs(noise), np.finfo(np.float64).tiny)
    return scipy.fft.irfftn(amplitude * phases, density.shape).astype(np.float32)
