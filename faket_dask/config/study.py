"""Study file: one YAML document that names models, their training tomograms, seeds and the scores that compare them.

A study trains each of its models once for each seed, picks particles in tomograms that none of them has seen, and
scores the picks. Paths are relative to the file.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, Tag, ValidationError, ValidationInfo, field_validator, model_validator

from faket_dask.config.outputs import ClusterSection
from faket_dask.config.training import Tomograms, TrainingSection
from faket_dask.documents.explain import explain
from faket_dask.documents.section import Section, kind_or, resolve_path
from faket_dask.documents.yaml_file import read_document
from faket_dask.errors import InputError

STUDY_FILE_VERSION = 1
"""Raised when keys of the study file change their names or their meaning."""

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Names of models, which are names of folders, too."""


class Selection(StrEnum):
    """Choice of the epoch whose network picks particles."""

    VALIDATION = "validation"
    """Epoch with the best mean voxel F1 in validation tomograms that no model learns from."""

    LAST = "last"
    """Last epoch; no validation tomograms are needed."""

    PUBLISHED = "published"
    """Best epoch in tomograms that models may learn from: the published choice, for comparison with it alone."""


class Clustering(StrEnum):
    """Method that makes particles of scores of voxels."""

    WATERSHED = "watershed"
    """Connected foreground, divided where particles touch."""

    MEAN_SHIFT = "mean_shift"
    """Mean shift, as DeepFinder does it; slow on large tomograms."""


class PickingSection(Section):
    """Particles from the scores of voxels."""

    clustering: Clustering = Field(default=Clustering.WATERSHED, description="watershed or mean_shift")
    binning: int = Field(
        default=2, ge=1, description="edge of the cubes of voxels whose scores are averaged first"
    )
    distance: float = Field(
        default=5.0,
        gt=0,
        description="least distance of particles, or bandwidth of mean shift, in voxels after binning",
    )
    smallest: dict[str, int] = Field(
        default_factory=dict, description="least number of voxels, after binning, of a particle by its class"
    )


class OneToOneScorer(Section):
    """Assignment of picks to particles, one to one, by distance."""

    kind: Literal["one_to_one"] = "one_to_one"
    radius_A: float = Field(gt=0, description="largest distance of a pick from its particle")


class Shrec2021Scorer(Section):
    """Scores of SHREC 2021: a pick belongs to the particle whose voxels it lies in."""

    kind: Literal["shrec2021"] = "shrec2021"
    left_out: tuple[str, ...] = Field(
        default=("4V94", "vesicle"), description="classes that are left out once picks are assigned"
    )
    not_expected: tuple[str, ...] = Field(
        default=("4V94",), description="those of them that do not count as particles to be found"
    )


class Czii2024Scorer(Section):
    """F-beta of the challenge of 2024 of the CZ Imaging Institute: hits within half the radius of a particle."""

    kind: Literal["czii2024"] = "czii2024"
    radius_A: dict[str, Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="radius of particles by class; others are not scored"
    )
    weight: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="weight of a class; 1 by default"
    )


Scorer = Annotated[
    Annotated[OneToOneScorer, Tag("one_to_one")]
    | Annotated[Shrec2021Scorer, Tag("shrec2021")]
    | Annotated[Czii2024Scorer, Tag("czii2024")],
    kind_or("one_to_one"),
]
"""Any rule that scores picks."""


class StudySection(Section):
    """Folder of the study."""

    folder: Path = Field(description="folder of models, picks, scores and the report")

    @field_validator("folder")
    @classmethod
    def _resolve(cls, value: Path, info: ValidationInfo) -> Path:
        return resolve_path(value, info)


class StudyTomograms(Section):
    """Sets of labelled tomograms; no specimen is in two of them."""

    train: tuple[Tomograms, ...] = Field(default=(), description="tomograms that models learn from")
    validation: tuple[Tomograms, ...] = Field(default=(), description="tomograms that judge epochs")
    test: tuple[Tomograms, ...] = Field(min_length=1, description="tomograms whose scores compare models")

    @model_validator(mode="after")
    def _states_modalities(self) -> Self:
        for role in ("validation", "test"):
            for number, source in enumerate(getattr(self, role)):
                if source.kind == "dataset" and "modality" not in source.model_fields_set:
                    raise ValueError(
                        f"{role}.{number} has no modality; name the one that models are judged by, such as benchmark"
                    )
        return self


class EntrySection(Section):
    """Model of a study: what it learns from. It is trained once for each seed."""

    modality: str | None = Field(
        default=None, description="modality of its training tomograms; that of the set by default"
    )
    tomograms: tuple[Tomograms, ...] | None = Field(
        default=None, min_length=1, description="training tomograms of its own, in place of the set train"
    )
    part: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="series, specimens or SHREC folders that it learns from, by name; all by default",
    )
    start: str | None = Field(
        default=None, alias="from", description="model before it in the file, whose weights it starts from"
    )
    epoch: int | None = Field(default=None, ge=1, description="epoch of that model; its last by default")
    training: TrainingSection | None = Field(
        default=None, description="settings that differ from those of all models"
    )

    @classmethod
    def key_types(cls) -> dict[str, Any]:
        """Return the keys with the types of their values; `start` is written ``from``."""
        return {field.alias or name: field.annotation for name, field in cls.model_fields.items()}

    @model_validator(mode="after")
    def _epoch_is_of_a_model(self) -> Self:
        if self.epoch is not None and self.start is None:
            raise ValueError("epoch is that of the model which `from` names; name one, or leave out epoch")
        return self


class StudyConfig(Section):
    """Contents of a study file."""

    version: Literal[1] = Field(default=1, description="version of the study file's keys")
    study: StudySection
    tomograms: StudyTomograms
    models: dict[str, EntrySection] = Field(min_length=1, description="models by name")
    seeds: tuple[int, ...] = Field(min_length=1, description="seeds; each trains every model once")
    selection: Selection = Field(
        default=Selection.VALIDATION, description="validation, last or published: epoch that picks"
    )
    training: TrainingSection = Field(default_factory=TrainingSection, description="settings of all models")
    picking: PickingSection = Field(default_factory=PickingSection, description="particles from scores")
    scorer: Scorer = Field(description="rule that scores picks")
    cluster: ClusterSection = ClusterSection()

    @model_validator(mode="before")
    @classmethod
    def _share_training(cls, document: Any) -> Any:
        """Give each model the settings of all, but for those that it has of its own."""
        if not isinstance(document, dict) or not isinstance(document.get("models"), dict):
            return document
        shared = document.get("training", {})
        if not isinstance(shared, dict):
            return document
        for training in (shared, *(_own_training(entry) for entry in document["models"].values())):
            if "seed" in training:
                raise ValueError("training has no seed in a study; list all of them under `seeds`")
        models = {
            name: {**entry, "training": {**shared, **own}} if (own := _own_training(entry)) else entry or {}
            for name, entry in document["models"].items()
        }
        return {**document, "models": models}

    @field_validator("models")
    @classmethod
    def _name_folders(cls, value: dict[str, EntrySection]) -> dict[str, EntrySection]:
        for name in value:
            if not re.fullmatch(NAME, name):
                raise ValueError(
                    f"models give folders their names; {name!r} is not of letters, digits, -, _ and ."
                )
        return value

    @field_validator("seeds")
    @classmethod
    def _differ(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        for seed, count in Counter(value).items():
            if seed < 0 or count > 1:
                raise ValueError(f"seeds are whole numbers from 0, each once; {seed} is not")
        return value

    @model_validator(mode="after")
    def _has_what_models_need(self) -> Self:
        if self.selection is not Selection.LAST and not self.tomograms.validation:
            raise ValueError(
                f"selection: {self.selection} chooses epochs by tomograms.validation; name some, or write "
                "`selection: last`"
            )
        before: dict[str, EntrySection] = {}
        for name, entry in self.models.items():
            if entry.tomograms is None and not self.tomograms.train:
                raise ValueError(f"models.{name} has nothing to learn from; add tomograms.train")
            self._check_start(name, entry, before)
            before[name] = entry
        return self

    def _check_start(self, name: str, entry: EntrySection, before: dict[str, EntrySection]) -> None:
        if entry.start is None:
            return
        if entry.start not in before:
            raise ValueError(f"models.{name}: from names {entry.start!r}, which is no model before it")
        own, training = self.training_of(name), self.training_of(entry.start)
        if (own.network, own.width, own.background) != (
            training.network,
            training.width,
            training.background,
        ):
            raise ValueError(
                f"models.{name} starts from {entry.start} and must have its network, width and background"
            )
        epoch = self.start_epoch(name)
        if epoch > training.epochs or (epoch != training.epochs and epoch % training.epochs_per_unit):
            raise ValueError(
                f"models.{name}: {entry.start} keeps its weights every {training.epochs_per_unit} epochs and after "
                f"the last, {training.epochs}; epoch {epoch} is none of these"
            )

    def start_epoch(self, name: str) -> int:
        """Return the epoch of another model that a model starts from."""
        entry = self.models[name]
        assert entry.start is not None
        return entry.epoch or self.training_of(entry.start).epochs

    def training_of(self, name: str) -> TrainingSection:
        """Return the settings of a model: those of all, but for its own."""
        return self.models[name].training or self.training


def _own_training(entry: Any) -> dict[str, Any]:
    own = entry.get("training") if isinstance(entry, dict) else None
    return own if isinstance(own, dict) else {}


def parse_study(document: Any, base: Path, source: Any = None) -> StudyConfig:
    """Check a parsed study file.

    Parameters
    ----------
    document
        Contents of the YAML file: a mapping of sections.
    base
        Folder that relative paths start from.
    source
        File that the document comes from, for messages.

    Raises
    ------
    InputError
        If anything is wrong; one line for each mistake.
    """
    if not isinstance(document, dict):
        raise InputError("a study file is a mapping of sections (study, tomograms, models, seeds, scorer, …)")
    try:
        return StudyConfig.model_validate(document, context={"base": base})
    except ValidationError as error:
        raise InputError(explain(error, StudyConfig, document=source)) from None


def load_study(path: str | Path) -> StudyConfig:
    """Read a study file.

    Raises
    ------
    InputError
        If the file cannot be read, is no YAML, or any value in it is wrong; one line per mistake.
    """
    path = Path(path)
    document = read_document(path, "study file")
    return parse_study(document.content, path.resolve().parent, document)


def dump_study(config: StudyConfig) -> str:
    """Return a study as YAML, which `load_study` reads back to an equal one."""
    document = config.model_dump(
        mode="json",
        by_alias=True,
        exclude={"training": {"seed"}, "models": {"__all__": {"training": {"seed"}}}},
    )
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
