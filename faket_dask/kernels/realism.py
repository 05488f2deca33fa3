"""How far a synthetic tilt is from a recorded one: in their spectra, and in the textures that VGG-19 sees.

Two parts of one recorded tilt differ too. What they differ by is the floor: a synthetic tilt cannot be told from
a recorded one by a distance that is no larger. Images are compared in parts of equal size, with beads and bad
pixels replaced and the ramp of the ice taken off, so that a distance speaks of signal and noise and not of where
a bead or the thick side of the ice happens to lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.contrast import network_contrast, without_background
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.spectra import log_spectrum_distance
from faket_dask.kernels.style import gram_targets
from faket_dask.kernels.vgg import VGG19

GRAM_LAYERS = (1, 6, 11, 20, 29)
"""Where textures are compared: the style layers of FakET."""

CROP_PX = 512
"""Of larger images the middle is compared, which says as much and takes seconds at any size."""


@dataclass(frozen=True, eq=False)
class Texture:
    """What of one part of a tilt is compared.

    Attributes
    ----------
    image
        `(y, x)` standardised, without artefacts and background.
    grams
        Layer → (C, C) Gram matrices; empty without a network.
    kurtosis
        Of the values, 3 for a normal distribution; beads and bad pixels left out.
    artefacts
        Share of the pixels that beads and bad pixels take.
    """

    image: NDArray[np.float32]
    grams: Mapping[int, NDArray[np.float32]]
    kurtosis: float
    artefacts: float


@dataclass(frozen=True)
class Distances:
    """How far two tilts are apart.

    Attributes
    ----------
    log_spectrum
        As `faket_dask.kernels.spectra.log_spectrum_distance`.
    gram
        Layer → Frobenius norm of the difference of the Gram matrices, relative to that of the second tilt's.
    """

    log_spectrum: float
    gram: dict[int, float]


def textures(
    tilt: NDArray[np.generic],
    network: VGG19 | None = None,
    layers: Iterable[int] = GRAM_LAYERS,
    size: int = CROP_PX,
) -> list[Texture]:
    """The left and the right half of the middle of a tilt, ready to be compared.

    Parameters
    ----------
    tilt
        `(y, x)` in any unit.
    network
        Sees the textures; without one, spectra alone are compared.
    layers
        Whose Gram matrices are compared.
    size
        Side of the middle, in pixels; less where the tilt is smaller.

    Raises
    ------
    ValueError
        If the tilt is not finite, too small, or constant.
    """
    height, width = (min(size, extent) for extent in np.shape(tilt))
    top, left = (np.shape(tilt)[0] - height) // 2, (np.shape(tilt)[1] - width) // 2
    middle = np.asarray(tilt)[top : top + height, left : left + width]
    # Less than the whole tilt is flattened: its ramp is taken where it is compared.
    flat, mask = without_background(middle)
    half = width // 2
    return [
        _texture(flat[:, columns], mask[:, columns], network, tuple(layers))
        for columns in (slice(0, half), slice(width - half, width))
    ]


def _texture(
    flat: NDArray[np.float64], mask: NDArray[np.bool_], network: VGG19 | None, layers: tuple[int, ...]
) -> Texture:
    image = standardise(flat)
    if not image.any():
        raise ValueError("a constant image has no texture")
    grams = {} if network is None else gram_targets(network, network_contrast(image), layers)
    believed = image[~mask].astype(np.float64)
    believed -= believed.mean()
    kurtosis = float(np.mean(believed**4) / np.mean(believed**2) ** 2)
    return Texture(image, grams, kurtosis, float(mask.mean()))


def distances(ours: Sequence[Texture], theirs: Sequence[Texture]) -> Distances:
    """Mean distances of every part of one tilt to every part of another."""
    pairs = [(a, b) for a in ours for b in theirs]
    layers = sorted(ours[0].grams.keys() & theirs[0].grams.keys())
    return Distances(
        float(np.mean([log_spectrum_distance(a.image, b.image) for a, b in pairs])),
        {
            layer: float(np.mean([_relative(a.grams[layer], b.grams[layer]) for a, b in pairs]))
            for layer in layers
        },
    )


def floor(parts: Sequence[Texture]) -> Distances:
    """How far the parts of one tilt are from each other: no synthetic one need be nearer."""
    apart = [distances([a], [b]) for a in parts for b in parts if a is not b]
    layers = apart[0].gram
    return Distances(
        float(np.mean([found.log_spectrum for found in apart])),
        {layer: float(np.mean([found.gram[layer] for found in apart])) for layer in layers},
    )


def _relative(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))
