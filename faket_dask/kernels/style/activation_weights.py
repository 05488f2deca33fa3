"""Which activations of a network speak of the texture of an image, and not of its beads, bad pixels or border.

An activation sees a neighbourhood of its pixel. Near the border of the image that neighbourhood holds the network's
padding, which makes the Gram matrices of deep layers depend on the shape of the image; near a bead it holds the bead.
How far an activation can see, `faket_dask.kernels.vgg.reach`, overstates how far it looks: contributions fall off
towards the rim like those of any repeated convolution.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from faket_dask.kernels.vgg import reach, stride

BORDER_SHARE = 0.5
"""Of the reach, left out along the border: crops of a tilt then agree with the whole as well as with all of it."""

ARTEFACT_SHARE = 0.25
"""Of the reach, left out around masked pixels, which hold a texture like the rest instead of padding."""


def layer_weights(
    valid_mask: NDArray[np.bool_], layers: Iterable[int], *, border: bool = True
) -> dict[int, NDArray[np.float32]]:
    """Weight of each activation in a Gram matrix: the share of its pixels far enough from what is not valid_mask.

    Parameters
    ----------
    valid_mask
        ``(y, x)`` of the image.
    layers
        Layers to weigh.
    border
        Leave out a margin along the border, at most a quarter of the shorter side.

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
    whole = bool(valid_mask.all())
    distance = None if whole else scipy.ndimage.distance_transform_edt(valid_mask)
    weights = {}
    for layer in layers:
        step = stride(layer)
        rows, columns = (size // step for size in valid_mask.shape)
        inside = np.zeros((rows, columns), dtype=np.float32)
        margin = min(-(-int(BORDER_SHARE * reach(layer)) // step), min(rows, columns) // 4) if border else 0
        inside[margin : rows - margin, margin : columns - margin] = 1
        found = inside
        if distance is not None:
            found = inside * _means(distance > ARTEFACT_SHARE * reach(layer), step)
            if not found.any():
                found = inside * _means(valid_mask, step)
            if not found.any():
                found = _means(valid_mask, step)
            if not found.any():
                raise ValueError(f"too few pixels of the image are valid for layer {layer}")
        weights[layer] = found
    return weights


def _means(values: NDArray[np.bool_], step: int) -> NDArray[np.float32]:
    rows, columns = (size // step for size in values.shape)
    cells = values[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return np.asarray(cells.mean((1, 3)), dtype=np.float32)
