"""Modalities: kinds of tilt-series in a data set, and everything that depends on the kind alone.

A new modality is a row of this table and a stage that makes it. Run files, reports, displays, tomograms and exports
read from the table where a modality is stored, which stage makes it, and how it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

SIMULATED = "benchmark"
"""Modality of images by the microscope model."""


class Owner(StrEnum):
    """Item whose store holds a modality."""

    SPECIMEN = "specimen"
    SERIES = "series"


@dataclass(frozen=True)
class Modality:
    """One kind of tilt-series.

    Parameters
    ----------
    name
        Name in run files, and of the array in the store.
    owner
        Item that the modality belongs to: a specimen's are shared by all series of that specimen.
    stage
        Stage whose units write the tilts.
    colour
        Colour in charts, distinguishable from the others with any colour vision.
    is_noise
        True for a projection with synthetic noise and without style transfer.
    description
        Description in one line.
    always_kept
        True where every data set holds it, whether its run file names it or not.
    """

    name: str
    owner: Owner
    stage: str
    colour: str
    is_noise: bool
    description: str
    always_kept: bool = False


class ModalityRegistry:
    """Modalities by name, ordered from the bare projection to the finished image.

    Examples
    --------
    >>> MODALITIES.get("faket").owner
    <Owner.SERIES: 'series'>
    >>> MODALITIES.kept(["faket", "noisy"])
    ('noiseless', 'faket', 'noisy')
    >>> MODALITIES.select(Owner.SPECIMEN)
    ('noiseless', 'benchmark')
    """

    def __init__(self, modalities: Iterable[Modality] = ()) -> None:
        self._by_name: dict[str, Modality] = {}
        for modality in modalities:
            self.register(modality)

    def register(self, modality: Modality) -> None:
        """Add a modality.

        Raises
        ------
        ValueError
            If there is one of this name.
        """
        if modality.name in self._by_name:
            raise ValueError(f"there is a modality {modality.name!r} already")
        self._by_name[modality.name] = modality

    def get(self, name: str) -> Modality:
        """Return a modality by its name.

        Raises
        ------
        KeyError
            If there is none of this name.
        """
        return self._by_name[name]

    def __iter__(self) -> Iterator[Modality]:
        return iter(self._by_name.values())

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all modalities."""
        return tuple(self._by_name)

    @property
    def optional(self) -> tuple[str, ...]:
        """Names that a run file may list as kept: all but those that are kept always."""
        return tuple(modality.name for modality in self if not modality.always_kept)

    def kept(self, requested: Iterable[str]) -> tuple[str, ...]:
        """Return the modalities that a data set holds, given those that its run file lists; each once."""
        always = (modality.name for modality in self if modality.always_kept)
        return tuple(dict.fromkeys((*always, *requested)))

    def select(self, owner: Owner | None = None, *, is_noise: bool | None = None) -> tuple[str, ...]:
        """Return the names of the modalities of an owner, and of those with or without synthetic noise."""
        return tuple(
            modality.name
            for modality in self
            if (owner is None or modality.owner is owner)
            and (is_noise is None or modality.is_noise is is_noise)
        )


MODALITIES = ModalityRegistry(
    [
        Modality(
            "noiseless",
            Owner.SPECIMEN,
            "project",
            "#8a8f98",
            False,
            "projections of the specimen's density",
            always_kept=True,
        ),
        Modality(
            "content",
            Owner.SERIES,
            "synthesise",
            "#56b4e9",
            True,
            "projections with a part of the noise, whose content a transfer keeps",
        ),
        Modality(
            "baseline",
            Owner.SERIES,
            "synthesise",
            "#d55e00",
            True,
            "projections with white noise, equally strong at all tilt angles",
        ),
        Modality(
            "noisy",
            Owner.SERIES,
            "synthesise",
            "#e69f00",
            True,
            "projections with white noise as strong as the reference's at each tilt angle",
        ),
        Modality(
            "spectral",
            Owner.SERIES,
            "synthesise",
            "#cc79a7",
            True,
            "projections with noise of the reference's strength and power spectrum",
        ),
        Modality(
            "faket",
            Owner.SERIES,
            "synthesise",
            "#0072b2",
            False,
            "projections in the reference's style",
        ),
        Modality(
            SIMULATED,
            Owner.SPECIMEN,
            "simulate",
            "#009e73",
            False,
            "images of the specimen by the microscope model",
        ),
    ]
)
"""All modalities; the colours are Okabe and Ito's."""
