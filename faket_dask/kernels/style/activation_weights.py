"""Weights that exclude activations near artefacts and image borders from Gram matrices.

An activation sees a neighbourhood of its pixel. Near the border of the image that neighbourhood holds the network's
padding, which makes the Gram matrices of deep layers depend on the shape of the image; near a bead it holds the bead.
The reach of a layer overstates the neighbourhood that matters: contributions fall off towards its rim like those of
any repeated convolution.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from skimage.measure import block_reduce

from faket_dask.kernels.style.network import Architecture

BORDER_SHARE = 0.5
"""Share of the reach that is excluded along the border; with more, crops of a tilt agree no better with the whole."""

ARTEFACT_SHARE = 0.25
"""Share of the reach that is excluded around artefacts, which hold a texture like the rest instead of padding."""


def layer_weights(
    valid_mask: NDArray[np.bool_],
    architecture: Architecture,
    layers: Iterable[int],
    *,
    border: bool = True,
) -> dict[int, NDArray[np.float32]]:
    """Return the weight of each activation in a Gram matrix: the share of its pixels far enough from invalid ones.

    Parameters
    ----------
    valid_mask
        ``(y, x)`` bool, true for pixels whose texture counts.
    architecture
        Layers of the network.
    layers
        Layers to weigh.
    border
        Exclude a margin along the border, at most a quarter of the shorter side.

    Returns
    -------
    weights
        Layer → ``(y // stride, x // stride)`` float32 from 0 to 1; a layer that the margins would leave with nothing
        does without them.

    Raises
    ------
    ValueError
        If no pixel is valid.
    """
    if not valid_mask.any():
        raise ValueError("no pixel of the image is valid")
    distance = None if valid_mask.all() else scipy.ndimage.distance_transform_edt(valid_mask)
    weights = {}
    for layer in layers:
        stride, reach = architecture.stride(layer), architecture.reach(layer)
        rows, columns = (size // stride for size in valid_mask.shape)
        inside = np.zeros((rows, columns), dtype=np.float32)
        margin = min(-(-int(BORDER_SHARE * reach) // stride), min(rows, columns) // 4) if border else 0
        inside[margin : rows - margin, margin : columns - margin] = 1
        if distance is None:
            weights[layer] = inside
            continue
        choices = (
            inside * _average(distance > ARTEFACT_SHARE * reach, stride),
            inside * _average(valid_mask, stride),
            _average(valid_mask, stride),
        )
        usable = next((choice for choice in choices if choice.any()), None)
        if usable is None:
            raise ValueError(f"too few pixels of the image are valid for layer {layer}")
        weights[layer] = usable
    return weights


def _average(values: NDArray[np.bool_], stride: int) -> NDArray[np.float32]:
    """Average squares of ``stride`` pixels; incomplete ones at the end are left out."""
    rows, columns = (size // stride for size in values.shape)
    whole = values[: rows * stride, : columns * stride]
    return np.asarray(block_reduce(whole, (stride, stride), np.mean), dtype=np.float32)
