"""Electron wave behind a specimen: one thin phase object, or layers with free space between them (multislice).

Source: multislice method, Kirkland, *Advanced Computing in Electron Microscopy* (2nd ed., 2010), chapter 6.

The layers of a tilted slab are parallel to the slab, not to the image: each column of the image passes them at its
own height, which the defocus of the strips (`faket_dask.kernels.defocus_gradient`) accounts for. Within a layer's
thickness electrons move sideways by a few Å, over which the height hardly differs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.displacement import Displacement
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.frequency_grid import frequency_grid
from faket_dask.kernels.gold import Gold, gold_mean_free_path
from faket_dask.kernels.optics import Optics, interaction_constant, wavelength
from faket_dask.kernels.radiation_damage import damage_envelope


@dataclass(frozen=True, eq=False)
class Layer:
    """Layer of a specimen, or all of it, projected along the beam.

    Parameters
    ----------
    potential
        ``(y, x)`` projected potential over that of ice, in volts times Å, dense positive, gold included.
    height_A
        Height along the beam, towards its source, over the plane through the tilt axis.
    gold
        Gold in the layer, already where the displaced image shows it; damage leaves it as it is.
    ice_deviation
        Standard deviation in volts times Å of the part of `potential` that is texture of ice, white from pixel to
        pixel. The beam moves molecules of ice and does not destroy them: what damage takes of the texture comes back
        in other places.
    """

    potential: NDArray[np.floating]
    height_A: float = 0.0
    gold: Gold | None = None
    ice_deviation: float = 0.0


@dataclass(frozen=True)
class Frame:
    """Image with a margin that mirrors it, as large as Fourier transforms like.

    Parameters
    ----------
    shape
        ``(y, x)`` of the image.
    margin
        Rows and columns before it, and at least as many behind it.
    """

    shape: tuple[int, int]
    margin: int

    @property
    def padded_shape(self) -> tuple[int, int]:
        """``(y, x)`` with the margin."""
        rows, columns = (scipy.fft.next_fast_len(extent + 2 * self.margin) for extent in self.shape)
        return rows, columns

    def pad(self, image: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return an image with its margin."""
        behind = (
            padded - extent - self.margin
            for padded, extent in zip(self.padded_shape, self.shape, strict=True)
        )
        return np.pad(image.astype(np.float64), [(self.margin, after) for after in behind], mode="symmetric")

    def crop(self, padded: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return an image without its margin."""
        rows, columns = (slice(self.margin, self.margin + extent) for extent in self.shape)
        return padded[rows, columns]


def leave_specimen(
    layers: Iterable[Layer],
    frame: Frame,
    pixel_size_A: float,
    optics: Optics,
    exposure: Exposure,
    displacement: Displacement,
    *,
    damage: bool,
    rng: np.random.Generator,
) -> tuple[NDArray[np.complex128], float]:
    """Return the wave behind the last layer, 1 where there is nothing.

    Parameters
    ----------
    layers
        Layers in the order in which the beam meets them.
    frame
        Image with its margin.
    pixel_size_A
        Pixel edge in Å.
    optics
        Microscope.
    exposure
        Conditions of the tilt.
    displacement
        Displacement of the image.
    damage
        True if exposure takes away fine detail of all but gold and ice.
    rng
        Source of the ice that moves.

    Returns
    -------
    wave, height_A
        ``(y, x)`` with the margin, and the height of the last layer.

    Raises
    ------
    ValueError
        If there is no layer, or one is not a finite image of the frame's shape.
    """
    shape = frame.padded_shape
    envelope = None
    if damage:
        envelope = damage_envelope(
            shape, pixel_size_A, optics.voltage_kV, exposure.before_e_per_A2, exposure.dose_e_per_A2
        )
    ramp = displacement.phase_ramp(shape, pixel_size_A) if any(displacement.shift_A) else None
    wave: NDArray[np.complex128] | None = None
    height = 0.0
    for layer in layers:
        _check_potential(layer.potential, frame.shape)
        change = _transmit(_expose(layer, frame, envelope, ramp, rng), layer, frame, optics)
        before = wave if wave is None else _propagate(wave, height - layer.height_A, pixel_size_A, optics)
        wave = change if before is None else before * change
        height = layer.height_A
    if wave is None:
        raise ValueError("a specimen has at least one layer")
    return wave, height


def _check_potential(potential: NDArray[np.floating], shape: tuple[int, int]) -> None:
    if potential.shape != shape or not np.isfinite(potential).all():
        raise ValueError(
            f"the projected potential must be a finite (y, x) image; it has shape {potential.shape}"
        )


def _expose(
    layer: Layer,
    frame: Frame,
    envelope: NDArray[np.float64] | None,
    ramp: NDArray[np.complex128] | None,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the potential with its margin, displaced, after the damage by earlier exposure."""
    padded = frame.pad(layer.potential)
    if envelope is None and ramp is None:
        return padded
    spectrum = scipy.fft.fft2(padded)
    if envelope is not None:
        spectrum *= envelope
        if layer.ice_deviation:
            fresh = layer.ice_deviation * rng.standard_normal(padded.shape)
            spectrum += scipy.fft.fft2(fresh) * np.sqrt(1 - envelope**2)
    if ramp is not None:
        spectrum *= ramp
    if envelope is not None and layer.gold is not None:
        gold = frame.pad(layer.gold.potential_V * layer.gold.path_A)
        spectrum += scipy.fft.fft2(gold) * (1 - envelope)
    return scipy.fft.ifft2(spectrum, overwrite_x=True).real


def _transmit(
    potential: NDArray[np.float64], layer: Layer, frame: Frame, optics: Optics
) -> NDArray[np.complex128]:
    """Return the factor by which a layer changes the wave."""
    fraction = optics.amplitude_contrast
    sigma = interaction_constant(optics.voltage_kV)
    loss = (-fraction * sigma) * potential
    if layer.gold is not None and layer.gold.path_A.any():
        path = frame.pad(layer.gold.path_A)
        free = gold_mean_free_path(optics.voltage_kV)
        loss += (fraction * sigma * layer.gold.potential_V - 0.5 / free) * path
    return np.exp(loss + 1j * (math.sqrt(1 - fraction**2) * sigma) * potential)


def _propagate(
    wave: NDArray[np.complex128], distance_A: float, pixel_size_A: float, optics: Optics
) -> NDArray[np.complex128]:
    """Return the wave further down the beam: its spectrum times ``exp(−iπλ d k²)``."""
    ky, kx = frequency_grid(wave.shape, pixel_size_A)
    factor = -1j * math.pi * wavelength(optics.voltage_kV) * distance_A
    spectrum = scipy.fft.fft2(wave, overwrite_x=True)
    spectrum *= np.exp(factor * ky**2)
    spectrum *= np.exp(factor * kx**2)
    return scipy.fft.ifft2(spectrum, overwrite_x=True)
