"""Locally normalised correlation on an accelerator. Untested on one; the CPU device of PyTorch is tested."""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from faket_dask.kernels.matching.turning import TurnableTemplate


def correlate_on_device(
    values: NDArray[np.float64],
    inverse_power: NDArray[np.float32],
    template: TurnableTemplate,
    rotations: NDArray[np.float64],
    first: int,
    device: str,
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Compare a block of mean 0 with a template in some orientations.

    Parameters
    ----------
    values
        ``(z, y, x)`` with margins.
    inverse_power
        Reciprocal root of the local power, without margins.
    template, rotations, first, device
        As for `faket_dask.kernels.matching.correlation.correlate_block`. Templates are turned on the CPU.

    Returns
    -------
    score, orientation, opposite
        Arrays without margins, as in `BestMatch`.
    """
    shape = tuple(scipy.fft.next_fast_len(size, real=True) for size in values.shape)
    spectrum = torch.fft.rfftn(torch.from_numpy(values.astype(np.float32)).to(device), s=shape)
    scale = torch.from_numpy(inverse_power).to(device)
    depth, height, width = inverse_power.shape
    score = torch.full(inverse_power.shape, -torch.inf, dtype=torch.float32, device=device)
    orientation = torch.full(inverse_power.shape, first, dtype=torch.int32, device=device)
    opposite = torch.full_like(score, -torch.inf)
    for index, rotation in enumerate(rotations):
        turned = torch.from_numpy(template.turn(rotation)).to(device)
        product = spectrum * torch.conj(torch.fft.rfftn(turned, s=shape))
        correlation = torch.fft.irfftn(product, s=shape)[:depth, :height, :width] * scale
        opposite = torch.maximum(opposite, -correlation)
        is_better = correlation > score
        score = torch.where(is_better, correlation, score)
        orientation = torch.where(is_better, first + index, orientation)
    return score.cpu().numpy(), orientation.to(torch.int32).cpu().numpy(), opposite.cpu().numpy()
