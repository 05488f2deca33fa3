"""Style networks: networks whose activations describe style.

A package adds one by an entry point of the group ``faket_dask.style_networks`` that names a `StyleNetwork`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from faket_dask.kernels.style.network import Architecture, Network, Precision
from faket_dask.registry import Registry
from faket_dask.weights import Weights


class StyleNetwork(Protocol):
    """One kind of network, without its weights."""

    @property
    def architecture(self) -> Architecture:
        """Description of the layers, which needs no PyTorch."""
        ...

    def load_weights(self, name: str, seed: int = 0, expected: str | None = None) -> Weights:
        """Load weights by the name or path of a run file.

        Parameters
        ----------
        name
            Name of weights, ``"random"``, or the path of a file.
        seed
            Seed of random weights.
        expected
            Checksum that the weights must have.

        Raises
        ------
        InputError
            If they are not here, damaged, or have another checksum than expected.
        """
        ...

    def create(
        self, state_dict: Mapping[str, Any], *, pooling: str, precision: Precision, device: str
    ) -> Network:
        """Return the network with weights on a device.

        Parameters
        ----------
        state_dict
            Arrays by key, in the network's own layout.
        pooling
            Name of a pooling, as in the run file.
        precision
            Precision of weights and activations.
        device
            PyTorch's name of the device.

        Raises
        ------
        ValueError
            If the weights are not this network's, or it has no such pooling.
        """
        ...


STYLE_NETWORKS: Registry[StyleNetwork] = Registry(
    "faket_dask.style_networks", "style network", {"vgg19": "faket_dask.methods.vgg19:VGG19_NETWORK"}
)
"""Style networks by the names of run files."""
