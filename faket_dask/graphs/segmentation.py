"""Segmentation of a lazy tomogram by a trained network."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import xarray as xr

from faket_dask.errors import InputError
from faket_dask.stages.segmentation import (
    Blocks,
    TrainedNetwork,
    list_pieces,
    measure_piece,
    merge_moments,
    segment_block,
)


def segment(
    tomogram: xr.DataArray,
    network: TrainedNetwork,
    *,
    block: int = 160,
    rim: int = 25,
    device: str = "cpu",
) -> xr.DataArray:
    """Segment a tomogram in overlapping blocks.

    Parameters
    ----------
    tomogram
        ``(z, y, x)`` of any chunks.
    network
        Network with its weights, such as from `faket_dask.pickers.checkpoint.Checkpoint.select_network`.
    block
        Edge of a block in voxels, its rim included.
    rim
        Voxels at each face of a block that are not kept.
    device
        ``"cpu"``, or an accelerator by PyTorch's name.

    Returns
    -------
    scores
        ``(class, z, y, x)`` uint8: probabilities times 255, in a chunk for each block. The coordinate ``class`` has the
        names.

    Raises
    ------
    InputError
        If the tomogram is not three-dimensional with these names, or blocks keep nothing.
    """
    if tomogram.dims != ("z", "y", "x"):
        raise InputError(
            f"segment needs a tomogram with the dimensions (z, y, x), this one has {tomogram.dims}"
        )
    if rim < 0 or block <= 2 * rim:
        raise InputError(f"a block of {block} voxels with rims of {rim} keeps none; lower the rim")
    values = da.asarray(tomogram.data)
    z, y, x = values.shape
    blocks = Blocks((z, y, x), block - 2 * rim, rim, network.stride)
    measured = [
        dask.delayed(measure_piece, pure=True)(values[region]) for region in list_pieces(values.shape)
    ]
    moments = dask.delayed(merge_moments, pure=True)(measured)
    weights = dask.delayed(network, name=f"picker-network-{network.digest}", traverse=False)
    classes = len(network.class_names)
    parts = np.empty(blocks.grid, dtype=object)
    for index in range(len(blocks)):
        kept = blocks.kept_region(index)
        scores = dask.delayed(segment_block, pure=True)(
            weights, values[blocks.inner_region(index)], blocks, index, moments, device
        )
        shape = (classes, *(part.stop - part.start for part in kept))
        parts[np.unravel_index(index, blocks.grid)] = da.from_delayed(scores, shape, dtype=np.uint8)
    coords = {
        "class": list(network.class_names),
        **{axis: tomogram[axis] for axis in "zyx" if axis in tomogram.coords},
    }
    return xr.DataArray(da.block(parts.tolist()), dims=("class", "z", "y", "x"), coords=coords, name="scores")
