"""Precision that each part of the style transfer needs: deviation of the result when other parts are rounded.

    python benchmarks/precision.py [--weights vgg19-normalised] [--size 256] [--stack recorded.mrc]

Each part named in the output is rounded to bfloat16 (or TF32, with 10 bits of mantissa) and computed in float32, as on
hardware with float32 accumulation. The output lists the root mean square deviation of the result from that in float32,
relative to the change made by the transfer. The style is noise with a falling spectrum, or the middle tilt of a stack.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from faket_dask import weights
from faket_dask.formats.mrc import open_stack
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.style import StyleSettings, gram_targets, transfer
from faket_dask.kernels.vgg import VGG19
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE
from faket_dask.stages.process import prepare_process

SETTINGS = StyleSettings()
ALL = tuple(VGG19_ARCHITECTURE.convolutions)


def rounded(values: Tensor, bits: int) -> Tensor:
    """Return float32 values rounded to a number of bits of mantissa."""
    drop = 23 - bits
    whole = values.contiguous().view(torch.int32) + (1 << (drop - 1))
    return (whole & ~((1 << drop) - 1)).view(torch.float32).contiguous(memory_format=torch.channels_last)


class Rounded(VGG19):
    """Network whose convolutions in some layers have rounded inputs and outputs."""

    forward_layers: Collection[int] = ()
    backward_layers: Collection[int] = ()
    bits = 7
    outputs = True

    def _convolve(self, layer: int, current: Tensor) -> Tensor:
        if layer not in self.forward_layers:
            return super()._convolve(layer, current)
        output = super()._convolve(layer, rounded(current, self.bits))
        return rounded(output, self.bits) if self.outputs else output

    def _convolve_back(self, layer: int, gradient: Tensor) -> Tensor:
        if layer not in self.backward_layers:
            return super()._convolve_back(layer, gradient)
        output = super()._convolve_back(layer, rounded(gradient, self.bits))
        return rounded(output, self.bits) if self.outputs else output


def unit(image: np.ndarray) -> np.ndarray:
    """Scale an image to [0, 1]."""
    return ((image - image.min()) / (image.max() - image.min())).astype(np.float32)


def main() -> None:
    """Print the deviations for all combinations of rounded parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="vgg19-normalised")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--stack", default=None)
    options = parser.parse_args()
    prepare_process(1)
    rng = np.random.default_rng(0)
    shape = (options.size, options.size)
    state = {key: np.asarray(value) for key, value in weights.load(options.weights, 0).state_dict.items()}
    style = unit(gaussian_filter(rng.standard_normal(shape), 0.7))
    if options.stack:
        stack = open_stack(options.stack)
        tilt = stack.tilt(stack.shape[0] // 2)
        top, left = (size // 2 - options.size // 2 for size in tilt.shape)
        style = unit(tilt[top : top + options.size, left : left + options.size])
    signal, noise = standardise(gaussian_filter(rng.standard_normal(shape), 3)), rng.standard_normal(shape)
    start, content = unit(0.2 * signal + 0.98 * noise), unit(0.2 * signal + 0.25 * noise)

    def result(network: VGG19) -> np.ndarray:
        return transfer(
            network, content, start, gram_targets(network, style, SETTINGS.style_layers), SETTINGS
        )

    exact = result(VGG19(state))
    change = np.sqrt(np.mean(np.square(exact - start)))

    def show(name: str, network: VGG19) -> None:
        deviation = result(network) - exact
        print(f"{np.sqrt(np.mean(np.square(deviation))) / change:.4f}  {name}", flush=True)

    def parts(name: str, forward: Collection[int], backward: Collection[int], bits: int = 7) -> None:
        kept = dict(state)
        for layer in forward:
            key = f"{layer}.weight"
            kept[key] = rounded(torch.from_numpy(np.array(state[key])), bits).numpy()
        network = Rounded(kept)
        network.forward_layers, network.backward_layers = forward, backward
        network.bits, network.outputs = bits, bits == 7
        show(name, network)

    parts("forward and backward pass in bfloat16", ALL, ALL)
    parts("forward pass in bfloat16", ALL, ())
    parts("backward pass in bfloat16", (), ALL)
    parts("first convolution of the forward pass in bfloat16", (0,), ())
    for first in (10, 19, 21, 28):
        deep = [layer for layer in ALL if layer >= first]
        parts(f"backward pass, and forward pass from layer {first} on, in bfloat16", deep, ALL)
    parts("forward and backward pass in TF32", ALL, ALL, bits=10)
    for precision in ("mixed", "bfloat16"):
        show(f"precision: {precision}", VGG19(state, precision=precision))


if __name__ == "__main__":
    main()
