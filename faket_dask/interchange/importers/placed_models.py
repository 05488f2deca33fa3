"""Specimens rendered from other programs' models: classes of molecules with a pose for each object, without voxels.

A model has a frame of its own, whose origin is anywhere. The volume holds all objects whole, with a margin; its
density is in volts over ice, as that of particles from structure files. Nothing of it is kept: blocks of y are
rendered as they are read.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.interchange.importers.base import ForeignSpecimen
from faket_dask.specimen.canvas import Canvas, Labels
from faket_dask.specimen.particles import ParticleTable, make_table
from faket_dask.specimen.recipe import LARGEST_INSTANCE
from faket_dask.specimen.render import Block
from faket_dask.specimen.template import Template
from faket_dask.specimen.template_voxels import add_particle

MARGIN_VOXELS = 4
"""Ice about the objects, on every side."""

LARGEST_CLASS = 255
"""Most classes that an 8-bit class mask can distinguish."""

LARGEST_EDGE = 8192
"""Most voxels along an edge of a volume."""


@dataclass(frozen=True, eq=False)
class PlacedClass:
    """Molecules of one class.

    Parameters
    ----------
    name
        Name of the class.
    template
        Density of a molecule, or of each of its beads.
    offset_A
        ``(m, 3)``: ``(x, y, z)`` in Å of the template's centre in the molecule's frame; more than one for beads.
    rotation
        ``(n, 3, 3)`` matrices from molecule to model.
    shift_A
        ``(n, 3)``: ``(x, y, z)`` in Å of the molecule's origin in the model.
    """

    name: str
    template: Template
    offset_A: NDArray[np.float64]
    rotation: NDArray[np.float64]
    shift_A: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.shift_A)

    @property
    def mass_Da(self) -> float:
        """Mass of a molecule in dalton."""
        return len(self.offset_A) * self.template.mass_Da

    @property
    def volume_A3(self) -> float:
        """Volume of a molecule's label in Å³, where its beads do not overlap."""
        return len(self.offset_A) * self.template.volume_A3

    @property
    def centre_A(self) -> NDArray[np.float64]:
        """Centre ``(x, y, z)`` of a molecule in its frame, in Å."""
        return np.asarray(self.offset_A.mean(axis=0))

    @property
    def radius_A(self) -> float:
        """Radius of the sphere about the centre that holds a molecule, in Å."""
        reach = float(np.linalg.norm(self.offset_A - self.centre_A, axis=1).max())
        return reach + self.template.radius_A

    def place(self, point_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places ``(n, 3)`` of a point of the molecule in the model, in Å."""
        return np.asarray(self.rotation @ point_A + self.shift_A)

    def place_templates(self) -> NDArray[np.float64]:
        """Return the places ``(n m, 3)`` of the centres of all templates in the model, object by object, in Å."""
        places = np.einsum("nij,mj->nmi", self.rotation, self.offset_A) + self.shift_A[:, None]
        return np.asarray(places.reshape(-1, 3))


def build_specimen(
    classes: Sequence[PlacedClass], voxel_size_A: float, source: Path, inputs: Sequence[Path]
) -> ForeignSpecimen:
    """Make a specimen of placed molecules.

    Parameters
    ----------
    classes
        Molecules of all classes, each with at least one object.
    voxel_size_A
        Edge of a voxel in Å.
    source
        File of the model, for messages.
    inputs
        Files that it was read from.

    Returns
    -------
    specimen
        Volumes that are rendered as they are read. Objects are numbered in the order of the classes.

    Warns
    -----
    UserWarning
        If classes go without labels, since the masks do not hold more, or since a voxel holds their label.

    Raises
    ------
    InputError
        If the volume is too large.
    """
    table, moved, shape = _lay_out(classes, voxel_size_A, source)
    draws = _list_draws(moved, table)
    model = _RenderedModel(source, shape, voxel_size_A, draws)
    return ForeignSpecimen(
        _Density(model), voxel_size_A, table, tuple(inputs), _ClassMask(model), _InstanceMask(model)
    )


def _lay_out(
    classes: Sequence[PlacedClass], voxel_size_A: float, source: Path
) -> tuple[ParticleTable, list[PlacedClass], tuple[int, int, int]]:
    """Return the table, the classes moved into the volume's frame, and its shape ``(z, y, x)``."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for kind in classes:
        places, radius = kind.place_templates(), kind.template.radius_A
        low = np.minimum(low, places.min(axis=0) - radius)
        high = np.maximum(high, places.max(axis=0) + radius)
    voxels = np.ceil((high - low) / voxel_size_A) + 2 * MARGIN_VOXELS + 1
    if not (voxels <= LARGEST_EDGE).all():
        extent = " x ".join(f"{edge:.4g}" for edge in high - low)
        raise InputError(
            f"{source}: the model measures {extent} Å, and a volume has at most {LARGEST_EDGE} voxels along an edge; "
            "check its coordinates, or choose larger voxels by --voxel-size-A"
        )
    middle_A = (voxels - 1) / 2 * voxel_size_A
    moved = [replace(kind, shift_A=kind.shift_A + middle_A - (low + high) / 2) for kind in classes]
    labelled = _choose_labelled(classes, voxel_size_A, source)
    numbers = np.cumsum(labelled) * labelled
    counts = [len(kind) for kind in classes]
    table = make_table(
        np.repeat([kind.name for kind in classes], counts),
        np.repeat(numbers, counts),
        np.concatenate([kind.place(kind.centre_A) for kind in moved]),
        np.concatenate([kind.rotation for kind in classes]),
    )
    shown = table.class_id > 0
    table = replace(
        table,
        instance=np.where(shown, np.cumsum(shown), 0).astype(np.int64),
        radius_A=np.repeat([kind.radius_A for kind in classes], counts).astype(np.float64),
    )
    depth, height, width = (int(edge) for edge in voxels[::-1])
    return table, moved, (depth, height, width)


def _choose_labelled(classes: Sequence[PlacedClass], voxel_size_A: float, source: Path) -> NDArray[np.bool_]:
    """Choose the classes that get labels, ``(n,)``: the heaviest ones, as long as numbers last."""
    labelled = np.zeros(len(classes), np.bool_)
    small, objects = 0, 0
    for index in sorted(range(len(classes)), key=lambda index: -classes[index].mass_Da):
        count = len(classes[index])
        if classes[index].volume_A3 < voxel_size_A**3:
            small += 1
        elif labelled.sum() < LARGEST_CLASS and objects + count <= LARGEST_INSTANCE:
            labelled[index] = True
            objects += count
    if not labelled.all():
        without = len(classes) - int(labelled.sum())
        reason = f", {small} of them since their label is smaller than a voxel" if small else ""
        warnings.warn(
            f"{source}: {without} of {len(classes)} classes are imaged and have no labels{reason}; masks hold "
            f"{LARGEST_CLASS} classes and {LARGEST_INSTANCE} objects, and the heaviest classes have them",
            stacklevel=4,
        )
    return labelled


@dataclass(frozen=True, eq=False)
class _Draws:
    """Templates that are added to the volume in turn, by their index, with the row that each belongs to."""

    templates: tuple[Template, ...]
    template: NDArray[np.int64]
    centre_A: NDArray[np.float64]
    row: NDArray[np.int64]
    is_bead: NDArray[np.bool_]
    table: ParticleTable


def _list_draws(classes: Sequence[PlacedClass], table: ParticleTable) -> _Draws:
    beads = np.array([len(kind.offset_A) for kind in classes])
    counts = np.array([len(kind) for kind in classes])
    number = np.repeat(np.arange(len(classes)), counts * beads)
    return _Draws(
        tuple(kind.template for kind in classes),
        number,
        np.concatenate([kind.place_templates() for kind in classes]),
        np.repeat(np.arange(len(table)), np.repeat(beads, counts)),
        (beads > 1)[number],
        table,
    )


@dataclass(frozen=True, eq=False)
class _RenderedModel:
    """Volume of a model, rendered as it is read."""

    path: Path
    shape: tuple[int, int, int]
    voxel_size_A: float
    draws: _Draws

    def render(self, start: int, stop: int) -> Block:
        """Render the slices ``start <= y < stop``, ``(z, y, x)``."""
        depth, _, width = self.shape
        shape = (depth, stop - start, width)
        block = Block(np.zeros(shape, np.float32), np.zeros(shape, np.uint8), np.zeros(shape, np.uint16))
        draws, table = self.draws, self.draws.table
        support = np.array([template.support_A for template in draws.templates])[draws.template]
        y = draws.centre_A[:, 1]
        reached = (y + support >= start * self.voxel_size_A) & (y - support <= (stop - 1) * self.voxel_size_A)
        for index in np.flatnonzero(reached).tolist():
            row = int(draws.row[index])
            labels = Labels(np.uint8(table.class_id[row]), np.uint16(table.instance[row]))
            canvas = Canvas(
                block.density, block.class_mask, block.instance_mask, start, self.voxel_size_A, labels
            )
            placed = replace(table.row(row), centre_A=draws.centre_A[index])
            template = draws.templates[draws.template[index]]
            # Beads of one molecule touch, and add up.
            add_particle(canvas, placed, template, displaces=not draws.is_bead[index])
        return block


@dataclass(frozen=True, eq=False)
class _Layer:
    """Volume of a rendered model, named by the file of the model."""

    model: _RenderedModel

    @property
    def path(self) -> Path:
        return self.model.path

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.shape


class _Density(_Layer):
    def rows(self, start: int, stop: int, /) -> NDArray[np.float32]:
        return self.model.render(start, stop).density


class _ClassMask(_Layer):
    def rows(self, start: int, stop: int, /) -> NDArray[np.uint8]:
        return self.model.render(start, stop).class_mask


class _InstanceMask(_Layer):
    def rows(self, start: int, stop: int, /) -> NDArray[np.uint16]:
        return self.model.render(start, stop).instance_mask
