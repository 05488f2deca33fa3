"""Refusal of studies that test what was learnt."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

from faket_dask.errors import InputError
from faket_dask.study.sources import OneTomogram

PUBLISHED_WARNING = (
    "selection: published chooses epochs by tomograms that models learn from, as FakET's study did; the scores are for "
    "comparison with it alone"
)


def check_leaks(
    training: Mapping[str, Sequence[OneTomogram]],
    validation: Sequence[OneTomogram],
    test: Sequence[OneTomogram],
    *,
    published: bool = False,
) -> None:
    """Refuse specimens of validation or test that models learn from, and those of the test in validation.

    A specimen is known by its list of objects, so that copies, other modalities of it and other styles are found.

    Parameters
    ----------
    training
        Tomograms that each model learns from.
    validation, test
        Tomograms that judge epochs, and that compare models.
    published
        True to allow validation by training tomograms, with a warning.

    Raises
    ------
    InputError
        If a specimen is in two sets.
    """
    for name, tomograms in training.items():
        _refuse_shared(test, tomograms, "tomograms.test", f"the training tomograms of models.{name}")
        if not published:
            _refuse_shared(
                validation, tomograms, "tomograms.validation", f"the training tomograms of models.{name}"
            )
    _refuse_shared(test, validation, "tomograms.test", "tomograms.validation")
    if published:
        warnings.warn(PUBLISHED_WARNING, stacklevel=2)


def _refuse_shared(
    one: Iterable[OneTomogram], other: Iterable[OneTomogram], one_set: str, other_set: str
) -> None:
    known = {tomogram.objects: tomogram for tomogram in other}
    for tomogram in one:
        same = known.get(tomogram.objects)
        if same is not None:
            also = "" if same.name == tomogram.name else f" (there as {same.name})"
            raise InputError(
                f"the specimen of {tomogram.name} in {one_set} is also in {other_set}{also}: scores would tell what "
                "was learnt by heart; take it out of one of them"
            )
