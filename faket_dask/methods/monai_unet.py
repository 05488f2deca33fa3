"""Residual U-Net of MONAI as a picker network; the package `monai` is optional."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from faket_dask.errors import InputError

if TYPE_CHECKING:
    from torch import nn

CHANNELS = (32, 64, 128, 256)
"""Channels of the four scales at full width."""


@dataclass(frozen=True)
class MonaiUNet:
    """`monai.networks.nets.UNet` of four scales with two residual units each and instance normalisation."""

    stride: int = 8

    def create(self, classes: int, width: float, generator: np.random.Generator) -> nn.Module:
        """Return the network with random weights.

        Raises
        ------
        InputError
            If MONAI is not installed.
        """
        try:
            from monai.networks.nets import UNet
        except ImportError:
            raise InputError(
                "the picker network monai-unet needs the package MONAI; install it with `pip install "
                "'faket_dask[monai]'`, or use deepfinder"
            ) from None
        from faket_dask.kernels.picking.deepfinder import initialise_glorot

        network = UNet(
            spatial_dims=3,
            in_channels=1,
            out_channels=classes,
            channels=[max(1, round(channels * width)) for channels in CHANNELS],
            strides=[2] * (len(CHANNELS) - 1),
            num_res_units=2,
        )
        initialise_glorot(network, generator)
        return network

    def count_activations(self, classes: int, width: float) -> float:
        """Estimate the numbers per voxel: about six of each channel at every scale."""
        scales = sum(channels * width / 8 ** (scale + 1) for scale, channels in enumerate(CHANNELS))
        return 12 * scales + 6 * classes


MONAI_UNET = MonaiUNet()
