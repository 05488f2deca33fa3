"""Stages of a search as units of work: blocks times groups of orientations, then the best of all groups."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.engine.arrays import ArraySpec, OwnedArray, create_group, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.pipeline import Pipeline
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.kernels.matching.correlation import BestMatch
from faket_dask.kernels.matching.null_template import Null
from faket_dask.matching.specification import MatchSpec, read_match_spec
from faket_dask.stages.matching import match_group, merge_groups

PARTICLE = Item("particle")
NULL = Item("null")

BYTES_PER_VOXEL = 64
"""Peak memory of a block over its voxels, margin included: its local power is computed in double precision."""

INTERPRETER_BYTES = 600 * 2**20
"""Memory of a worker process with its libraries; an estimate."""

SECONDS_PER_VOXEL = 1e-8
"""Time of one orientation over the voxels of a block, margin included, on one core of a current processor."""


ARRAYS = {"score": "float32", "orientation": "int32", "opposite": "float32"}
"""Arrays of a search, and their types; the names are those of `BestMatch`."""

_GROUP_ARRAYS = {f"group_{name}": dtype for name, dtype in ARRAYS.items()}

BYTES_OF_RESULT = 12
"""Size of what a unit writes over its voxels."""


def list_searches(spec: MatchSpec) -> list[Item]:
    """Return the searches to make: the scores of the opposite contrast come with those of the particle."""
    return [PARTICLE] if spec.null in (None, Null.INVERTED) else [PARTICLE, NULL]


def _null(spec: MatchSpec, item: Item) -> Null | None:
    return spec.null if item == NULL else None


def _group(spec: MatchSpec, item: Item) -> Path:
    return spec.store / item.owner


def _describe(spec: MatchSpec, name: str, dtype: str, groups: int | None) -> ArraySpec:
    shape, block = spec.blocks.shape, spec.blocks.block_shape
    text = name.removeprefix("group_")
    if groups is None:
        return ArraySpec(name, ("z", "y", "x"), shape, block, dtype, attributes={"long_name": text})
    return ArraySpec(
        name,
        ("group", "z", "y", "x"),
        (groups, *shape),
        (1, *block),
        dtype,
        attributes={"long_name": f"{text} in a group of orientations"},
    )


class CorrelateBlocks(Stage[MatchSpec]):
    """Compare one block with the template in one group of orientations."""

    name = "correlate"
    label = "correlate-block"
    least_stored_share = 0.3

    def items(self, spec: MatchSpec) -> list[Item]:
        """Return the search, and the null search."""
        return list_searches(spec)

    def count(self, spec: MatchSpec, item: Item) -> int:
        """Return the number of groups times that of blocks."""
        return spec.groups * len(spec.blocks)

    def prepare(self, spec: MatchSpec, item: Item) -> None:
        """Create the groups of the store."""
        create_group(spec.store, {})
        create_group(_group(spec, item), {})

    def arrays(self, spec: MatchSpec, item: Item) -> list[OwnedArray]:
        """Return scores and orientations of all groups."""
        return [
            OwnedArray(_group(spec, item), _describe(spec, name, dtype, spec.groups), unit_axes=(0, 1, 2, 3))
            for name, dtype in _GROUP_ARRAYS.items()
        ]

    def compute(self, spec: MatchSpec, item: Item, index: int) -> Findings:
        """Search one block."""
        group, block = divmod(index, len(spec.blocks))
        values = spec.blocks.extend(block, spec.searched.read(spec.blocks.clip(block)))
        best = match_group(values, spec.prepare(_null(spec, item)), spec.settings, group, spec.device)
        region = (group, *spec.blocks.region(block))
        for name, scores in zip(_GROUP_ARRAYS, best, strict=True):
            open_array(_group(spec, item), name)[region] = scores
        return {"highest": float(best.score.max())}

    def cost(self, spec: MatchSpec) -> UnitCost:
        """Estimate the cost of a whole block."""
        inner = spec.blocks.block_shape
        voxels = math.prod(edge + 2 * spec.blocks.reach for edge in inner)
        orientations = -(-len(spec.settings.rotations) // spec.groups)
        memory = INTERPRETER_BYTES + BYTES_PER_VOXEL * voxels
        on_gpu = spec.device != "cpu"
        return UnitCost(
            None if on_gpu else SECONDS_PER_VOXEL * voxels * orientations,
            memory,
            BYTES_OF_RESULT * math.prod(inner),
            gpu_bytes=BYTES_PER_VOXEL * voxels if on_gpu else 0,
        )


class MergeBlocks(Stage[MatchSpec]):
    """Keep the best orientation of all groups for each voxel of one block."""

    name = "merge"
    label = "merge-block"
    milestone = "searched"
    least_stored_share = 0.3

    def items(self, spec: MatchSpec) -> list[Item]:
        """Return the search, and the null search."""
        return list_searches(spec)

    def predecessors(self, spec: MatchSpec, item: Item) -> list[BatchKey]:
        """Return the scores of the groups."""
        return [BatchKey(CorrelateBlocks.name, item)]

    def count(self, spec: MatchSpec, item: Item) -> int:
        """Return the number of blocks."""
        return len(spec.blocks)

    def arrays(self, spec: MatchSpec, item: Item) -> list[OwnedArray]:
        """Return the best scores and their orientations."""
        return [
            OwnedArray(_group(spec, item), _describe(spec, name, dtype, None), unit_axes=(0, 1, 2))
            for name, dtype in ARRAYS.items()
        ]

    def compute(self, spec: MatchSpec, item: Item, index: int) -> Findings:
        """Merge one block."""
        region, folder = spec.blocks.region(index), _group(spec, item)
        arrays = [open_array(folder, name, "r") for name in _GROUP_ARRAYS]
        groups = [
            BestMatch(*(np.asarray(array[group, *region]) for array in arrays))
            for group in range(spec.groups)
        ]
        best = merge_groups(groups)
        for name, values in zip(ARRAYS, best, strict=True):
            open_array(folder, name)[region] = values
        return {"highest": float(best.score.max())}

    def cost(self, spec: MatchSpec) -> UnitCost:
        """Estimate the cost of a whole block."""
        voxels = math.prod(spec.blocks.block_shape)
        return UnitCost(
            1e-8 * voxels * spec.groups,
            INTERPRETER_BYTES + 32 * voxels * spec.groups,
            BYTES_OF_RESULT * voxels,
        )


def read_scores(spec: MatchSpec, item: Item) -> BestMatch:
    """Read the result of a complete search, or null search."""
    return BestMatch(*(np.asarray(open_array(_group(spec, item), name, "r")[...]) for name in ARRAYS))


def read_chance(spec: MatchSpec) -> NDArray[np.float32]:
    """Read the scores that chance reaches: those of the null search."""
    return (
        read_scores(spec, PARTICLE).opposite if spec.null is Null.INVERTED else read_scores(spec, NULL).score
    )


MATCHING = Pipeline(
    name="template-matching",
    target="faket_dask.matching.units:MATCHING",
    stages=(CorrelateBlocks(), MergeBlocks()),
    read=read_match_spec,
    list_products=lambda spec: [BatchKey(MergeBlocks.name, item) for item in list_searches(spec)],
    product_name="searches",
    unit_name="blocks",
)
"""Pipeline of one search."""
