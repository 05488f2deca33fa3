"""Templates: the density of one particle in one conformation, its surface and its extent.

Label and density of a particle come from one and the same interpolated value: a voxel is labelled where the
rotated density reaches the template's ``level``. They cannot be out of register.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.composition import MOLECULAR_VOLUME_A3_PER_DA

OVERSAMPLING = 2
"""Voxels of a template per voxel of the specimen that it is rendered into.

A template holds little beyond the specimen's Nyquist frequency, so trilinear interpolation costs it little.
"""


class Sampling(Enum):
    """Frequencies of a particle that its voxels keep.

    `AVERAGED`: voxels hold the average over their cube. A Gaussian stands for the cube, in which no direction is
    preferred; its response is that of a square pixel to 2 % up to 0.9 of Nyquist. Frequencies beyond Nyquist, which
    voxels would fold onto others, are left out, and what interpolation between the template's voxels attenuates is
    amplified in the template.

    `SMOOTHED`: voxels hold the average over a Gaussian of half a voxel, interpolated. At 0.9 of Nyquist less than half
    of the amplitude in a pixel is left. It goes with the bilinear projection of the published method.

    Examples
    --------
    >>> Sampling.AVERAGED.blur, Sampling.SMOOTHED.blur
    (0.295, 0.5)
    """

    AVERAGED = "averaged"
    SMOOTHED = "smoothed"

    @property
    def blur(self) -> float:
        """Standard deviation, in voxels of the specimen, of the Gaussian that particles are blurred with."""
        return {Sampling.AVERAGED: 0.295, Sampling.SMOOTHED: 0.5}[self]

    def limit(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the density ``(n, n, n)`` of a template without the frequencies that voxels do not keep."""
        return _filter(density, _limit_band) if self is Sampling.AVERAGED else density

    def prepare(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the samples ``(n, n, n)`` between which the density of a template is interpolated linearly."""
        return _filter(density, _undo_interpolation) if self is Sampling.AVERAGED else density


_BAND = (0.5, 0.6)
"""Frequencies in cycles per voxel of the specimen between which a template fades; a steeper edge would ring longer."""


def _limit_band(kz: float, ky: NDArray[np.floating], kx: NDArray[np.floating]) -> NDArray[np.floating]:
    radius = np.sqrt(kz**2 + ky**2 + kx**2) * OVERSAMPLING
    return np.cos(np.pi / 2 * np.clip((radius - _BAND[0]) / (_BAND[1] - _BAND[0]), 0.0, 1.0)) ** 2


def _undo_interpolation(
    kz: float, ky: NDArray[np.floating], kx: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return the inverse of sinc² along each axis, by which linear interpolation attenuates at random places."""
    return np.asarray(1 / (np.sinc(kz) * np.sinc(ky) * np.sinc(kx)) ** 2)


def _filter(
    density: NDArray[np.float32],
    response: Callable[[float, NDArray[np.floating], NDArray[np.floating]], NDArray[np.floating]],
) -> NDArray[np.float32]:
    """Multiply the spectrum of a cube by a response to its frequencies ``(kz, ky, kx)`` in cycles per voxel."""
    edge = density.shape[0]
    k = np.fft.fftfreq(edge)
    spectrum = scipy.fft.rfftn(density)
    for layer, kz in enumerate(k):
        spectrum[layer] *= response(kz, k[:, None], np.fft.rfftfreq(edge)).astype(np.float32)
    return scipy.fft.irfftn(spectrum, density.shape, overwrite_x=True)


LARGEST_EDGE = 800
"""Most points along an edge of the grids that a template is made on: 4 GiB in double precision."""


def check_edge(name: str, edge: int, spacing_A: float) -> None:
    """Refuse a grid that is too large, before it is allocated.

    Raises
    ------
    InputError
        Naming the particle and the extent of the grid.

    Examples
    --------
    >>> check_edge("a.pdb", 7680, 5.0)
    Traceback (most recent call last):
    faket_dask.errors.InputError: a.pdb: in a cube of 38400 Å its density takes 7680 points of 5 Å along each edge, and
    at most 800 are possible; check its size and acquisition.pixel_size_A
    """
    if edge > LARGEST_EDGE:
        raise InputError(
            f"{name}: in a cube of {edge * spacing_A:g} Å its density takes {edge} points of {spacing_A:g} Å along "
            f"each edge, and at most {LARGEST_EDGE} are possible; check its size and acquisition.pixel_size_A"
        )


@dataclass(frozen=True, eq=False)
class Template:
    """Density of one particle about its centre.

    Parameters
    ----------
    name
        Source of the density, for messages.
    density
        ``(n, n, n)`` float32, axes ``(z, y, x)``, volts over ice; the particle's centre is voxel ``n // 2``.
    voxel_size_A
        Edge of the template's own voxels in Å.
    level_V
        Density in volts from which on a point belongs to the particle.
    radius_A
        Distance of the farthest labelled point from the centre, in Å.
    support_A
        Radius in Å of the sphere about the centre outside which the density counts as zero.
    mass_Da
        Mass in dalton: of the atoms, of the potential of a map, or of protein that fills the labelled part.
    centre_A
        ``(x, y, z)`` in Å of the particle's centre in the frame of its source.
    """

    name: str
    density: NDArray[np.float32]
    voxel_size_A: float
    level_V: float
    radius_A: float
    support_A: float
    mass_Da: float
    centre_A: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    @property
    def volume_A3(self) -> float:
        """Volume of the labelled part in Å³."""
        return float(np.count_nonzero(self.density >= self.level_V)) * self.voxel_size_A**3

    @property
    def molecular_volume_A3(self) -> float:
        """Volume in Å³ that a molecule of that mass takes, less than that of its label at low resolution."""
        return MOLECULAR_VOLUME_A3_PER_DA * self.mass_Da


def surface_level(density: NDArray[np.float32]) -> float:
    """Compute the density at a particle's surface: half of the mean density inside it, with ice at zero.

    Parameters
    ----------
    density
        Array of any shape, volts over ice.

    Returns
    -------
    level
        Fixed point of "half the mean of everything above", in volts.

    Raises
    ------
    InputError
        If nothing is denser than ice.

    Examples
    --------
    >>> surface_level(np.array([0.0, 0.0, 3.0, 3.0], dtype=np.float32))
    1.5
    """
    positive = density[density > 0].astype(np.float64)
    if positive.size == 0:
        raise InputError("nothing in this density is denser than ice; is its contrast inverted?")
    level = 0.5 * positive.max()
    for _ in range(100):
        updated = 0.5 * positive[positive >= level].mean()
        if abs(updated - level) <= 1e-6 * level:
            break
        level = updated
    return float(level)


def labelled_points(density: NDArray[np.float32], level_V: float, voxel_size_A: float) -> NDArray[np.float64]:
    """Find the positions ``(k, 3)``, ``(x, y, z)`` in Å from voxel ``n // 2``, where the density reaches a level.

    Examples
    --------
    >>> density = np.zeros((4, 4, 4), dtype=np.float32)
    >>> density[2, 3, 1] = 1
    >>> labelled_points(density, 0.5, 10.0)
    array([[-10.,  10.,   0.]])
    """
    return (np.argwhere(density >= level_V) - np.array(density.shape) // 2)[:, ::-1] * voxel_size_A


def centred_template(
    name: str,
    sample: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    voxel_size_A: float,
    sampling: Sampling,
) -> Template:
    """Make a template whose centre is the centroid of its labelled part.

    Parameters
    ----------
    name
        Source of the density, for messages.
    sample
        Function of an ``(x, y, z)`` offset in Å that returns the density ``(n, n, n)`` in volts with that point of
        the particle at voxel ``n // 2``.
    voxel_size_A
        Edge of the voxels that ``sample`` returns, in Å.
    sampling
        Frequencies that the specimen's voxels keep.

    Returns
    -------
    template
        Template for rendering and packing.

    Raises
    ------
    InputError
        If the density is nowhere above that of ice.
    """
    offset = np.zeros(3)
    for _ in range(2):
        density = sampling.limit(sample(offset))
        level = surface_level(density)
        offset = offset + labelled_points(density, level, voxel_size_A).mean(axis=0)
    return template_about(offset, name, sample, voxel_size_A, sampling)


def template_about(
    centre_A: NDArray[np.float64],
    name: str,
    sample: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    voxel_size_A: float,
    sampling: Sampling,
) -> Template:
    """Make a template about a given point of the particle.

    Parameters
    ----------
    centre_A
        ``(x, y, z)`` in Å.
    name, sample, voxel_size_A, sampling
        As for :func:`centred_template`.

    Returns
    -------
    template
        Template for rendering and packing.

    Raises
    ------
    InputError
        If the density is nowhere above that of ice.
    """
    density = np.ascontiguousarray(sampling.limit(sample(centre_A)), dtype=np.float32)
    level = surface_level(density)
    points = labelled_points(density, level, voxel_size_A)
    faint = labelled_points(np.abs(density), 0.01 * float(density.max()), voxel_size_A)
    padding = voxel_size_A * np.sqrt(3) / 2
    inscribed = (density.shape[0] // 2 - 1) * voxel_size_A
    return Template(
        name=name,
        centre_A=centre_A,
        density=sampling.prepare(density),
        voxel_size_A=voxel_size_A,
        level_V=level,
        radius_A=float(np.linalg.norm(points, axis=1).max() + padding),
        mass_Da=len(points) * voxel_size_A**3 / MOLECULAR_VOLUME_A3_PER_DA,
        support_A=float(min(np.linalg.norm(faint, axis=1).max() + 2 * voxel_size_A, inscribed)),
    )
