"""DeepFinder as a picker network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class DeepFinderNetwork:
    """DeepFinder's U-Net; see `faket_dask.kernels.picking.deepfinder.DeepFinder`."""

    stride: int = 4

    def create(self, classes: int, width: float, generator: np.random.Generator) -> nn.Module:
        """Return the network with random weights."""
        from faket_dask.kernels.picking.deepfinder import DeepFinder

        return DeepFinder(classes, width, generator)

    def count_activations(self, classes: int, width: float) -> float:
        """Estimate the numbers per voxel: features of all scales, doubled ones and those side by side."""
        fine, middle, coarse = (channels * width for channels in (32, 48, 64))
        finest = 5 * fine + 3 * middle + 2 * classes
        return finest + (5 * middle + 4 * coarse) / 8 + 5 * coarse / 64


DEEPFINDER = DeepFinderNetwork()
