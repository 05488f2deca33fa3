"""Classes of a picker: which labels they have in masks, and which channel of the network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.pickers.training_tomogram import TrainingTomogram
from faket_dask.specimen.class_names import DEPOSITS

BACKGROUND = "background"
"""Name of the first class."""


@dataclass(frozen=True)
class PickerClasses:
    """Classes in the order of the network's channels.

    Parameters
    ----------
    labels
        Label in masks of each class but the background, by name, in the order of the channels from 1.
    background
        Labels that are learnt as background, with their names.
    """

    labels: Mapping[str, int]
    background: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Names by channel."""
        return (BACKGROUND, *self.labels)

    def __len__(self) -> int:
        return len(self.labels) + 1

    @cached_property
    def lookup(self) -> NDArray[np.int64]:
        """Channel of each label; −1 for numbers that are no labels."""
        size = max([0, *self.labels.values(), *self.background.values()]) + 1
        channels = np.full(size, -1)
        channels[0] = 0
        channels[list(self.background.values())] = 0
        channels[list(self.labels.values())] = np.arange(1, len(self))
        return channels

    def to_channels(self, labels: NDArray[np.generic]) -> NDArray[np.int64]:
        """Convert labels of masks to channels.

        Examples
        --------
        >>> PickerClasses({"boot": 2, "lantern": 5}, {"vesicle": 3}).to_channels(np.array([0, 2, 3, 5, 4]))
        array([ 0,  1,  0,  2, -1])
        """
        whole = labels.astype(np.int64)
        known = (whole >= 0) & (whole < self.lookup.size)
        return np.where(known, self.lookup[np.where(known, whole, 0)], -1)


def agree_on_classes(
    tomograms: Sequence[TrainingTomogram], background: Collection[str] = ()
) -> PickerClasses:
    """Return the classes of all tomograms.

    Parameters
    ----------
    tomograms
        Labelled tomograms.
    background
        Names of classes that are learnt as background; carbon and contamination always are.

    Raises
    ------
    InputError
        If two tomograms give one class different labels or one label to two classes, or a class that is to be
        background is in none.
    """
    labels: dict[str, int] = {}
    owners: dict[int, tuple[str, str]] = {}
    for tomogram in tomograms:
        for name, label in tomogram.class_ids.items():
            owner, place = owners.setdefault(label, (name, tomogram.name))
            if owner != name:
                raise InputError(
                    f"label {label} is {name} in tomogram {tomogram.name} and {owner} in {place}; train on tomograms "
                    "whose classes have the same labels"
                )
            if labels.setdefault(name, label) != label:
                place = owners[labels[name]][1]
                raise InputError(
                    f"class {name} has label {label} in tomogram {tomogram.name} and {labels[name]} in {place}; train "
                    "on tomograms whose classes have the same labels"
                )
    unknown = sorted(set(background) - labels.keys())
    if unknown:
        raise InputError(
            f"the class {unknown[0]} is to be background, and no tomogram has it; they have {', '.join(labels)}"
        )
    hidden = {name: label for name, label in labels.items() if name in {*background, *DEPOSITS}}
    learnt = {name: label for name, label in labels.items() if name not in hidden}
    return PickerClasses(dict(sorted(learnt.items(), key=lambda item: item[1])), hidden)
