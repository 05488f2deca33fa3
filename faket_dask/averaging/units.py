"""Stages of an average as units of work: boxes, rounds of alignment of each half-set, pose between the half-sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.averaging.specification import GROUP, AverageSpec
from faket_dask.averaging.start import StartKind
from faket_dask.engine.arrays import ArraySpec, OwnedArray, create_group, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.pipeline import Pipeline
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.kernels.averaging.pose_search import Poses
from faket_dask.kernels.averaging.wedge_sum import WedgeSum, add_sums, sum_particles
from faket_dask.stages.averaging import HalfSet, compose_poses, cut_box

JOINED = "joined"
"""Part of the second half-set in the frame of the first."""

HALVES = Item("halves")


def _list_halves() -> list[Item]:
    return [Item(half.value) for half in HalfSet]


def _list_rounds(spec: AverageSpec) -> list[Item]:
    """Return the rounds of both half-sets, in which particles have poses."""
    first = 1 if spec.start is StartKind.MAP else 0
    return [round_item(half, number) for half in HalfSet for number in spec.rounds[first:]]


def round_item(half: HalfSet, number: int) -> Item:
    """Return the item of one round of a half-set."""
    return Item(half.value, f"round-{number:03d}")


def last_round(spec: AverageSpec, half: HalfSet) -> Item:
    """Return the item of the last round of a half-set."""
    return round_item(half, spec.rounds[-1])


def joined_item() -> Item:
    """Return the item of the second half-set in the frame of the first."""
    return Item(HalfSet.B.value, JOINED)


def _count_groups(spec: AverageSpec, item: Item) -> int:
    return -(-len(spec.halves[HalfSet(item.owner)]) // GROUP)


def _members(index: int) -> slice:
    return slice(index * GROUP, (index + 1) * GROUP)


def _path(spec: AverageSpec, item: Item) -> Path:
    return spec.store / item.owner / item.part if item.part else spec.store / item.owner


def _create_groups(spec: AverageSpec, item: Item) -> None:
    for path in dict.fromkeys((spec.store, spec.store / item.owner, _path(spec, item))):
        create_group(path, {})


def _describe_sums(spec: AverageSpec, groups: int | None) -> list[ArraySpec]:
    edge = spec.alignment.edge
    shape, name = (edge, edge, edge // 2 + 1), "" if groups is None else "group_"
    dims = ("kz", "ky", "kx")
    if groups is None:
        return [
            ArraySpec(f"{name}{kind}", dims, shape, shape, dtype)
            for kind, dtype in (("total", "complex64"), ("weight", "float32"))
        ]
    return [
        ArraySpec(f"{name}{kind}", ("group", *dims), (groups, *shape), (1, *shape), dtype)
        for kind, dtype in (("total", "complex64"), ("weight", "float32"))
    ]


def _describe_poses(count: int) -> list[ArraySpec]:
    return [
        ArraySpec("rotation", ("particle", "row", "column"), (count, 3, 3), (GROUP, 3, 3), "float64"),
        ArraySpec("shift", ("particle", "axis"), (count, 3), (GROUP, 3), "float64"),
        ArraySpec("score", ("particle",), (count,), (GROUP,), "float64"),
    ]


def read_poses(spec: AverageSpec, item: Item, members: slice = slice(None)) -> Poses:
    """Read the poses of a complete round."""
    return Poses(
        *(
            np.asarray(open_array(_path(spec, item), name, "r")[members])
            for name in ("rotation", "shift", "score")
        )
    )


def _write_poses(spec: AverageSpec, item: Item, members: slice, poses: Poses) -> None:
    for name, values in poses._asdict().items():
        open_array(_path(spec, item), name)[members] = values


def read_sums(spec: AverageSpec, item: Item) -> WedgeSum:
    """Read the sums of a complete round."""
    return WedgeSum(
        *(np.asarray(open_array(_path(spec, item), name, "r")[...]) for name in ("total", "weight"))
    )


class CutBoxes(Stage[AverageSpec]):
    """Cut the boxes of a group of particles out of the tomogram."""

    name = "cut"
    label = "cut-boxes"

    def items(self, spec: AverageSpec) -> list[Item]:
        """Return the half-sets."""
        return _list_halves()

    def count(self, spec: AverageSpec, item: Item) -> int:
        """Return the number of groups."""
        return _count_groups(spec, item)

    def prepare(self, spec: AverageSpec, item: Item) -> None:
        """Create the groups of the store."""
        _create_groups(spec, item)

    def arrays(self, spec: AverageSpec, item: Item) -> list[OwnedArray]:
        """Return the boxes."""
        count, edge = len(spec.halves[HalfSet(item.owner)]), spec.alignment.edge
        boxes = ArraySpec(
            "boxes", ("particle", "z", "y", "x"), (count, edge, edge, edge), (GROUP, edge, edge, edge)
        )
        return [OwnedArray(_path(spec, item), boxes, unit_axes=(0,))]

    def compute(self, spec: AverageSpec, item: Item, index: int) -> Findings:
        """Cut one group."""
        members = _members(index)
        voxels = spec.particles.voxel[spec.halves[HalfSet(item.owner)][members]]
        edge, contrast = spec.alignment.edge, spec.settings.contrast
        boxes = np.stack([cut_box(spec.source.read, voxel, edge, contrast) for voxel in voxels])
        open_array(_path(spec, item), "boxes")[members] = boxes
        return {}

    def cost(self, spec: AverageSpec) -> UnitCost:
        """Return nothing known: it runs in this process."""
        return UnitCost(None, 0, 0)


class AlignParticles(Stage[AverageSpec]):
    """Align a group of particles to the average of their own half-set, and add them up."""

    name = "align"
    label = "align-particles"
    least_stored_share = 0.0

    def items(self, spec: AverageSpec) -> list[Item]:
        """Return the rounds of both half-sets, and the second one in the frame of the first."""
        return [*_list_rounds(spec), joined_item()]

    def predecessors(self, spec: AverageSpec, item: Item) -> list[BatchKey]:
        """Return the boxes, and the average of the round before."""
        half = HalfSet(item.owner)
        keys = [BatchKey(CutBoxes.name, Item(half.value))]
        if item == joined_item():
            return [*keys, BatchKey(JoinHalves.name, HALVES)]
        number = _number(item)
        if number > (1 if spec.start is StartKind.MAP else 0):
            keys.append(BatchKey(MergeGroups.name, round_item(half, number - 1)))
        return keys

    def count(self, spec: AverageSpec, item: Item) -> int:
        """Return the number of groups."""
        return _count_groups(spec, item)

    def prepare(self, spec: AverageSpec, item: Item) -> None:
        """Create the groups of the store."""
        _create_groups(spec, item)

    def arrays(self, spec: AverageSpec, item: Item) -> list[OwnedArray]:
        """Return poses, and the sums of the group."""
        poses = _describe_poses(len(spec.halves[HalfSet(item.owner)]))
        sums = _describe_sums(spec, self.count(spec, item))
        return [OwnedArray(_path(spec, item), array, unit_axes=(0,)) for array in (*poses, *sums)]

    def compute(self, spec: AverageSpec, item: Item, index: int) -> Findings:
        """Align one group."""
        members, half = _members(index), HalfSet(item.owner)
        boxes = np.asarray(open_array(_path(spec, Item(half.value)), "boxes", "r")[members])
        poses = _find_poses(spec, item, members, boxes)
        sums = sum_particles(boxes, poses, spec.settings.tilt_angles)
        _write_poses(spec, item, members, poses)
        open_array(_path(spec, item), "group_total")[index] = sums.total
        open_array(_path(spec, item), "group_weight")[index] = sums.weight
        return {"mean_score": float(poses.score.mean())}

    def cost(self, spec: AverageSpec) -> UnitCost:
        """Return nothing known: it runs in this process."""
        return UnitCost(None, 0, 0)


def _number(item: Item) -> int:
    return int(item.part.removeprefix("round-"))


def _find_poses(spec: AverageSpec, item: Item, members: slice, boxes: NDArray[np.float32]) -> Poses:
    half = HalfSet(item.owner)
    if item == joined_item():
        return compose_poses(read_poses(spec, last_round(spec, half), members), read_poses(spec, HALVES))
    number = _number(item)
    if number == 0:
        return Poses(*(column[members] for column in spec.first_poses(half)))
    before = round_item(half, number - 1)
    is_first_map = number == 1 and spec.first_map is not None
    volume = spec.first_map if is_first_map else read_sums(spec, before).average()
    assert volume is not None
    if number <= spec.search_rounds:
        return spec.alignment.search(boxes, volume)
    return spec.alignment.refine(
        boxes, volume, read_poses(spec, before, members), number - spec.search_rounds
    )


class MergeGroups(Stage[AverageSpec]):
    """Add up the groups of a round."""

    name = "merge"
    label = "merge-groups"
    milestone = "averaged"
    least_stored_share = 0.0

    def items(self, spec: AverageSpec) -> list[Item]:
        """Return the rounds of both half-sets, and the second one in the frame of the first."""
        return [*_list_rounds(spec), joined_item()]

    def predecessors(self, spec: AverageSpec, item: Item) -> list[BatchKey]:
        """Return the sums of the groups."""
        return [BatchKey(AlignParticles.name, item)]

    def arrays(self, spec: AverageSpec, item: Item) -> list[OwnedArray]:
        """Return the sums."""
        return [OwnedArray(_path(spec, item), array) for array in _describe_sums(spec, None)]

    def compute(self, spec: AverageSpec, item: Item, index: int) -> Findings:
        """Merge one round."""
        path = _path(spec, item)
        total, weight = (open_array(path, f"group_{name}", "r") for name in ("total", "weight"))
        sums = add_sums(
            WedgeSum(np.asarray(total[group]), np.asarray(weight[group])) for group in range(total.shape[0])
        )
        open_array(path, "total")[...] = sums.total
        open_array(path, "weight")[...] = sums.weight
        return {"measured": float(sums.measured.mean())}

    def cost(self, spec: AverageSpec) -> UnitCost:
        """Return nothing known: it runs in this process."""
        return UnitCost(None, 0, 0)


class JoinHalves(Stage[AverageSpec]):
    """Find the pose of the second average relative to the first."""

    name = "join"
    label = "join-halves"
    least_stored_share = 0.0

    def items(self, spec: AverageSpec) -> list[Item]:
        """Return the pair."""
        return [HALVES]

    def predecessors(self, spec: AverageSpec, item: Item) -> list[BatchKey]:
        """Return the last averages."""
        return [BatchKey(MergeGroups.name, last_round(spec, half)) for half in HalfSet]

    def prepare(self, spec: AverageSpec, item: Item) -> None:
        """Create the groups of the store."""
        _create_groups(spec, item)

    def arrays(self, spec: AverageSpec, item: Item) -> list[OwnedArray]:
        """Return the pose."""
        return [OwnedArray(_path(spec, item), array) for array in _describe_poses(1)]

    def compute(self, spec: AverageSpec, item: Item, index: int) -> Findings:
        """Superpose the averages by what the alignment sees."""
        first, second = (read_sums(spec, last_round(spec, half)) for half in HalfSet)
        pose = spec.alignment.superpose(first.average(), second)
        _write_poses(spec, item, slice(None), pose)
        return {"score": float(pose.score[0])}

    def cost(self, spec: AverageSpec) -> UnitCost:
        """Return nothing known: it runs in this process."""
        return UnitCost(None, 0, 0)


def _refuse_to_read(root: Path) -> AverageSpec:
    raise InputError(
        f"{root} is an unfinished average; give the same `faket-dask average` again to finish it"
    )


AVERAGING = Pipeline(
    name="subtomogram-average",
    target="faket_dask.averaging.units:AVERAGING",
    stages=(CutBoxes(), AlignParticles(), MergeGroups(), JoinHalves()),
    read=_refuse_to_read,
)
"""Pipeline of one average; it runs in the process that opened the tomogram."""
