"""The interface of networks whose activations describe style, and descriptions of their layers without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Precision = Literal["float32", "mixed", "bfloat16"]
"""Types of weights and activations: float32, partly bfloat16, or bfloat16."""


class Architecture(Protocol):
    """Layers of a network: how many channels they have, and which pixels of the image their activations see."""

    @property
    def name(self) -> str:
        """Name of the network."""
        ...

    @property
    def layers(self) -> int:
        """Number of layers; they are numbered from 0."""
        ...

    @property
    def alignment(self) -> int:
        """Pixels whose multiples a tile starts at, so that poolings fall on the same pixels as in the whole image."""
        ...

    def channels(self, layer: int) -> int:
        """Return the number of channels of a layer's activations."""
        ...

    def stride(self, layer: int) -> int:
        """Return the number of image pixels per activation of a layer, along either axis."""
        ...

    def reach(self, layer: int) -> int:
        """Return the number of pixels, to either side of its own, that an activation of a layer sees."""
        ...

    def is_stored(self, layer: int) -> bool:
        """Tell whether the backward pass needs a layer's output, whichever layers the loss uses."""
        ...

    def check(self, layers: Iterable[int]) -> None:
        """Refuse layers that do not exist.

        Raises
        ------
        ValueError
            Naming the first of them.
        """
        ...


@dataclass(frozen=True)
class SequentialArchitecture:
    """Layers of a chain of 3 x 3 convolutions, activation functions and poolings by 2.

    Parameters
    ----------
    name
        Name of the network.
    convolutions
        Input and output channels of each convolution, by layer.
    poolings
        Layers that pool.
    layers
        Number of layers.

    Examples
    --------
    >>> small = SequentialArchitecture("small", {0: (3, 8), 3: (8, 16)}, poolings=(2,), layers=5)
    >>> small.channels(4), small.stride(4), small.reach(4)
    (16, 2, 3)
    >>> small.alignment
    2
    """

    name: str
    convolutions: Mapping[int, tuple[int, int]]
    poolings: tuple[int, ...]
    layers: int

    @property
    def alignment(self) -> int:
        """Pixels whose multiples a tile starts at, so that poolings fall on the same pixels as in the whole image."""
        return int(2 ** len(self.poolings))

    def channels(self, layer: int) -> int:
        """Return the number of channels of a layer's activations."""
        self.check([layer])
        return self.convolutions[max(index for index in self.convolutions if index <= layer)][1]

    def stride(self, layer: int) -> int:
        """Return the number of image pixels per activation of a layer, along either axis."""
        self.check([layer])
        return int(2 ** sum(pooling <= layer for pooling in self.poolings))

    def reach(self, layer: int) -> int:
        """Return the number of pixels, to either side of its own, that an activation of a layer sees."""
        self.check([layer])
        return sum(self.stride(index) for index in self.convolutions if index <= layer)

    def is_stored(self, layer: int) -> bool:
        """Tell whether the backward pass needs a layer's output: those of activation functions alone."""
        return layer not in self.convolutions and layer not in self.poolings

    def check(self, layers: Iterable[int]) -> None:
        """Refuse layers that do not exist.

        Raises
        ------
        ValueError
            Naming the first of them.
        """
        for layer in layers:
            if not 0 <= layer < self.layers:
                raise ValueError(
                    f"there is no layer {layer}: {self.name} has the layers 0 to {self.layers - 1}"
                )


Visitor = Callable[[int, "Tensor"], None]
"""Function of a layer and its activations ``(1, C, y, x)``."""

Slope = Callable[[int, "Tensor", "Tensor"], None]
"""Function of a layer, its activations, and the gradient ``(1, C, y, x)``, to which it adds the layer's own part."""


class Network(Protocol):
    """A frozen network on one device, run forward and backward with respect to the image.

    Parameters of `forward` and `backward` are those of `faket_dask.kernels.vgg.VGG19`.
    """

    @property
    def architecture(self) -> Architecture:
        """Description of the layers."""
        ...

    @property
    def device(self) -> torch.device:
        """Device that images must lie on."""
        ...

    def forward(
        self, image: Tensor, layers: Collection[int], visit: Visitor | None = None, *, keep: bool = False
    ) -> Any:
        """Run an image ``(3, y, x)`` in [0, 1] through the network and return what `backward` needs."""
        ...

    def backward(self, trace: Any, slope: Slope) -> Tensor:
        """Return the gradient ``(3, y, x)`` float32 of a function of the activations."""
        ...
