"""Losses between scores and labels, and the soft Dice coefficient that they are judged by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

_SMALLEST = 1e-12
"""Bound on denominators, for classes of which there is neither a label nor a score."""


def soft_dice(scores: Tensor, channels: Tensor) -> Tensor:
    """Compute the soft Dice coefficient of each class over all voxels of a batch.

    With the softmax p of the scores and 1 or 0 as the truth g, TP = Σ p g, FP = Σ p (1 − g), FN = Σ (1 − p) g, and the
    coefficient is 2 TP / (2 TP + FP + FN) = 2 Σ p g / (Σ p + Σ g) (Moebel et al., Nature Methods 18, 1386, 2021).

    Parameters
    ----------
    scores
        ``(batch, class, z, y, x)`` before the softmax, of any precision.
    channels
        ``(batch, z, y, x)`` int64: channel of each voxel's class.

    Returns
    -------
    dice
        ``(class,)`` float32, from 0 to 1; 0 for a class without voxels.

    Examples
    --------
    >>> scores = torch.tensor([[[[[0.0, 0.0]]], [[[0.0, 0.0]]]]])
    >>> soft_dice(scores, torch.tensor([[[[0, 1]]]]))
    tensor([0.5000, 0.5000])
    """
    coefficients = []
    # The truth is made for one class at a time: all at once would take the memory of the scores again.
    for channel, share in enumerate(scores.float().softmax(dim=1).unbind(dim=1)):
        truth = (channels == channel).float()
        total = (share.sum() + truth.sum()).clamp_min(_SMALLEST)
        coefficients.append(2 * (share * truth).sum() / total)
    return torch.stack(coefficients)


def dice_loss(dice: Tensor) -> Tensor:
    """Return the number of classes less the sum of their Dice coefficients.

    Parameters
    ----------
    dice
        ``(class,)`` from `soft_dice`.
    """
    return dice.numel() - dice.sum()


def cross_entropy_loss(scores: Tensor, channels: Tensor) -> Tensor:
    """Return the mean negative logarithm of the softmax of the true class.

    Parameters
    ----------
    scores, channels
        As for `soft_dice`.
    """
    return cross_entropy(scores.float(), channels)
