"""Convolutional part of VGG-19 up to its layer 29, forward and backward with respect to the image.

Layers are numbered as in torchvision's ``vgg19().features``: convolutions (3 x 3, zero padding), each followed by
a ReLU, and four poolings by 2. The first convolution pads by replication, so that the border of a micrograph is
not an edge to the network; the ImageNet normalisation of the input, which is constant per channel, is folded
into its weights, exactly because of that padding.

The backward pass is written out instead of left to autograd. The network is frozen, so nothing but the image needs a
gradient; the derivative of a convolution is then one more convolution, with the kernel turned around; ReLU
needs no more than its own output; and every activation is freed as soon as the backward pass has passed it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faket_dask.kernels.style.network import Precision, Slope, Visitor
from faket_dask.kernels.vgg_architecture import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VGG19_ARCHITECTURE,
    Pooling,
)

_SCALE = {"max": 1.0, "average": 2.0, "l2": 0.78}
"""Factors that keep the mean activation of max pooling (FakET, arXiv 2304.02011: style transfer)."""

_MIXED_FROM = 21
"""First layer that `mixed` computes in bfloat16: signs of activations before it decide the gradient's sign."""


def random_state_dict(seed: int) -> dict[str, NDArray[np.float32]]:
    """Draw weights as torchvision initialises them, with NumPy: Kaiming normal (fan-out), zero bias.

    Parameters
    ----------
    seed
        Seed of the weights, which are the same with every version of PyTorch.

    Returns
    -------
    state_dict
        ``"<layer>.weight"`` (out, in, 3, 3) and ``"<layer>.bias"`` (out,) of the 13 convolutions.
    """
    rng = np.random.default_rng(seed)
    state: dict[str, NDArray[np.float32]] = {}
    for layer, (inputs, outputs) in VGG19_ARCHITECTURE.convolutions.items():
        scale = np.float32(np.sqrt(2 / (9 * outputs)))
        state[f"{layer}.weight"] = scale * rng.standard_normal((outputs, inputs, 3, 3), dtype=np.float32)
        state[f"{layer}.bias"] = np.zeros(outputs, dtype=np.float32)
    return state


class Trace:
    """Activations of one forward pass that its backward pass needs, by layer."""

    def __init__(self, image: Tensor, activations: dict[int, Tensor]) -> None:
        self.image = image
        self.activations = activations


class VGG19:
    """Frozen VGG-19 with its weights on one device.

    Parameters
    ----------
    state_dict
        ``"<layer>.weight"`` and ``"<layer>.bias"`` of the 13 convolutions as arrays or tensors; an optional prefix
        ``"features."`` is dropped, later layers are ignored.
    seed
        Seed of random weights from `random_state_dict`; exactly one of the two is given.
    pooling
        ``"max"``, ``"average"`` (times 2) or ``"l2"`` (root of the sum of squares, times 0.78).
    precision
        Type of weights, activations and gradients. ``"mixed"`` is bfloat16 in the backward pass and, in the forward
        pass, from layer 21 on, which is 60 % of the work. Sums over pixels are taken in float32 always.
    device
        PyTorch's name of the device, such as ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    ValueError
        If both or neither of `state_dict` and `seed` are given, weights are missing, misshapen or not finite,
        or pooling or precision have no such value.
    """

    architecture = VGG19_ARCHITECTURE

    def __init__(
        self,
        state_dict: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        pooling: Pooling = "max",
        precision: Precision = "float32",
        device: str = "cpu",
    ) -> None:
        if (state_dict is None) == (seed is None):
            raise ValueError("give exactly one of state_dict and seed")
        if pooling not in _SCALE:
            raise ValueError(f"pooling must be one of {sorted(_SCALE)}, got {pooling!r}")
        if precision not in get_args(Precision):
            raise ValueError(f"precision must be one of {sorted(get_args(Precision))}, got {precision!r}")
        self.pooling = pooling
        self.precision = precision
        self.device = torch.device(device)
        self._gradient_type = torch.float32 if precision == "float32" else torch.bfloat16
        self._mean, self._std = (
            torch.tensor(values, device=self.device)[:, None, None]
            for values in (IMAGENET_MEAN, IMAGENET_STD)
        )
        self._weight: dict[int, Tensor] = {}
        self._bias: dict[int, Tensor] = {}
        self._turned: dict[int, Tensor] = {}
        weights = _checked(random_state_dict(seed) if seed is not None else state_dict or {})
        for layer, (weight, bias) in weights.items():
            self._weight[layer] = self._placed(weight, self._type(layer))
            self._bias[layer] = bias.to(device=self.device, dtype=self._type(layer))
            self._turned[layer] = self._placed(weight.flip(2, 3).transpose(0, 1), self._gradient_type)

    def _type(self, layer: int) -> torch.dtype:
        """Return the type of a layer's weights and activations."""
        if self.precision == "float32" or (self.precision == "mixed" and layer < _MIXED_FROM):
            return torch.float32
        return torch.bfloat16

    def _placed(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        return weight.to(device=self.device, dtype=dtype).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def forward(
        self, image: Tensor, layers: Collection[int], visit: Visitor | None = None, *, keep: bool = False
    ) -> Trace:
        """Run an image through the network as far as the deepest of some layers.

        Parameters
        ----------
        image
            ``(3, y, x)`` in [0, 1], float32, on the network's device.
        layers
            Layers whose activations are of interest.
        visit
            Function of each of them and its activations ``(1, C, y, x)``, called as soon as they are there; they must
            not be changed, and need not be kept for `backward`.
        keep
            Keep the activations that `backward` needs; if not, each is freed when the next one is there.

        Returns
        -------
        trace
            Argument of `backward`.
        """
        self.architecture.check(layers)
        kept: dict[int, Tensor] = {}
        current = ((image - self._mean) / self._std)[None]
        current = current.contiguous(memory_format=torch.channels_last)
        for layer in range(max(layers) + 1):
            if layer in VGG19_ARCHITECTURE.convolutions:
                current = self._convolve(layer, current.to(self._type(layer)))
            elif layer in VGG19_ARCHITECTURE.poolings:
                current = self._pool(current)
            elif layer - 1 in layers:
                current = current.relu()  # the convolution's own output is of interest, too
            else:
                current = current.relu_()
            if layer in layers and visit is not None:
                visit(layer, current)
            if keep and (layer in layers or self._needs(layer)):
                kept[layer] = current
        return Trace(image, kept)

    @torch.no_grad()
    def backward(self, trace: Trace, slope: Slope) -> Tensor:
        """Return the gradient of a function of the activations with respect to the image.

        Parameters
        ----------
        trace
            Result of `forward` with ``keep=True``; it is used up.
        slope
            Function of each layer that `forward` was given, its activations ``(1, C, y, x)``, and the gradient
            ``(1, C, y, x)`` that has arrived there from deeper layers (zero at the deepest), of the gradient's own
            type; adds the layer's own part to the gradient in place.

        Returns
        -------
        gradient
            ``(3, y, x)`` float32.
        """
        activations = trace.activations
        deepest = max(activations)
        gradient = torch.zeros_like(activations[deepest], dtype=self._gradient_type)
        for layer in range(deepest, -1, -1):
            current = activations.get(layer)
            if current is not None:
                slope(layer, current, gradient)
            if layer in VGG19_ARCHITECTURE.convolutions:
                gradient = self._convolve_back(layer, gradient)
            elif layer in VGG19_ARCHITECTURE.poolings:
                gradient = self._pool_back(activations[layer - 1], current, gradient)
            else:
                assert current is not None
                if current.dtype == gradient.dtype:
                    torch.ops.aten.threshold_backward.grad_input(gradient, current, 0, grad_input=gradient)
                else:
                    gradient.mul_(current > 0)
            del current
            activations.pop(layer, None)
        return gradient[0].to(torch.float32) / self._std

    def _needs(self, layer: int) -> bool:
        """Tell whether the backward pass needs a layer's output, whichever layers are requested."""
        if layer in VGG19_ARCHITECTURE.convolutions:
            return False
        return layer not in VGG19_ARCHITECTURE.poolings or self.pooling == "l2"

    def _convolve(self, layer: int, current: Tensor) -> Tensor:
        if layer == 0:
            padded = functional.pad(current, (1, 1, 1, 1), mode="replicate")
            return functional.conv2d(padded, self._weight[0], self._bias[0])
        return functional.conv2d(current, self._weight[layer], self._bias[layer], padding=1)

    def _convolve_back(self, layer: int, gradient: Tensor) -> Tensor:
        if layer > 0:
            return functional.conv2d(gradient, self._turned[layer], padding=1)
        padded = functional.conv2d(gradient, self._turned[0], padding=2)
        # A border pixel stood for its copies in the padding, too: it collects their gradients.
        padded[:, :, 1] += padded[:, :, 0]
        padded[:, :, -2] += padded[:, :, -1]
        padded[:, :, :, 1] += padded[:, :, :, 0]
        padded[:, :, :, -2] += padded[:, :, :, -1]
        return padded[:, :, 1:-1, 1:-1]

    def _pool(self, current: Tensor) -> Tensor:
        if self.pooling == "max":
            return functional.max_pool2d(current, 2)
        if self.pooling == "average":
            return functional.avg_pool2d(current, 2).mul_(_SCALE["average"])
        return functional.avg_pool2d(current.square(), 2).mul_(4).sqrt_().mul_(_SCALE["l2"])

    def _pool_back(self, before: Tensor, after: Tensor | None, gradient: Tensor) -> Tensor:
        if self.pooling == "max":
            # Found again rather than kept: the places of the maxima are 64-bit numbers.
            _, places = torch.ops.aten.max_pool2d_with_indices(before, [2, 2], [2, 2])
            return torch.ops.aten.max_pool2d_with_indices_backward(
                gradient, before.to(gradient.dtype), [2, 2], [2, 2], [0, 0], [1, 1], False, places
            )
        if self.pooling == "l2":
            # s sqrt(Σx²) has the derivative s² x / (s sqrt(Σx²)); nothing where all four are zero.
            assert after is not None
            gradient = torch.where(after > 0, gradient * (4 * _SCALE["l2"] ** 2) / after, 0).to(
                gradient.dtype
            )
        before = before.to(gradient.dtype)
        back = torch.ops.aten.avg_pool2d_backward(gradient, before, [2, 2], [2, 2], [0, 0], False, True, None)
        return back.mul_(before) if self.pooling == "l2" else back.mul_(_SCALE["average"])


def _checked(state_dict: Mapping[str, Any]) -> dict[int, tuple[Tensor, Tensor]]:
    """Return weight and bias of every convolution, float32 on the CPU.

    Raises
    ------
    ValueError
        If any is missing, misshapen or not finite.
    """
    plain = {key.removeprefix("features."): value for key, value in state_dict.items()}
    convolutions = {}
    for layer, (inputs, outputs) in VGG19_ARCHITECTURE.convolutions.items():
        pair = []
        for name, shape in (("weight", (outputs, inputs, 3, 3)), ("bias", (outputs,))):
            key = f"{layer}.{name}"
            if key not in plain:
                raise ValueError(f"the weights lack {key!r}: they are not those of a VGG-19's features")
            tensor = torch.as_tensor(plain[key]).detach().to(device="cpu", dtype=torch.float32)
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{key!r} has the shape {tuple(tensor.shape)}, that of VGG-19 is {shape}")
            if not torch.isfinite(tensor).all():
                raise ValueError(f"{key!r} holds NaN or infinite values")
            pair.append(tensor)
        convolutions[layer] = (pair[0], pair[1])
    return convolutions
