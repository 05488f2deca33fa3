"""Distances of a synthetic tilt to a recorded one: of their spectra, and of their Gram matrices.

Two parts of one recorded tilt differ, too, by the intra-reference distance: a synthetic tilt cannot be told from a
recorded one by a distance that is no larger. Images are compared in parts of equal size, prepared as for the matching
of Gram matrices: shading taken off, noise in place of beads and bad pixels, and these and the border left out of the
Gram matrices. A distance is therefore one of signal and noise, not of the places of beads or thick ice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.noise.spectra import log_spectrum_distance
from faket_dask.kernels.style.gram_matching import texture_grams
from faket_dask.kernels.style.network import Network
from faket_dask.kernels.style.network_input import extract_texture

GRAM_LAYERS = (1, 6, 11, 20, 29)
"""Layers at which Gram matrices are compared: the style layers of FakET in a VGG-19."""

CROP_PX = 512
"""Side in pixels of the middle of larger images, which is compared: it says as much and takes seconds at any size."""

_LEAST_VALID = 0.1
"""Share of valid pixels below which a half is compared with all of its pixels."""


@dataclass(frozen=True, eq=False)
class TextureSample:
    """Part of a tilt, prepared for comparison.

    Parameters
    ----------
    image
        ``(y, x)`` standardised, without artefacts and shading.
    grams
        Layer → (C, C) Gram matrices; empty without a network.
    kurtosis
        Kurtosis of the values, 3 for a normal distribution; beads and bad pixels left out.
    artefacts
        Share of beads and bad pixels.
    """

    image: NDArray[np.float32]
    grams: Mapping[int, NDArray[np.float32]]
    kurtosis: float
    artefacts: float


@dataclass(frozen=True)
class TextureDistances:
    """Distances of two tilts.

    Parameters
    ----------
    log_spectrum
        Distance by `faket_dask.kernels.noise.spectra.log_spectrum_distance`.
    gram
        Layer → Frobenius norm of the difference of the Gram matrices, relative to that of the second tilt's.
    """

    log_spectrum: float
    gram: dict[int, float]


def sample_halves(
    tilt: NDArray[np.generic],
    network: Network | None = None,
    layers: Iterable[int] = GRAM_LAYERS,
    size: int = CROP_PX,
    valid_mask: NDArray[np.bool_] | None = None,
) -> list[TextureSample]:
    """Prepare the left and the right half of the middle of a tilt for comparison.

    Parameters
    ----------
    tilt
        ``(y, x)`` in any unit.
    network
        Network for the Gram matrices; without one, spectra alone are compared.
    layers
        Layers whose Gram matrices are compared.
    size
        Side of the middle in pixels; less where the tilt is smaller.
    valid_mask
        ``(y, x)`` bool, false for beads and bad pixels; by default they are looked for in the middle. A half with
        hardly any valid pixel is compared as it is.

    Raises
    ------
    ValueError
        If the tilt is not finite, too small, or without contrast where it is valid.
    """
    height, width = (min(size, extent) for extent in np.shape(tilt))
    top, left = (np.shape(tilt)[0] - height) // 2, (np.shape(tilt)[1] - width) // 2
    inside = (slice(top, top + height), slice(left, left + width))
    middle = np.asarray(tilt)[inside]
    valid = ~artefact_mask(middle) if valid_mask is None else valid_mask[inside]
    half = width // 2
    halves = (slice(0, half), slice(width - half, width))
    return [
        sample_texture(middle[:, columns], _choose_valid(valid[:, columns]), network, layers)
        for columns in halves
    ]


def _choose_valid(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the valid pixels of a half, all of them where it is an artefact as a whole, as carbon about a hole is."""
    return mask if mask.mean() >= _LEAST_VALID else np.ones_like(mask)


def sample_texture(
    part: NDArray[np.generic],
    valid_mask: NDArray[np.bool_],
    network: Network | None = None,
    layers: Iterable[int] = GRAM_LAYERS,
) -> TextureSample:
    """Prepare one part of a tilt, ``(y, x)``, as a whole; parameters and errors are those of `sample_halves`."""
    image = extract_texture(part, valid_mask)
    grams = {} if network is None else texture_grams(network, image, valid_mask, sorted(layers))
    values = image[valid_mask].astype(np.float64)  # of mean 0 and standard deviation 1
    return TextureSample(image, grams, float(np.mean(values**4)), 1 - float(valid_mask.mean()))


def texture_distances(ours: Sequence[TextureSample], theirs: Sequence[TextureSample]) -> TextureDistances:
    """Return the mean distances of every part of one tilt to every part of another."""
    pairs = [(a, b) for a in ours for b in theirs]
    layers = sorted(ours[0].grams.keys() & theirs[0].grams.keys())
    return TextureDistances(
        float(np.mean([log_spectrum_distance(a.image, b.image) for a, b in pairs])),
        {
            layer: float(np.mean([_relative(a.grams[layer], b.grams[layer]) for a, b in pairs]))
            for layer in layers
        },
    )


def intra_reference_distances(parts: Sequence[TextureSample]) -> TextureDistances:
    """Return the distances of the parts of one tilt from each other: no synthetic tilt need be nearer."""
    apart = [texture_distances([a], [b]) for a in parts for b in parts if a is not b]
    layers = apart[0].gram
    return TextureDistances(
        float(np.mean([distance.log_spectrum for distance in apart])),
        {layer: float(np.mean([distance.gram[layer] for distance in apart])) for layer in layers},
    )


def _relative(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))
