"""Picker networks: networks that give each voxel of a tomogram a score for each class of objects.

A package adds one by an entry point of the group ``faket_dask.picker_networks`` that names a `PickerNetwork`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from faket_dask.registry import Registry

if TYPE_CHECKING:
    from torch import nn


class PickerNetwork(Protocol):
    """One kind of network, without its weights."""

    @property
    def stride(self) -> int:
        """Number that all sizes of its input are multiples of."""
        ...

    def create(self, classes: int, width: float, generator: np.random.Generator) -> nn.Module:
        """Return a network with random weights, on the CPU.

        It takes patches ``(batch, 1, z, y, x)`` float32 and returns scores ``(batch, class, z, y, x)`` before the
        softmax.

        Parameters
        ----------
        classes
            Number of classes, background included.
        width
            Factor of the number of channels; 1 is the published network.
        generator
            Random numbers of the start.

        Raises
        ------
        InputError
            If a package that it needs is not installed.
        """
        ...

    def count_activations(self, classes: int, width: float) -> float:
        """Estimate how many numbers it makes per voxel of its input, all of which are kept for the backward pass."""
        ...


PICKER_NETWORKS: Registry[PickerNetwork] = Registry(
    "faket_dask.picker_networks",
    "picker network",
    {
        "deepfinder": "faket_dask.methods.deepfinder:DEEPFINDER",
        "monai-unet": "faket_dask.methods.monai_unet:MONAI_UNET",
    },
)
"""Picker networks by the names of configurations."""
