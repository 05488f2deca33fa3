"""DeepFinder's network (Moebel et al., Nature Methods 18, 1386, 2021): a small U-Net of three scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool3d, pad

CHANNELS = (32, 48, 64)
"""Channels of the three scales, from the finest, at full width."""


class LayerShape(NamedTuple):
    """Shape of one convolution.

    Parameters
    ----------
    inputs, outputs
        Number of channels.
    side
        Edge of the kernel in voxels.
    """

    inputs: int
    outputs: int
    side: int

    @property
    def parameters(self) -> int:
        """Number of weights and biases.

        Examples
        --------
        >>> LayerShape(1, 32, 3).parameters
        896
        """
        return self.outputs * (self.inputs * self.side**3 + 1)


def scale_channels(width: float) -> tuple[int, int, int]:
    """Return the channels of the three scales at a width.

    Examples
    --------
    >>> scale_channels(0.5)
    (16, 24, 32)
    """
    fine, middle, coarse = (max(1, round(channels * width)) for channels in CHANNELS)
    return fine, middle, coarse


def list_layers(classes: int, width: float = 1.0) -> list[LayerShape]:
    """List all convolutions in the order in which data flows through them, which is that of Keras' weights.

    Parameters
    ----------
    classes
        Number of classes, background included.
    width
        Factor of the number of channels.

    Examples
    --------
    >>> sum(layer.parameters for layer in list_layers(16))
    903456
    """
    fine, middle, coarse = scale_channels(width)
    return [
        LayerShape(1, fine, 3),
        LayerShape(fine, fine, 3),
        LayerShape(fine, middle, 3),
        LayerShape(middle, middle, 3),
        LayerShape(middle, coarse, 3),
        *[LayerShape(coarse, coarse, 3)] * 3,
        LayerShape(coarse, coarse, 2),
        LayerShape(coarse + middle, middle, 3),
        LayerShape(middle, middle, 3),
        LayerShape(middle, middle, 2),
        LayerShape(middle + fine, fine, 3),
        LayerShape(fine, fine, 3),
        LayerShape(fine, classes, 1),
    ]


class SameConvolution(nn.Conv3d):
    """Convolution whose result has the size of its input, padded as Keras does.

    A kernel of an odd edge is padded alike at both ends, one of an even edge has one voxel more at the end of each
    axis: the result at voxel i of an edge 2 is from the voxels i and i + 1.
    """

    def __init__(self, shape: LayerShape) -> None:
        super().__init__(shape.inputs, shape.outputs, shape.side, padding=(shape.side - 1) // 2)
        self.extra = 1 - shape.side % 2

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``(batch, channel, z, y, x)``."""
        return super().forward(pad(input, (0, self.extra) * 3) if self.extra else input)


class DeepFinder(nn.Module):
    """Network from standardised patches to scores of the classes.

    Convolutions of 3³ with ReLU and no normalisation: two at the finest scale, two at the middle, four at the coarsest;
    then, twice, the nearest voxel at double size, a convolution of 2³, the result of the finer scale beside it, and two
    convolutions; at last one of 1³. Scales are halved by the largest of 2³ voxels.

    Parameters
    ----------
    classes
        Number of classes, background included.
    width
        Factor of the number of channels.
    generator
        Random numbers of the start: uniform by Glorot's rule, biases 0.
    """

    STRIDE = 4
    """Voxels of the input per voxel of the coarsest scale; patches are multiples of it."""

    RECEPTIVE_FIELD = 34
    """Largest distance of a voxel that bears upon another: 31 through the convolutions, 3 within pooled voxels."""

    def __init__(
        self, classes: int, width: float = 1.0, generator: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList([SameConvolution(shape) for shape in list_layers(classes, width)])
        initialise_glorot(self, np.random.default_rng(0) if generator is None else generator)

    def forward(self, patches: Tensor) -> Tensor:
        """Return scores before the softmax.

        Parameters
        ----------
        patches
            ``(batch, 1, z, y, x)``; sizes are multiples of `STRIDE`.

        Returns
        -------
        scores
            ``(batch, class, z, y, x)``.
        """
        fine = self._convolve(patches, 0, 2)
        middle = self._convolve(max_pool3d(fine, 2), 2, 4)
        coarse = self._convolve(max_pool3d(middle, 2), 4, 8)
        middle = self._convolve(self._merge(coarse, 8, middle), 9, 11)
        fine = self._convolve(self._merge(middle, 11, fine), 12, 14)
        return self.layers[14](fine)

    def _convolve(self, features: Tensor, first: int, stop: int) -> Tensor:
        for layer in self.layers[first:stop]:
            features = layer(features).relu_()  # in place: half of the memory
        return features

    def _merge(self, features: Tensor, layer: int, finer: Tensor) -> Tensor:
        """Double the size of features, and put those of the finer scale behind them."""
        doubled = interpolate(features, scale_factor=2.0, mode="nearest")
        return torch.cat([self._convolve(doubled, layer, layer + 1), finer], dim=1)

    def load_keras(self, weights: Sequence[NDArray[np.floating]]) -> None:
        """Take the weights of the same network in Keras.

        Parameters
        ----------
        weights
            Kernel ``(z, y, x, input, output)`` and bias ``(output,)`` of each convolution in turn, as Keras lists them.

        Raises
        ------
        ValueError
            If their number or shapes are others.
        """
        if len(weights) != 2 * len(self.layers):
            raise ValueError(f"there are {len(weights)} arrays, this network has {2 * len(self.layers)}")
        own, state = self.state_dict(), dict[str, Tensor]()
        for index in range(len(self.layers)):
            kernel, bias = (
                np.asarray(array, dtype=np.float32) for array in weights[2 * index : 2 * index + 2]
            )
            turned, name = np.ascontiguousarray(kernel.transpose(4, 3, 0, 1, 2)), f"layers.{index}.weight"
            if turned.shape != tuple(own[name].shape):
                raise ValueError(
                    f"kernel {index} has the shape {turned.shape} (output, input, z, y, x), this network's "
                    f"{tuple(own[name].shape)}"
                )
            state |= {name: torch.from_numpy(turned), f"layers.{index}.bias": torch.from_numpy(bias)}
        self.load_state_dict(state)


def initialise_glorot(network: nn.Module, generator: np.random.Generator) -> None:
    """Draw the weights of all convolutions uniformly by Glorot's rule, and set biases to 0.

    Weights lie within ±√(6 / (inputs + outputs)) of 0, both counted with the voxels of the kernel (Glorot & Bengio,
    AISTATS 2010). The numbers are NumPy's, so that they do not depend on the version of PyTorch.
    """
    for layer in network.modules():
        if not isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
            continue
        weight: Tensor = layer.weight
        outputs, inputs, *kernel = shape = tuple(weight.shape)
        limit = np.sqrt(6 / ((inputs + outputs) * np.prod(kernel)))
        drawn = generator.uniform(-limit, limit, shape).astype(np.float32)
        with torch.no_grad():
            weight.copy_(torch.from_numpy(drawn))
            if layer.bias is not None:
                layer.bias.zero_()
