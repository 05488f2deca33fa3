"""Agreement of a particle table with the label masks of a volume that others made.

A particle's label is that of most voxels of its instance, where the instance mask has it about the particle's centre,
and of the labelled voxels nearest to its centre otherwise, since centres may lie in hollows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from faket_dask.specimen.particles import ParticleTable

SEARCH_VOXELS = 10
"""Distance from a particle's centre within which its label is searched where the instance mask does not show it."""

MARGIN_VOXELS = 2.0
"""Tolerance by which labels may reach beyond their particle: half a voxel each way, and the blur of its edge."""


class MaskBlock(NamedTuple):
    """Labels of consecutive y slices from `y_start` on, axes ``(z, y, x)``."""

    y_start: int
    class_mask: NDArray[np.unsignedinteger]
    instance_mask: NDArray[np.unsignedinteger]


@dataclass(frozen=True, eq=False)
class LabelEvidence:
    """Labels that masks have where the rows of a table lie.

    Parameters
    ----------
    table
        Rows with a class.
    label
        ``(n,)`` int64: label in the class mask, 0 where there is none.
    by_instance
        ``(n,)`` bool: true where the instance mask shows the voxels of the row.
    is_outside
        ``(n,)`` bool: true where the centre is outside the volume.
    is_elsewhere
        ``(n,)`` bool: true where the instance mask has the number of the row at another place.
    """

    table: ParticleTable
    label: NDArray[np.int64]
    by_instance: NDArray[np.bool_]
    is_outside: NDArray[np.bool_]
    is_elsewhere: NDArray[np.bool_]

    @property
    def is_contradicted(self) -> NDArray[np.bool_]:
        """``(n,)`` bool: true where the class mask has another label than the row."""
        return (self.label != 0) & (self.label != self.table.class_id) & ~self.is_outside


def gather_evidence(
    table: ParticleTable, blocks: Iterable[MaskBlock], shape: tuple[int, int, int], voxel_size_A: float
) -> LabelEvidence:
    """Read the labels where the particles of a table lie.

    Parameters
    ----------
    table
        Particle table; crowding is left out.
    blocks
        Masks of the whole volume, zero where there is none.
    shape
        Voxels ``(z, y, x)`` of the volume.
    voxel_size_A
        Edge of a voxel in Å.
    """
    rows = table.labelled()
    centres = rows.centre_A / voxel_size_A
    extent = np.array(shape[::-1])
    outside = ((centres < -0.5) | (centres > extent - 0.5)).any(axis=1)
    instance_votes: Counter[tuple[int, int]] = Counter()
    boxes: dict[int, NDArray[np.float64]] = {}
    nearby: list[Counter[tuple[int, int]]] = [Counter() for _ in range(len(rows))]
    for block in blocks:
        if not len(rows):
            continue  # whoever reads the blocks reads them all
        _count_by_instance(block, instance_votes, boxes)
        for row in np.flatnonzero(~outside).tolist():
            _count_nearby(block, centres[row], nearby[row])
    by_label: dict[int, Counter[int]] = {}
    for (number, value), count in instance_votes.items():
        if value:  # instances may be filled where their class is hollow
            by_label.setdefault(number, Counter())[value] += count
    label = np.zeros(len(rows), dtype=np.int64)
    by_instance = np.zeros(len(rows), dtype=np.bool_)
    elsewhere = np.zeros(len(rows), dtype=np.bool_)
    for row, instance in enumerate(rows.instance.tolist()):
        if instance in boxes:
            low, high = boxes[instance]
            margin = MARGIN_VOXELS + (high - low) / 2 + rows.radius_A[row] / voxel_size_A
            by_instance[row] = ((low - margin <= centres[row]) & (centres[row] <= high + margin)).all()
            elsewhere[row] = not by_instance[row]
        if by_instance[row]:
            label[row] = by_label[instance].most_common(1)[0][0] if instance in by_label else 0
        elif nearby[row]:
            nearest = min(distance for distance, _ in nearby[row])
            votes = Counter({value: count for (at, value), count in nearby[row].items() if at <= nearest + 1})
            label[row] = votes.most_common(1)[0][0]
    return LabelEvidence(rows, label, by_instance, np.asarray(outside), elsewhere & ~outside)


def _count_by_instance(
    block: MaskBlock, votes: Counter[tuple[int, int]], boxes: dict[int, NDArray[np.float64]]
) -> None:
    """Add the voxels of each instance by class, and enlarge its bounding box, ``(2, 3)`` of ``(x, y, z)``."""
    instances = block.instance_mask
    present = instances != 0
    if not present.any():
        return
    pairs = instances[present].astype(np.int64) << 16 | block.class_mask[present]
    for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
        votes[int(pair) >> 16, int(pair) & 0xFFFF] += int(count)
    for number, slices in enumerate(ndimage.find_objects(instances.astype(np.int32)), start=1):
        if slices is not None:
            z, y, x = slices
            low = np.array([x.start, y.start + block.y_start, z.start], np.float64)
            high = np.array([x.stop, y.stop + block.y_start, z.stop], np.float64) - 1
            if number in boxes:
                low, high = np.minimum(low, boxes[number][0]), np.maximum(high, boxes[number][1])
            boxes[number] = np.stack((low, high))


def _count_nearby(block: MaskBlock, centre: NDArray[np.float64], votes: Counter[tuple[int, int]]) -> None:
    """Add the labelled voxels about a centre ``(x, y, z)``, by their distance in voxels and their label."""
    depth, height, width = block.class_mask.shape
    middle = [centre[2], centre[1] - block.y_start, centre[0]]
    spans = []
    for at, size in zip(middle, (depth, height, width), strict=True):
        first, last = (
            max(0, int(np.ceil(at - SEARCH_VOXELS))),
            min(size - 1, int(np.floor(at + SEARCH_VOXELS))),
        )
        if first > last:
            return
        spans.append(slice(first, last + 1))
    part = block.class_mask[tuple(spans)]
    places = np.argwhere(part)
    if places.size:
        offsets = places + [span.start for span in spans] - middle
        distance = np.linalg.norm(offsets, axis=1).astype(np.int64)
        near = distance < SEARCH_VOXELS
        pairs = zip(distance[near].tolist(), part[part != 0][near].tolist(), strict=True)
        votes.update((at, int(label)) for at, label in pairs)


def adopt_labels(table: ParticleTable, evidence: LabelEvidence) -> tuple[ParticleTable, list[str]]:
    """Give classes the labels that the class mask has at their particles, where it has one for each class.

    Returns
    -------
    table, changes
        The table, and one description of each class whose number has changed.
    """
    labels: dict[str, int] = {}
    for name in np.unique(evidence.table.class_name).tolist():
        votes = evidence.label[(evidence.table.class_name == name) & (evidence.label != 0)]
        if votes.size:
            label, count = Counter(votes.tolist()).most_common(1)[0]
            if count > 0.5 * votes.size:
                labels[name] = label
    claims = Counter(labels.values())
    class_id, changes = table.class_id.copy(), []
    for name, label in labels.items():
        rows = (table.class_name == name) & (table.class_id > 0)
        old = sorted(set(table.class_id[rows].tolist()))
        if claims[label] == 1 and old != [label]:
            class_id[rows] = label
            changes.append(f"{name!r} has the label {label} in the class mask, not {old[0]}")
    return replace(table, class_id=class_id), changes


def find_contradictions(evidence: LabelEvidence) -> Iterator[str]:
    """Describe how a table and the masks of its volume contradict each other, one sentence each."""
    table, total = evidence.table, len(evidence.table)
    for mask, fault, remedy in (
        (evidence.is_outside, "are centred outside the volume", "remove their rows"),
        (
            evidence.is_elsewhere,
            "have their instance number at another place in the instance mask",
            "number the rows as the mask does",
        ),
    ):
        if mask.any():
            first = int(np.argmax(mask))
            yield (
                f"{np.count_nonzero(mask)} of {total} particles {fault}, number {table.instance[first]} "
                f"({table.class_name[first]}) first; {remedy}"
            )
    for name in np.unique(table.class_name).tolist():
        rows = (table.class_name == name) & ~evidence.is_outside
        wrong = rows & evidence.is_contradicted
        certain = wrong & evidence.by_instance
        if not certain.any() and np.count_nonzero(wrong) <= 0.5 * np.count_nonzero(rows):
            continue  # another particle may lie nearer than its own label
        label, _ = Counter(evidence.label[wrong].tolist()).most_common(1)[0]
        number = int(table.class_id[wrong][0])
        yield (
            f"the class mask has another label at {np.count_nonzero(wrong)} of {np.count_nonzero(rows)} particles "
            f"{name!r}, mostly {label}, while the table says class_id {number}; make both agree"
        )


def check_table(table: ParticleTable) -> Iterator[str]:
    """Describe what contradicts itself in a table: numbers given twice, or that masks cannot hold."""
    rows = table.labelled()
    pairs = sorted(set(zip(rows.class_name.tolist(), rows.class_id.tolist(), strict=True)))
    for what, numbers, largest in (("class_id", rows.class_id, 255), ("instance", rows.instance, 65535)):
        wrong = (numbers < 1) | (numbers > largest)
        if wrong.any():
            yield f"the table has the {what} {numbers[wrong][0]}; masks hold 1 to {largest}"
    for position, what in ((0, "class"), (1, "class_id")):
        for value, count in Counter(pair[position] for pair in pairs).items():
            if count > 1:
                others = ", ".join(repr(pair[1 - position]) for pair in pairs if pair[position] == value)
                yield f"the table gives the {what} {value!r} to {others}; give each class one number of its own"
    whole = rows.instance[rows.instance != rows.parent]  # others are parts of a filament
    repeated = [number for number, count in Counter(whole.tolist()).items() if count > 1]
    if repeated:
        yield f"the table has the instance {repeated[0]} more than once; number its rows"
