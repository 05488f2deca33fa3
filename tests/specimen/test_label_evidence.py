"""Agreement of particle tables with the masks of volumes that others made."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.specimen.label_evidence import (
    MaskBlock,
    adopt_labels,
    check_table,
    find_contradictions,
    gather_evidence,
)
from faket_dask.specimen.particles import ParticleTable, Row, particle_table

VOXEL_A = 10.0
SHAPE = (20, 48, 64)
CENTRES = ((12, 10, 10), (40, 12, 8), (50, 34, 11), (14, 33, 9))
"""Centres (x, y, z) in voxels; two particles of either class."""


def make_table(*class_ids: int) -> ParticleTable:
    names = ("ring", "ring", "ball", "ball")
    return particle_table(
        [
            Row(name, class_id, np.array(centre) * VOXEL_A, np.eye(3), 0.0, 0)
            for name, class_id, centre in zip(names, class_ids, CENTRES, strict=True)
        ]
    )


def make_masks(*labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return class and instance mask: shells that are hollow at their centres."""
    classes, instances = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint16)
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    for number, (label, (cx, cy, cz)) in enumerate(zip(labels, CENTRES, strict=True), start=1):
        distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
        shell = (distance > 3.5) & (distance < 6)
        classes[shell], instances[shell] = label, number
    return classes, instances


def cut_into_blocks(classes: np.ndarray, instances: np.ndarray, rows: int = 7) -> Iterator[MaskBlock]:
    for start in range(0, SHAPE[1], rows):
        yield MaskBlock(start, classes[:, start : start + rows], instances[:, start : start + rows])


def evidence_of(table: ParticleTable, classes: np.ndarray, instances: np.ndarray, rows: int = 7):
    return gather_evidence(table, cut_into_blocks(classes, instances, rows), SHAPE, VOXEL_A)


@pytest.mark.parametrize("with_instances", [True, False])
@settings(max_examples=15, deadline=None)
@given(labels=st.lists(st.integers(1, 255), min_size=4, max_size=4), rows=st.integers(1, 48))
def test_labels_are_found_about_hollow_centres_in_any_blocks(
    with_instances: bool, labels: list[int], rows: int
) -> None:
    classes, instances = make_masks(*labels)
    evidence = evidence_of(make_table(*labels), classes, instances * with_instances, rows)
    assert evidence.label.tolist() == labels
    assert evidence.by_instance.all() == with_instances
    assert list(find_contradictions(evidence)) == []


def test_instances_may_be_filled_where_their_class_is_hollow() -> None:
    classes, instances = make_masks(1, 1, 2, 2)
    for number, (x, y, z) in enumerate(CENTRES, start=1):
        instances[z - 5 : z + 6, y - 5 : y + 6, x - 5 : x + 6] = number
    assert np.count_nonzero(instances[classes == 0]) > 0
    assert evidence_of(make_table(1, 1, 2, 2), classes, instances).label.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize("with_instances", [True, False])
def test_another_label_is_counted_and_both_numbers_are_named(with_instances: bool) -> None:
    classes, instances = make_masks(5, 5, 2, 2)
    evidence = evidence_of(make_table(1, 1, 2, 2), classes, instances * with_instances)
    [line] = find_contradictions(evidence)
    assert line.startswith("the class mask has another label at 2 of 2 particles 'ring', mostly 5")
    assert "the table says class_id 1" in line


def test_labels_of_the_mask_are_adopted_by_class() -> None:
    table = make_table(18, 18, 17, 17)
    adopted, changes = adopt_labels(table, evidence_of(table, *make_masks(1, 1, 3, 3)))
    assert adopted.class_id.tolist() == [1, 1, 3, 3]
    assert changes == [
        "'ball' has the label 3 in the class mask, not 17",
        "'ring' has the label 1 in the class mask, not 18",
    ]


def test_label_of_two_classes_is_adopted_by_neither() -> None:
    table = make_table(18, 18, 17, 17)
    adopted, changes = adopt_labels(table, evidence_of(table, *make_masks(4, 4, 4, 4)))
    assert (adopted.class_id.tolist(), changes) == ([18, 18, 17, 17], [])


def test_particles_outside_the_volume_are_named() -> None:
    table = make_table(1, 1, 2, 2)
    table.centre_A[2] = [7000.0, 50.0, 50.0]
    [line] = find_contradictions(evidence_of(table, *make_masks(1, 1, 2, 2)))
    assert line == "1 of 4 particles are centred outside the volume, number 3 (ball) first; remove their rows"


def test_instances_numbered_otherwise_than_the_rows_are_named() -> None:
    table = make_table(1, 1, 2, 2)
    exchanged = replace(table, instance=table.instance[[0, 2, 1, 3]])
    [line] = find_contradictions(evidence_of(exchanged, *make_masks(1, 1, 2, 2)))
    assert line.startswith(
        "2 of 4 particles have their instance number at another place in the instance mask"
    )


@pytest.mark.parametrize(
    ("class_ids", "instances", "expected"),
    [
        ((1, 2, 3, 3), (1, 2, 3, 4), "gives the class 'ring' to 1, 2"),
        ((1, 1, 1, 1), (1, 2, 3, 4), "gives the class_id 1 to 'ball', 'ring'"),
        ((1, 1, 300, 300), (1, 2, 3, 4), "has the class_id 300; masks hold 1 to 255"),
        ((1, 1, 2, 2), (1, 2, 2, 70000), "has the instance 70000"),
        ((1, 1, 2, 2), (1, 2, 2, 4), "has the instance 2 more than once"),
    ],
)
def test_table_that_contradicts_itself(
    class_ids: tuple[int, ...], instances: tuple[int, ...], expected: str
) -> None:
    table = replace(make_table(*class_ids), instance=np.array(instances))
    assert any(expected in line for line in check_table(table))
    assert not list(check_table(make_table(1, 1, 2, 2)))
