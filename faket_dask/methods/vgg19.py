"""VGG-19 as a style network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from faket_dask.kernels.style.network import Architecture, Network, Precision
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE, Pooling
from faket_dask.weights import Weights, load


@dataclass(frozen=True)
class VGG19Network:
    """VGG-19 up to its layer 29; see `faket_dask.kernels.vgg.VGG19`."""

    architecture: Architecture = VGG19_ARCHITECTURE

    def load_weights(self, name: str, seed: int = 0, expected: str | None = None) -> Weights:
        """Load weights by the name or path of a run file; see `faket_dask.weights`."""
        return load(name, seed, expected)

    def create(
        self, state_dict: Mapping[str, Any], *, pooling: str, precision: Precision, device: str
    ) -> Network:
        """Return the network with weights on a device."""
        from faket_dask.kernels.vgg import VGG19

        return VGG19(state_dict, pooling=cast(Pooling, pooling), precision=precision, device=device)


VGG19_NETWORK = VGG19Network()
