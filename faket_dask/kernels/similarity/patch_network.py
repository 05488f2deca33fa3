"""Small 3-D convolutional network that tells patches of two tomograms apart, on the CPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import torch
from numpy.typing import NDArray
from torch import nn

from faket_dask.kernels.moments import standardise
from faket_dask.kernels.similarity.tomogram_patches import SMOOTHING_PX

_CHANNELS = (8, 16, 32)
_BATCH = 32
_RATE = 4e-3


@dataclass(frozen=True)
class PatchNetwork:
    """Judge for `faket_dask.kernels.similarity.discrimination`.

    Three convolutions, then the mean over the patch. Patches are mirrored at random along all three axes while it
    learns, which leaves the places of objects of no use.

    Parameters
    ----------
    seed
        Seed of weights and order.
    steps
        Least number of steps, each on 32 patches; all patches are used equally often.
    """

    seed: int = 0
    steps: int = 120

    def __call__(
        self, first: NDArray[np.floating], second: NDArray[np.floating], judged: NDArray[np.floating]
    ) -> NDArray[np.bool_]:
        """Learn from ``(patch, z, y, x)`` of two sets, and tell which of the judged belong to the second."""
        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = _build()
        images = torch.cat([_smooth(first), _smooth(second)])
        second_set = torch.cat([torch.zeros(len(first)), torch.ones(len(second))])
        weights = torch.where(second_set > 0, len(first) / len(second), 1.0)
        optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
        epochs = -(-self.steps * _BATCH // len(images))
        batches = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(epochs)]).split(
            _BATCH
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=len(batches))
        for chosen in batches:
            mirrored = [axis for axis in (2, 3, 4) if torch.rand((), generator=generator) < 0.5]
            logits = network(images[chosen].flip(mirrored))[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, second_set[chosen], weights[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            logits = [network(batch)[:, 0] for batch in _smooth(judged).split(_BATCH)]
            return np.asarray((torch.cat(logits) > 0).numpy())


def _smooth(patches: NDArray[np.floating]) -> torch.Tensor:
    """Return ``(patch, size, z, y, x)``, each patch seen through Gaussians of several sizes and standardised."""
    smoothed = np.empty((len(patches), len(SMOOTHING_PX), *patches.shape[1:]), dtype=np.float32)
    for images, patch in zip(smoothed, patches, strict=True):
        for image, size in zip(images, SMOOTHING_PX, strict=True):
            image[:] = standardise(scipy.ndimage.gaussian_filter(patch, size) if size else patch)
    return torch.as_tensor(smoothed)


def _build() -> nn.Sequential:
    layers: list[nn.Module] = []
    before = len(SMOOTHING_PX)
    for channels in _CHANNELS:
        layers += [
            nn.Conv3d(before, channels, 3, stride=(1, 2, 2) if not layers else 2, padding=1, bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(),
        ]
        before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(before, 1))
