"""Average of particles, each Fourier coefficient over those that have measured it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.averaging.finer import FINENESS, sample_finer
from faket_dask.kernels.averaging.pose_search import Poses
from faket_dask.kernels.matching.template_filter import is_direction_sampled
from faket_dask.kernels.matching.turning import turn_density

LEAST_SHARE = 0.1
"""Share of the most often measured coefficient's weight that a coefficient needs to count as measured."""


class WedgeSum(NamedTuple):
    """Sum of particles in the frame of the reference.

    `total` ``(n, n, n // 2 + 1)`` complex64 is the sum of the coefficients that were measured, `weight` float32 of the
    same shape how many particles have measured each.
    """

    total: NDArray[np.complex64]
    weight: NDArray[np.float32]

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Coefficients that enough particles have measured."""
        return np.asarray(self.weight >= max(1.0, LEAST_SHARE * float(self.weight.max())))

    def divide(self) -> NDArray[np.complex64]:
        """Return the spectrum of the average, 0 where it was not measured."""
        measured = self.measured
        return np.divide(self.total, self.weight, out=np.zeros_like(self.total), where=measured)

    def average(self) -> NDArray[np.float32]:
        """Return the average ``(n, n, n)``."""
        edge = self.total.shape[0]
        return np.asarray(scipy.fft.irfftn(self.divide(), (edge,) * 3), dtype=np.float32)


def sum_particles(boxes: NDArray[np.floating], poses: Poses, tilt_angles: Sequence[float] = ()) -> WedgeSum:
    """Turn particles into the frame of the reference and add them up.

    Parameters
    ----------
    boxes
        ``(n, edge, edge, edge)`` with an even edge.
    poses
        Pose of each particle.
    tilt_angles
        Degrees of the tilts; none where all directions are measured.

    Returns
    -------
    sums
        A coefficient of a particle counts where its frequency, turned into the specimen, lies between the tilts.
    """
    edge = boxes.shape[-1]
    full, half = np.fft.fftfreq(edge), np.fft.rfftfreq(edge)
    kz, ky, kx = np.meshgrid(full, full, half, indexing="ij")
    total = np.zeros(kz.shape, np.complex64)
    weight = np.zeros(kz.shape, np.float32)
    for box, rotation, shift in zip(boxes, poses.rotation, poses.shift, strict=True):
        spectrum = scipy.fft.rfftn(np.asarray(box, dtype=np.float32))
        spectrum *= np.exp(2j * np.pi * (kx * shift[0] + ky * shift[1] + kz * shift[2])).astype(np.complex64)
        turned = turn_density(sample_finer(spectrum), np.ascontiguousarray(rotation), float(FINENESS), edge)
        sampled = np.ones(kz.shape, np.bool_)
        if len(tilt_angles):
            x, z = (rotation[row, 0] * kx + rotation[row, 1] * ky + rotation[row, 2] * kz for row in (0, 2))
            sampled = is_direction_sampled(z, x, tilt_angles) | (x == 0) & (z == 0)
        total += scipy.fft.rfftn(turned) * sampled
        weight += sampled
    return WedgeSum(total, weight)


def add_sums(sums: Iterable[WedgeSum]) -> WedgeSum:
    """Add up sums of groups of particles, in their order."""
    first, *others = sums
    total, weight = first.total.copy(), first.weight.copy()
    for other in others:
        total += other.total
        weight += other.weight
    return WedgeSum(total, weight)
