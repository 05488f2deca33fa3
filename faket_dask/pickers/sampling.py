"""Sampling of patches: which objects, how far shifted, which turned; from seed, epoch and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.config.training import ObjectSampling, TrainingSection
from faket_dask.kernels.picking.patches import place_patch
from faket_dask.pickers.classes import PickerClasses
from faket_dask.pickers.training_tomogram import TrainingTomogram
from faket_dask.stages.seeds import Purpose, generator

STREAM = "training"
"""Stream of the random numbers; it is not the model's name, so that models of one seed differ by their data alone."""


class PatchPlace(NamedTuple):
    """Place of one patch.

    Parameters
    ----------
    tomogram
        Index of its tomogram.
    region
        Voxels ``(z, y, x)``.
    turned
        True if it is turned by 180° about the tilt axis.
    """

    tomogram: int
    region: tuple[slice, slice, slice]
    turned: bool


@dataclass(frozen=True)
class PatchSampler:
    """Sampler of the patches of all steps of a training.

    Parameters
    ----------
    tomograms
        Labelled tomograms.
    classes
        Their classes; objects that are learnt as background are no centres of patches.
    section
        Settings.
    """

    tomograms: Sequence[TrainingTomogram]
    classes: PickerClasses
    section: TrainingSection

    @cached_property
    def _objects(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Tomogram, centre and channel of all objects."""
        owner = [np.full(len(t.class_id), number) for number, t in enumerate(self.tomograms)]
        channel = self.classes.to_channels(np.concatenate([t.class_id for t in self.tomograms]))
        centre = np.concatenate([t.centre for t in self.tomograms])
        picked = channel > 0
        return np.concatenate(owner)[picked], centre[picked], channel[picked]

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self._objects[0])

    @property
    def steps(self) -> int:
        """Number of steps in an epoch."""
        return self.section.steps or len(self) // self.section.batch

    def draw_batch(self, epoch: int, step: int) -> list[PatchPlace]:
        """Draw the patches of one step.

        Parameters
        ----------
        epoch
            Number of the epoch, from 1.
        step
            Number of the step in it, from 0.
        """
        section = self.section
        rng = generator(section.seed, f"{STREAM} {epoch}", Purpose.PATCHES, step)
        if section.sampling is ObjectSampling.OBJECTS:
            members = self._order(epoch)[step * section.batch : (step + 1) * section.batch]
        else:
            members = self._draw_by_class(rng)
        shift = rng.integers(-section.shift, section.shift, (members.size, 3), endpoint=True)
        turned = rng.random(members.size) < 0.5
        return [
            self._place(int(member), *change) for member, *change in zip(members, shift, turned, strict=True)
        ]

    def draw_about(self, member: int, epoch: int) -> PatchPlace:
        """Draw the patch about one object in an epoch, whatever batch it is in.

        Parameters
        ----------
        member
            Number of the object, from 0.
        epoch
            Number of the epoch, from 1.
        """
        rng = generator(self.section.seed, f"{STREAM} {epoch} object", Purpose.PATCHES, member)
        shift = rng.integers(-self.section.shift, self.section.shift, 3, endpoint=True)
        return self._place(member, shift, rng.random() < 0.5)

    def list_centred(self) -> list[PatchPlace]:
        """Return one patch about each object, neither shifted nor turned."""
        return [self._place(member, np.zeros(3, dtype=np.int64), False) for member in range(len(self))]

    def _order(self, epoch: int) -> NDArray[np.intp]:
        return generator(self.section.seed, STREAM, Purpose.OBJECT_ORDER, epoch).permutation(len(self))

    def _draw_by_class(self, rng: np.random.Generator) -> NDArray[np.intp]:
        channel = self._objects[2]
        groups = [np.flatnonzero(channel == number) for number in np.unique(channel)]
        chosen = rng.integers(len(groups), size=self.section.batch)
        return np.array([groups[group][rng.integers(groups[group].size)] for group in chosen])

    def _place(self, member: int, shift: NDArray[np.int64], turned: bool) -> PatchPlace:
        owner, centre, _ = self._objects
        tomogram = int(owner[member])
        region = place_patch(
            np.round(centre[member]) + shift, self.section.patch, self.tomograms[tomogram].shape
        )
        return PatchPlace(tomogram, region, bool(turned))
