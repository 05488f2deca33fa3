"""Fourier coefficients that an alignment sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_between
from faket_dask.kernels.matching.template_filter import is_direction_sampled


@dataclass(frozen=True, eq=False)
class Band:
    """Fourier coefficients of a cube that two volumes are compared at.

    Parameters
    ----------
    edge
        Voxels along an edge of the cube.
    index
        ``(m,)`` places in the flat array that ``rfftn`` returns.
    frequency
        ``(m, 3)`` frequencies ``(x, y, z)`` in cycles per voxel.
    weight
        ``(m,)`` factors of the coefficients, by default 1.
    """

    edge: int
    index: NDArray[np.intp]
    frequency: NDArray[np.float64]
    weight: NDArray[np.float32] = field(default_factory=lambda: np.ones(1, np.float32))

    def __len__(self) -> int:
        return len(self.index)

    def whiten(self, volumes: NDArray[np.floating]) -> Band:
        """Return a band in which the mean power of volumes ``(n, edge, edge, edge)`` is the same in all shells.

        Where the volumes are mostly noise, the correlation of coefficients with these weights tells most.
        """
        power = np.zeros(len(self))
        for volume in volumes:
            real, imaginary = np.split(replace(self, weight=np.ones(1, np.float32)).take(volume), 2)
            power += real.astype(np.float64) ** 2 + imaginary.astype(np.float64) ** 2
        shell = np.rint(np.linalg.norm(self.frequency, axis=1) * self.edge).astype(np.intp)
        mean = np.bincount(shell, power / len(volumes)) / np.maximum(np.bincount(shell), 1)
        weight = np.divide(1.0, np.sqrt(mean), out=np.zeros_like(mean), where=mean > 0)
        return replace(self, weight=weight[shell].astype(np.float32))

    def take(self, volume: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the coefficients ``(2 m,)`` of a cube, the real parts first."""
        return self.select(scipy.fft.rfftn(volume.astype(np.float32, copy=False)))

    def select(self, spectrum: NDArray[np.complexfloating]) -> NDArray[np.float32]:
        """Return the coefficients ``(2 m,)`` of a spectrum as ``rfftn`` returns it, the real parts first."""
        chosen = spectrum.ravel()[self.index] * self.weight
        return np.concatenate((chosen.real, chosen.imag)).astype(np.float32, copy=False)

    def shift(self, coefficients: NDArray[np.float32], shifts: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the coefficients of a volume that is moved back by shifts.

        Parameters
        ----------
        coefficients
            ``(2 m,)`` as `take` returns them.
        shifts
            ``(s, 3)`` voxels ``(x, y, z)``: where the volume lies off its middle.

        Returns
        -------
        moved
            ``(2 m, s)`` float32.
        """
        real, imaginary = np.split(coefficients, 2)
        phase = np.exp(2j * np.pi * self.frequency @ shifts.T).astype(np.complex64)
        moved = (real + 1j * imaginary)[:, None] * phase
        return np.concatenate((moved.real, moved.imag))


def choose_band(
    edge: int,
    limit: float,
    tilt_angles: Sequence[float] = (),
    measured: NDArray[np.bool_] | None = None,
) -> Band:
    """Choose the coefficients up to a frequency that a tilt-series has measured, each of a conjugate pair once.

    The mean of the volume is left out.

    Parameters
    ----------
    edge
        Voxels along an edge of the cube.
    limit
        Highest frequency in cycles per voxel, at most 0.5.
    tilt_angles
        Degrees of the tilts; none where all directions are measured.
    measured
        ``(edge, edge, edge // 2 + 1)``, false for further coefficients to leave out.

    Raises
    ------
    ValueError
        If the limit is out of range, or so low that no coefficient is left.

    Examples
    --------
    >>> len(choose_band(16, 0.25)), len(choose_band(16, 0.25, [-60, 60]))
    (128, 84)
    """
    check_between("limit", limit, 0.0, 0.5)
    full, half = np.fft.fftfreq(edge), np.fft.rfftfreq(edge)
    kz, ky, kx = np.meshgrid(full, full, half, indexing="ij")
    radius = np.sqrt(kx**2 + ky**2 + kz**2)
    is_first = (kx > 0) | (ky > 0) | (ky == 0) & (kz > 0)
    is_paired = (np.abs(kz) < 0.5) & (np.abs(ky) < 0.5) & (kx < 0.5)
    chosen = (radius > 0) & (radius <= limit) & is_first & is_paired
    if len(tilt_angles):
        chosen &= is_direction_sampled(kz, kx, tilt_angles) | (kz == 0) & (kx == 0)
    if measured is not None:
        chosen &= measured
    if not chosen.any():
        raise ValueError(
            f"no coefficient of {edge} voxels lies below {limit:g} cycles per voxel; raise the limit"
        )
    return Band(
        edge,
        np.flatnonzero(chosen),
        np.stack((kx[chosen], ky[chosen], kz[chosen]), axis=1).astype(np.float64),
    )
