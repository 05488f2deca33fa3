"""Template matching in a lazy volume."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.kernels.matching.correlation import BestMatch
from faket_dask.kernels.matching.null_template import Null
from faket_dask.kernels.matching.turning import TurnableTemplate
from faket_dask.specimen.template import Template
from faket_dask.stages.matching import (
    MatchBlocks,
    MatchSettings,
    group_orientations,
    match_group,
    merge_groups,
    prepare_template,
)


def match_template(
    tomogram: xr.DataArray,
    template: Template,
    voxel_size_A: float,
    settings: MatchSettings,
    *,
    null: Null | None = None,
    device: str = "cpu",
) -> xr.Dataset:
    """Compare a tomogram with a template in all orientations, in the blocks and groups of a search.

    Parameters
    ----------
    tomogram
        ``(z, y, x)``.
    template
        Density of the particle, made for these voxels.
    voxel_size_A
        Edge of a voxel in Å.
    settings
        Missing wedge, orientations, contrast.
    null
        Kind of null template, in place of the particle.
    device
        ``"cpu"``, or an accelerator by PyTorch's name.

    Returns
    -------
    matches
        ``score``, the highest locally normalised correlation of each voxel, float32, ``orientation``, int32, the
        index of its orientation among ``settings.rotations``, and ``opposite``, the highest score of the opposite
        contrast, float32; with the tomogram's coordinates.

    Raises
    ------
    InputError
        If the array is no volume, or the particle is too small for these voxels.
    """
    if tomogram.dims != ("z", "y", "x"):
        raise InputError(f"match_template needs the dimensions (z, y, x), this tomogram has {tomogram.dims}")
    prepared = prepare_template(template, voxel_size_A, settings, null)
    depth, height, width = tomogram.shape
    blocks = MatchBlocks((depth, height, width), prepared.reach)
    volume = da.asarray(tomogram.data)
    groups = range(len(group_orientations(len(settings.rotations))))
    search, merge = dask.delayed(_match, pure=True), dask.delayed(merge_groups, pure=True)
    # Each task has the template, whose bytes are hashed once.
    shared = dask.delayed(prepared, name="template-" + da.core.tokenize(*vars(prepared).values()))
    matches = []
    for index in range(len(blocks)):
        clipped = volume[blocks.clip(index)]
        clipped = clipped.rechunk(clipped.shape).to_delayed().item()
        parts = [search(clipped, blocks, index, shared, settings, group, device) for group in groups]
        matches.append(merge(parts))
    types = {"score": np.float32, "orientation": np.int32, "opposite": np.float32}
    arrays = {
        name: (("z", "y", "x"), _assemble(matches, blocks, which, dtype))
        for which, (name, dtype) in enumerate(types.items())
    }
    return xr.Dataset(arrays, coords=tomogram.coords)


def _match(
    clipped: NDArray[np.generic],
    blocks: MatchBlocks,
    index: int,
    template: TurnableTemplate,
    settings: MatchSettings,
    group: int,
    device: str,
) -> BestMatch:
    return match_group(blocks.extend(index, clipped), template, settings, group, device)


def _assemble(matches: list, blocks: MatchBlocks, which: int, dtype: type) -> da.Array:
    """Return one of the arrays of all blocks."""
    grid = np.empty(blocks.grid, dtype=object)
    for index, match in enumerate(matches):
        shape = tuple(at.stop - at.start for at in blocks.region(index))
        place = np.unravel_index(index, blocks.grid)
        grid[place] = da.from_delayed(match[which], shape=shape, dtype=dtype)
    return da.block(grid.tolist())
