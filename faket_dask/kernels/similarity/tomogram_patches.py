"""Patches of tomogram layers, and the numbers that judges tell them apart by.

Ring powers say how much detail of each size there is. Whitened patches have none of that left: all rings have one
power, and what is different between two of them lies in phases, which are the shapes of objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from faket_dask.kernels._checks import as_real
from faket_dask.kernels.moments import standardise, standardise_float64
from faket_dask.kernels.taper import edge_taper, hann_taper

PATCH_PX = 64
BANDS = 16
SMOOTHING_PX = (0.0, 1.5, 3.0)
"""Standard deviations of the Gaussians that whitened patches are seen through: noise hides what is larger."""

BLOB_DEPTH = 2.5
"""Depth of a dark blob in standard deviations of its smoothed patch."""


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of one tomogram.

    Parameters
    ----------
    values
        ``(patch, z, y, x)``; z is 1 for patches of single layers.
    rows, columns
        ``(patch,)`` place of the middle of each, as a share of the tomogram's extent along y and x.
    """

    values: NDArray[np.float32]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


def cut_patches(
    tomogram: NDArray[np.generic],
    size: int = PATCH_PX,
    *,
    depth: int = 1,
    layer_step: int = 4,
    valid_mask: NDArray[np.bool_] | None = None,
    inset: int = 0,
) -> Patches:
    """Cut a tomogram into patches side by side.

    Parameters
    ----------
    tomogram
        ``(z, y, x)`` in any unit.
    size, depth
        Extent of a patch along y and x, and along z, in voxels.
    layer_step
        Layers from one patch to the next along z, where neighbours are much alike.
    valid_mask
        ``(z, y, x)`` or ``(y, x)`` bool, false where there are beads or nothing was imaged; patches that touch such
        places are left out.
    inset
        Voxels to leave out at all four sides.

    Returns
    -------
    patches
        Patches in the unit of the tomogram; none where it is too small.

    Examples
    --------
    >>> patches = cut_patches(np.zeros((8, 128, 64)))
    >>> patches.values.shape, patches.rows.tolist()
    ((4, 1, 64, 64), [0.25, 0.75, 0.25, 0.75])
    """
    volume = as_real("tomogram", "(z, y, x)", tomogram)
    layers, height, width = volume.shape
    valid = None if valid_mask is None else np.broadcast_to(valid_mask, volume.shape)
    corners = [
        (z, y, x)
        for z in range(0, layers - depth + 1, layer_step)
        for y in range(inset, height - inset - size + 1, size)
        for x in range(inset, width - inset - size + 1, size)
        if valid is None or valid[z : z + depth, y : y + size, x : x + size].all()
    ]
    values = np.empty((len(corners), depth, size, size), dtype=np.float32)
    for patch, (z, y, x) in zip(values, corners, strict=True):
        patch[:] = volume[z : z + depth, y : y + size, x : x + size]
    places = np.array([corner[1:] for corner in corners], dtype=np.float64).reshape(-1, 2) + size / 2
    return Patches(values, places[:, 0] / height, places[:, 1] / width)


def measure_ring_powers(patches: NDArray[np.generic], bands: int = BANDS) -> NDArray[np.float64]:
    """Measure the logarithms of the powers of patches in overlapping rings, evenly spaced in log frequency.

    Parameters
    ----------
    patches
        ``(patch, z, y, x)`` in any unit; each is standardised, and the powers of its layers are averaged.
    bands
        Number of rings, from 1.5 waves per patch to the Nyquist frequency.

    Returns
    -------
    powers
        ``(patch, bands)`` natural logarithms.
    """
    size = patches.shape[-1]
    radius = _radius(patches.shape[-2:])
    centres = np.geomspace(1.5 / size, 0.47, bands)
    spacing = np.log(centres[1] / centres[0]) if bands > 1 else 1.0
    distance = np.log(np.maximum(radius, 0.1 / size)[..., None] / centres) / spacing
    weights = np.exp(-0.5 * distance**2) * (radius > 0)[..., None]
    weights = (weights / weights.sum(axis=(0, 1))).reshape(-1, bands)
    powers = np.empty((len(patches), bands))
    for row, patch in zip(powers, patches, strict=True):
        power = np.mean(np.abs(scipy.fft.rfft2(standardise_float64(patch))) ** 2, axis=0)
        row[:] = np.log(np.maximum(power.ravel() @ weights, np.finfo(np.float64).tiny))
    return powers


def whiten_tomogram(tomogram: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale the Fourier transform of a tomogram so that every ring of every plane across z has the same power.

    Parameters
    ----------
    tomogram
        ``(z, y, x)`` in any unit.

    Returns
    -------
    white
        ``(z, y, x)`` of standard deviation 1. Powers are measured under a window, so that its edges do not count.
    """
    volume = np.asarray(as_real("tomogram", "(z, y, x)", tomogram), dtype=np.float32)
    volume = volume - volume.mean()
    window = np.outer(*map(hann_taper, volume.shape[1:])).astype(np.float32)
    gains = _ring_gains(np.abs(scipy.fft.rfftn(volume * window)) ** 2, volume.shape)
    white = scipy.fft.irfftn(scipy.fft.rfftn(volume) * gains, s=volume.shape)
    return np.asarray(white / max(float(white.std()), np.finfo(np.float32).tiny), dtype=np.float32)


def whiten_patches(patches: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale the Fourier transform of every patch so that each of its rings has the same power.

    Parameters
    ----------
    patches
        ``(patch, z, y, x)``, of a tomogram from `whiten_tomogram`: in others, what leaks from strong rings into weak
        ones would tell their ratio.

    Returns
    -------
    white
        ``(patch, z, y, x)`` of mean 0 and standard deviation 1, tapered at their sides before they are whitened.
    """
    white = np.empty(patches.shape, dtype=np.float32)
    taper = np.outer(*(edge_taper(size) for size in patches.shape[-2:]))
    for result, patch in zip(white, patches, strict=True):
        spectrum = scipy.fft.rfftn((patch - patch.mean()) * taper)
        values = scipy.fft.irfftn(spectrum * _ring_gains(np.abs(spectrum) ** 2, patch.shape), s=patch.shape)
        result[:] = standardise(values)
    return white


def measure_shapes(white: NDArray[np.generic]) -> NDArray[np.float64]:
    """Measure skewness, kurtosis and the number of dark blobs of whitened patches.

    Parameters
    ----------
    white
        ``(patch, z, y, x)`` from `whiten_patches`, dense dark; layers of a patch are averaged.

    Returns
    -------
    shapes
        ``(patch, 8)``: skewness and kurtosis at each of `SMOOTHING_PX`, and the number of dark blobs at those that
        smooth.
    """
    shapes = np.empty((len(white), 3 * len(SMOOTHING_PX) - 1))
    for row, patch in zip(shapes, white, strict=True):
        row[:] = np.mean([_describe_layer(layer) for layer in patch], axis=0)
    return shapes


def _describe_layer(layer: NDArray[np.generic]) -> list[float]:
    numbers, blobs = [], []
    inner = tuple(slice(size // 8, size - size // 8) for size in layer.shape)
    for size in SMOOTHING_PX:
        values = np.asarray(layer, dtype=np.float64)
        if size:
            values = scipy.ndimage.gaussian_filter(values, size)
        values = values[inner]
        values = (values - values.mean()) / max(values.std(), np.finfo(np.float64).tiny)
        numbers += [float(np.mean(values**3)), float(np.mean(values**4))]
        if size:
            least = scipy.ndimage.minimum_filter(values, 2 * int(np.ceil(size)) + 1)
            blobs.append(float(np.sum((values == least) & (values < -BLOB_DEPTH))))
    return numbers + blobs


def _radius(shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.hypot(scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.rfftfreq(shape[1])[None, :])


def _ring_gains(power: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the gains, ``(z, y, x // 2 + 1)``, that give every ring of every plane across z a mean power of 1."""
    rings = min(shape[1:]) // 2
    ring = np.floor(_radius(shape[1:]) * 2 * rings + 0.5).astype(int)
    number = np.maximum(np.bincount(ring.ravel()), 1)
    gains = np.empty(power.shape, dtype=np.float32)
    for plane, opposite in enumerate(-np.arange(shape[0])):
        both = (
            power[plane] + power[opposite]
        ) / 2  # planes z and -z are one: the transform is of real values
        means = np.bincount(ring.ravel(), both.ravel()) / number
        floor = np.finfo(np.float32).tiny + 1e-12 * means.max()
        gains[plane] = np.where(means > floor, 1 / np.sqrt(np.maximum(means, floor)), 0)[ring]
    return gains
