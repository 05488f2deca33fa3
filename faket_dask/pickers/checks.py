"""Checks of labelled tomograms before anything is trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from faket_dask.config.training import ObjectSampling, TrainingSection
from faket_dask.errors import InputError
from faket_dask.pickers.classes import PickerClasses
from faket_dask.pickers.training_tomogram import TrainingTomogram

VOXEL_SIZE_TOLERANCE = 1e-3
"""Relative difference of voxel sizes that headers of equal tomograms may have."""

BLOCK_LAYERS, BLOCK_ROWS = 128, 64
"""Layers and rows that are read at a time: those of one chunk of a data set's tomogram."""


def check_grids(tomograms: Sequence[TrainingTomogram], patch: int) -> None:
    """Refuse tomograms that differ in voxel size, from their masks in shape, or are smaller than a patch.

    Raises
    ------
    InputError
        If any is such, or there is none.
    """
    if not tomograms:
        raise InputError(
            "there is no tomogram to train on; name a data set with tomograms, or folders of SHREC"
        )
    first = tomograms[0]
    for tomogram in tomograms:
        if tuple(tomogram.class_mask.shape) != tuple(tomogram.shape):
            raise InputError(
                f"tomogram {tomogram.name} has {_size(tomogram.shape)} voxels (z, y, x) and its class mask "
                f"{_size(tomogram.class_mask.shape)}; bring them on one grid"
            )
        if not np.isclose(tomogram.voxel_size_A, first.voxel_size_A, rtol=VOXEL_SIZE_TOLERANCE):
            raise InputError(
                f"tomogram {tomogram.name} has voxels of {tomogram.voxel_size_A:g} Å, {first.name} has "
                f"{first.voxel_size_A:g} Å; train on tomograms of one voxel size"
            )
        if min(tomogram.shape) < patch:
            raise InputError(
                f"tomogram {tomogram.name} has {_size(tomogram.shape)} voxels (z, y, x), fewer along an axis than a "
                f"patch of {patch}; choose smaller patches or thicker tomograms"
            )


def check_objects(
    tomograms: Sequence[TrainingTomogram], classes: PickerClasses, section: TrainingSection
) -> None:
    """Refuse tomograms without objects of a class, or with fewer objects than a batch has patches.

    Raises
    ------
    InputError
        If they are such.
    """
    if len(classes) < 2:
        raise InputError(
            "all classes are background, so there is nothing to learn; leave some of them out of it"
        )
    present = {int(label) for tomogram in tomograms for label in np.unique(tomogram.class_id)}
    for name, label in classes.labels.items():
        if label not in present:
            raise InputError(
                f"class {name} (label {label}) has no particle in any of the {len(tomograms)} tomograms to train on; "
                "add tomograms with some, or name it among the background classes"
            )
    objects = sum(int(np.isin(t.class_id, list(classes.labels.values())).sum()) for t in tomograms)
    if section.steps is None and objects < section.batch:
        raise InputError(
            f"an epoch has no step: there are {objects} objects, fewer than the {section.batch} patches of a batch; "
            "choose a smaller batch, or the number of steps"
        )
    if section.sampling is ObjectSampling.OBJECTS and (section.steps or 0) * section.batch > objects:
        raise InputError(
            f"an epoch of {section.steps} steps of {section.batch} patches needs more objects than the {objects} that "
            "there are; lower the steps, or sample by classes"
        )


def check_validation(
    tomograms: Sequence[TrainingTomogram], validation: Sequence[TrainingTomogram], classes: PickerClasses
) -> None:
    """Refuse tomograms for validation whose voxels or classes are not those of training.

    Raises
    ------
    InputError
        If they are such.
    """
    known = {**classes.labels, **classes.background}
    for tomogram in validation:
        if not np.isclose(tomogram.voxel_size_A, tomograms[0].voxel_size_A, rtol=VOXEL_SIZE_TOLERANCE):
            raise InputError(
                f"validation tomogram {tomogram.name} has voxels of {tomogram.voxel_size_A:g} Å, those to train on "
                f"have {tomograms[0].voxel_size_A:g} Å; they must be equal"
            )
        for name, label in tomogram.class_ids.items():
            if known.get(name) != label:
                raise InputError(
                    f"validation tomogram {tomogram.name} has the class {name} with label {label}, and those to train "
                    f"on have {known.get(name, 'no such class')}; they must have the same classes"
                )


def check_voxels(tomogram: TrainingTomogram, classes: PickerClasses) -> None:
    """Read a whole tomogram with its mask, and refuse NaN, infinity, and labels that are no class.

    Raises
    ------
    InputError
        If there is any, with the voxel of the first.
    """
    for region in _list_blocks(tomogram.shape):
        invalid = ~np.isfinite(np.asarray(tomogram.tomogram[region], dtype=np.float32))
        if invalid.any():
            raise InputError(
                f"tomogram {tomogram.name} holds NaN or infinity at voxel {_first(invalid, region)} (z, y, x); "
                "reconstruct it again"
            )
        mask = np.asarray(tomogram.class_mask[region])
        unknown = classes.to_channels(mask) < 0
        if unknown.any():
            raise InputError(
                f"the class mask of tomogram {tomogram.name} holds {mask[unknown][0]:g} at voxel "
                f"{_first(unknown, region)} (z, y, x), which is the label of no class; mend the mask or the list of "
                "particles"
            )


def _list_blocks(shape: Sequence[int]) -> Iterator[tuple[slice, slice, slice]]:
    for top in range(0, shape[0], BLOCK_LAYERS):
        for left in range(0, shape[1], BLOCK_ROWS):
            yield slice(top, top + BLOCK_LAYERS), slice(left, left + BLOCK_ROWS), slice(0, shape[2])


def _first(mask: np.ndarray, region: tuple[slice, slice, slice]) -> tuple[int, ...]:
    place = np.argwhere(mask)[0]
    return tuple(int(at + part.start) for at, part in zip(place, region, strict=True))


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
