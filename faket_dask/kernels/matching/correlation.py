"""Locally normalised correlation of a block with a template in many orientations.

Roseman, Ultramicroscopy 94, 225 (2003): the correlation coefficient of template and block within a mask about each
voxel. With the weights M of the mask,

    c(x) = Σ_u M(u) (t(u) − t̄) (f(x + u) − f̄(x)) / sqrt(Σ_u M(u) (t(u) − t̄)² · Σ_u M(u) (f(x + u) − f̄(x))²),

where both means are weighted by M. It lies in [−1, 1]. A mask that is a sphere is the same in all orientations, so the
local mean and power of the block are computed once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from faket_dask.kernels.matching.turning import TurnableTemplate

_FLAT = 1e-6
"""Local power over that of the whole block below which a place is flat and scores 0."""


class BestMatch(NamedTuple):
    """Best orientation of each voxel.

    Parameters
    ----------
    score
        ``(z, y, x)`` float32: highest score of all orientations.
    orientation
        ``(z, y, x)`` int32: index of the orientation that has it.
    opposite
        ``(z, y, x)`` float32: highest score of a template of the opposite contrast, which is the lowest one negated.
    """

    score: NDArray[np.float32]
    orientation: NDArray[np.int32]
    opposite: NDArray[np.float32]


def correlate_block(
    block: NDArray[np.generic],
    template: TurnableTemplate,
    rotations: NDArray[np.float64],
    first: int = 0,
    *,
    device: str = "cpu",
) -> BestMatch:
    """Compare a block with a template in some orientations.

    Parameters
    ----------
    block
        ``(z, y, x)`` with a margin of ``template.reach`` voxels on each side.
    template
        Density, mask and transfer function.
    rotations
        ``(n, 3, 3)`` matrices, particle to specimen.
    first
        Index of the first of them among all orientations.
    device
        ``"cpu"`` (one thread), or an accelerator by PyTorch's name: the same up to rounding. Untested on accelerators.

    Returns
    -------
    best
        Scores and orientations of the block without its margin; of equal scores, the one of the lower index. Where the
        block is flat the score is 0.

    Raises
    ------
    ValueError
        If the block is no larger than its margins, or not finite, or there are no orientations.
    """
    reach = template.reach
    if block.ndim != 3 or min(block.shape) <= 2 * reach:
        raise ValueError(
            f"block must be a (z, y, x) array of more than {2 * reach} voxels, got {block.shape}"
        )
    if not len(rotations):
        raise ValueError("there must be at least one orientation")
    values = np.asarray(block, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("block must be finite, and holds NaN or infinity")
    values = values - values.mean()
    inverse_power = _invert_local_power(values, template.mask())
    if device != "cpu":
        from faket_dask.kernels.matching.correlation_torch import correlate_on_device

        return BestMatch(*correlate_on_device(values, inverse_power, template, rotations, first, device))
    shape = tuple(scipy.fft.next_fast_len(size, real=True) for size in values.shape)
    spectrum = scipy.fft.rfftn(values.astype(np.float32), shape)
    score = np.full(inverse_power.shape, -np.inf, np.float32)
    orientation = np.full(inverse_power.shape, first, np.int32)
    opposite = np.full(inverse_power.shape, -np.inf, np.float32)
    for index, rotation in enumerate(rotations):
        turned = _transform_template(template.turn(rotation), shape)
        np.conjugate(turned, out=turned)
        turned *= spectrum
        core = _return_core(turned, shape, score.shape)
        _keep_best(score, orientation, opposite, core, inverse_power, first + index)
    return BestMatch(score, orientation, opposite)


def _invert_local_power(values: NDArray[np.float64], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the reciprocal root of the weighted local power at each voxel without the margin, 0 where it is flat."""
    shape = tuple(scipy.fft.next_fast_len(size, real=True) for size in values.shape)
    core = tuple(size - mask.shape[0] + 1 for size in values.shape)
    window = np.conj(scipy.fft.rfftn(mask.astype(np.float64), shape))
    inside = tuple(slice(0, size) for size in core)
    total = scipy.fft.irfftn(scipy.fft.rfftn(values, shape) * window, shape)[inside]
    squares = scipy.fft.irfftn(scipy.fft.rfftn(values**2, shape) * window, shape)[inside]
    weight = float(mask.sum(dtype=np.float64))
    power = squares - total**2 / weight
    has_detail = power > _FLAT * weight * max(float(np.mean(values**2)), np.finfo(np.float64).tiny)
    return np.where(has_detail, 1 / np.sqrt(np.where(has_detail, power, 1.0)), 0.0).astype(np.float32)


def _transform_template(turned: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """Return the spectrum of a small template in a large block, axis by axis: rows of zeros are not transformed."""
    rows = scipy.fft.rfft(turned, shape[2], axis=2)
    planes = scipy.fft.fft(rows, shape[1], axis=1, overwrite_x=True)
    return np.asarray(scipy.fft.fft(planes, shape[0], axis=0, overwrite_x=True))


def _return_core(
    product: NDArray[np.complex64], shape: tuple[int, ...], core: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the part of an inverse transform that no voxel has wrapped around into."""
    columns = scipy.fft.ifft(product, axis=0, overwrite_x=True)[: core[0]]
    planes = scipy.fft.ifft(columns, axis=1, overwrite_x=True)[:, : core[1]]
    return np.asarray(scipy.fft.irfft(planes, shape[2], axis=2)[:, :, : core[2]])


@njit(cache=True, nogil=True)
def _keep_best(
    score: NDArray[np.float32],
    orientation: NDArray[np.int32],
    opposite: NDArray[np.float32],
    correlation: NDArray[np.float32],
    inverse_power: NDArray[np.float32],
    index: int,
) -> None:
    for k in range(score.shape[0]):
        for j in range(score.shape[1]):
            for i in range(score.shape[2]):
                value = correlation[k, j, i] * inverse_power[k, j, i]
                opposite[k, j, i] = max(opposite[k, j, i], -value)
                if value > score[k, j, i]:
                    score[k, j, i] = value
                    orientation[k, j, i] = index
