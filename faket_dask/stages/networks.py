"""The network of a worker process: loaded once, kept, never sent along with a task."""

from __future__ import annotations

from functools import lru_cache

from faket_dask.config import StyleSection
from faket_dask.kernels.style.network import Network, Precision
from faket_dask.methods.networks import STYLE_NETWORKS


def verify_weights(style: StyleSection) -> str:
    """Return the checksum of the weights that a style section names.

    Raises
    ------
    InputError
        If they are not here, or damaged.
    """
    return style.style_network.load_weights(style.weights, style.random_seed).checksum


def load_network(style: StyleSection, checksum: str) -> Network:
    """Return the network of a style section, on its device.

    Parameters
    ----------
    style
        Section of the run file.
    checksum
        Checksum of the weights when the run was planned.

    Raises
    ------
    InputError
        If the weights are not here, or are not those of the plan.
    """
    return _load(
        style.network,
        style.weights,
        checksum,
        style.random_seed,
        style.pooling,
        style.precision,
        style.device,
    )


@lru_cache(maxsize=2)
def _load(
    network: str, weights: str, checksum: str, seed: int, pooling: str, precision: Precision, device: str
) -> Network:
    kind = STYLE_NETWORKS.get(network)
    state_dict = kind.load_weights(weights, seed, expected=checksum).state_dict
    return kind.create(state_dict, pooling=pooling, precision=precision, device=device)
