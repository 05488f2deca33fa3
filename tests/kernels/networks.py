"""Networks that tests share: the golden files' weights, and torchvision's VGG-19 as an oracle."""

from functools import lru_cache

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from faket_dask.kernels.vgg import VGG19
from faket_dask.kernels.vgg_architecture import IMAGENET_MEAN, IMAGENET_STD, VGG19_ARCHITECTURE

SCALE = {"max": 1.0, "average": 2.0, "l2": 0.78}


@lru_cache(maxsize=1)
def golden_state() -> dict[str, np.ndarray]:
    """The weights that the golden arrays were computed with."""
    rng = np.random.default_rng(19)
    state = {}
    for layer, (inputs, outputs) in VGG19_ARCHITECTURE.convolutions.items():
        weight = rng.standard_normal((outputs, inputs, 3, 3), dtype=np.float32)
        state[f"{layer}.weight"] = weight * np.float32(np.sqrt(2 / (9 * inputs)))
        state[f"{layer}.bias"] = np.float32(0.01) * rng.standard_normal(outputs, dtype=np.float32)
    return state


@lru_cache(maxsize=4)
def golden_network(pooling: str = "max", precision: str = "float32") -> VGG19:
    return VGG19(golden_state(), pooling=pooling, precision=precision)


class Oracle:
    """Torchvision's layers, run one by one with autograd, in float64."""

    def __init__(self, pooling: str = "max") -> None:
        with torch.device("meta"):  # no memory, and no time to initialise the classifier
            features = torchvision.models.vgg19(weights=None).features[:30]
        state = {key: torch.from_numpy(v).double() for key, v in golden_state().items()}
        features.load_state_dict(state, assign=True)
        features[0].padding_mode = "replicate"
        # What padding_mode sets up at construction.
        features[0]._reversed_padding_repeated_twice = [1, 1, 1, 1]
        self._layers = [self._pool(pooling) if isinstance(m, nn.MaxPool2d) else m for m in features]
        self._scale = SCALE[pooling]

    @staticmethod
    def _pool(pooling: str) -> nn.Module:
        return {
            "max": nn.MaxPool2d(2),
            "average": nn.AvgPool2d(2),
            "l2": nn.LPPool2d(2.0, 2),
        }[pooling]

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Activations of all layers for an image (3, y, x) in [0, 1]."""
        mean, std = (
            torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD)
        )
        current = ((image.double() - mean) / std)[None]
        found = []
        for layer in self._layers:
            current = current.clamp(min=0) if isinstance(layer, nn.ReLU) else layer(current)
            if not isinstance(layer, nn.Conv2d | nn.ReLU):
                current = current * self._scale
            found.append(current)
        return found
