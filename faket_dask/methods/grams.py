"""Gram matrices as named arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.style.network import Architecture
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays

_PREFIX = "gram_"


def gram_layouts(architecture: Architecture, layers: Iterable[int]) -> list[TiltArrayLayout]:
    """Return the layout of the Gram matrix of each layer."""
    return [
        TiltArrayLayout(
            f"{_PREFIX}{layer}",
            (f"channel_{layer}", f"other_channel_{layer}"),
            (architecture.channels(layer),) * 2,
            "float32",
        )
        for layer in layers
    ]


def gram_arrays(grams: Mapping[int, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Name Gram matrices by their layers.

    Examples
    --------
    >>> list(gram_arrays({6: np.eye(2, dtype=np.float32)}))
    ['gram_6']
    """
    return {f"{_PREFIX}{layer}": gram for layer, gram in grams.items()}


def grams_by_layer(arrays: TiltArrays) -> dict[int, NDArray[np.float32]]:
    """Return the Gram matrices among named arrays by layer."""
    return {
        int(name.removeprefix(_PREFIX)): np.asarray(array, dtype=np.float32)
        for name, array in arrays.items()
        if name.startswith(_PREFIX)
    }
