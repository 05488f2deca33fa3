"""Specification of a study: its file with the tomograms that it names, and the digests of these."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from faket_dask.atomic import write_text
from faket_dask.config.study import Czii2024Scorer, Selection, StudyConfig, dump_study, parse_study
from faket_dask.config.training import ModelSection, Tomograms, TrainingSection, Validation
from faket_dask.documents.yaml_file import read_document
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.pipeline import LAYOUT_VERSION, open_description
from faket_dask.engine.specification import digest_inputs
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.pickers.checks import check_validation
from faket_dask.pickers.chunk_cache import ChunkCache
from faket_dask.pickers.model import CHANGEABLE, Model
from faket_dask.pickers.sampling import PatchSampler
from faket_dask.pickers.sources import fingerprint_tomograms, open_tomograms
from faket_dask.pickers.training_data import TrainingData
from faket_dask.study.leaks import check_leaks
from faket_dask.study.sources import OneTomogram, list_tomograms, list_training_tomograms

STUDY_VERSION = 1
"""Raised whenever the same study gives other scores."""

PIPELINE = "study"
CONFIG_FILE = "study.yaml"

_SOURCES: TypeAdapter[Tomograms] = TypeAdapter(Tomograms)


class Role(StrEnum):
    """Use of a tomogram that is scored."""

    VALIDATION = "validation"
    TEST = "test"


class ScoredTomogram(NamedTuple):
    """Tomogram in which all models pick particles.

    Parameters
    ----------
    role
        Its use.
    name
        Name of its series, specimen or folder, unique for the role.
    source
        Source that has it alone.
    """

    role: Role
    name: str
    source: Tomograms

    @property
    def part(self) -> str:
        """Name among the results of a model."""
        return f"{self.role}-{self.name}"


class ModelSize(NamedTuple):
    """Amount of work of an epoch of a model.

    Parameters
    ----------
    class_names
        Names of its classes by channel, background first.
    steps
        Steps of an epoch.
    judged_voxels
        Voxels that are segmented after an epoch.
    """

    class_names: tuple[str, ...]
    steps: int
    judged_voxels: int

    @property
    def classes(self) -> int:
        """Number of classes, background included."""
        return len(self.class_names)


class StudySizes(NamedTuple):
    """Amounts of work of a study.

    Parameters
    ----------
    models
        Those of each model.
    scored
        Shape ``(z, y, x)`` of each scored tomogram, by its part.
    voxel_size_A
        Edge of a voxel of all of them.
    """

    models: Mapping[str, ModelSize]
    scored: Mapping[str, tuple[int, int, int]]
    voxel_size_A: float


class Result(NamedTuple):
    """Picks of one model in one tomogram.

    Parameters
    ----------
    entry, seed
        Model.
    tomogram
        Tomogram.
    """

    entry: str
    seed: int
    tomogram: ScoredTomogram

    @property
    def item(self) -> Item:
        """Item of the units that make it."""
        return Item(model_name(self.entry, self.seed), self.tomogram.part)


def model_name(entry: str, seed: int) -> str:
    """Return the name of a model's training with a seed.

    Examples
    --------
    >>> model_name("faket", 3)
    'faket-seed-3'
    """
    return f"{entry}-seed-{seed}"


@dataclass(frozen=True)
class StudySpec:
    """Study with all tomograms by name.

    Parameters
    ----------
    root
        Folder of the study.
    config
        Study file.
    training
        Sources of the training tomograms of each model.
    scored
        Tomograms in which picks are scored.
    inputs
        Digests of all tomograms.
    sizes
        Amounts of work, by which costs are estimated.
    """

    root: Path
    config: StudyConfig
    training: Mapping[str, tuple[Tomograms, ...]]
    scored: tuple[ScoredTomogram, ...]
    inputs: Mapping[str, Any]
    sizes: StudySizes

    description_files = frozenset({CONFIG_FILE})

    @classmethod
    def create(cls, config: StudyConfig) -> StudySpec:
        """Find and check all tomograms, and return the specification; nothing is written.

        Raises
        ------
        InputError
            If a tomogram is not there, is in two sets, or cannot be trained on.
        UnfinishedError
            If a data set is not complete.
        """
        training = {name: list_training_tomograms(config, name) for name in config.models}
        roles = {
            Role.VALIDATION: list_tomograms(config.tomograms.validation),
            Role.TEST: list_tomograms(config.tomograms.test),
        }
        check_leaks(
            training,
            roles[Role.VALIDATION],
            roles[Role.TEST],
            published=config.selection is Selection.PUBLISHED,
        )
        spec = cls(
            config.study.folder,
            config,
            {name: tuple(one.source for one in tomograms) for name, tomograms in training.items()},
            tuple(scored for role, tomograms in roles.items() for scored in _name_scored(role, tomograms)),
            {},
            StudySizes({}, {}, 0.0),
        )
        spec = replace(spec, inputs=spec._describe_inputs())
        return replace(spec, sizes=spec._check_data())

    @property
    def folder(self) -> RunFolder:
        """Paths of the run."""
        return RunFolder(self.root)

    @property
    def report(self) -> Path:
        """Report of the study."""
        return self.root / "report.html"

    @property
    def table(self) -> Path:
        """Table of all scores."""
        return self.root / "table.csv"

    @property
    def outputs(self) -> Path:
        """Record of the report and the table."""
        return self.folder.progress / "outputs.jsonl"

    @cached_property
    def models(self) -> dict[str, Model]:
        """Trainings of all models with all seeds, by name."""
        models: dict[str, Model] = {}
        for entry in self.config.models:
            for seed in self.config.seeds:
                name = model_name(entry, seed)
                section, inputs = self._section(entry, seed, models), self._list_inputs(entry, seed, models)
                models[name] = Model(name, section, self.root, inputs)
        return models

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """Picks of all models in all tomograms."""
        return tuple(
            Result(entry, seed, tomogram)
            for entry in self.config.models
            for seed in self.config.seeds
            for tomogram in self.scored
        )

    @cached_property
    def results_by_item(self) -> dict[Item, Result]:
        """Those by the item of their units."""
        return {result.item: result for result in self.results}

    @cached_property
    def tomograms(self) -> dict[str, ScoredTomogram]:
        """Scored tomograms by their part."""
        return {one.part: one for one in self.scored}

    @property
    def validation(self) -> tuple[Tomograms, ...]:
        """Sources of the tomograms that judge epochs."""
        return tuple(one.source for one in self.scored if one.role is Role.VALIDATION)

    @property
    def title(self) -> str:
        """One line for plans and displays."""
        models, seeds = len(self.config.models), len(self.config.seeds)
        return f"{models} models with {seeds} seeds, scored in {len(self.scored)} tomograms"

    @property
    def threads_per_task(self) -> int:
        """Largest number of threads of any training."""
        return max(self.config.training_of(name).threads for name in self.config.models)

    @property
    def device(self) -> str:
        """``"cuda"`` when any model is trained on a GPU."""
        devices = {self.config.training_of(name).device for name in self.config.models}
        return "cuda" if "cuda" in devices else "cpu"

    @cached_property
    def result_inputs(self) -> dict[str, Any]:
        """Contents of the fingerprint by section; without the seeds, so that a study can be given more of them."""
        document = self.config.model_dump(mode="json", by_alias=True, exclude={"study", "seeds", "cluster"})
        unimportant = {"seed", *CHANGEABLE} - {"epochs"}
        del document["tomograms"]
        for name, model in document["models"].items():
            document["models"][name] = {
                "training": self.config.training_of(name).model_dump(mode="json", exclude=unimportant),
                "from": model["from"],
                "epoch": model["epoch"],
            }
        del document["training"]
        return {**document, "tomograms": self.inputs, "study_version": STUDY_VERSION}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that a result depends on."""
        return digest_inputs(self.result_inputs)

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts for the record of each run."""
        return {"seeds": list(self.config.seeds), "study_version": STUDY_VERSION}

    def relocate(self, root: Path) -> StudySpec:
        """Return the same specification for another folder."""
        return replace(self, root=root)

    def write(self) -> None:
        """Store the study file and the description of its run."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_text(self.root / CONFIG_FILE, dump_study(self.config))
        document = {
            "pipeline": PIPELINE,
            "layout": LAYOUT_VERSION,
            "fingerprint": self.fingerprint,
            "training": {
                name: [_dump_source(source) for source in sources] for name, sources in self.training.items()
            },
            "scored": [
                {"role": one.role, "name": one.name, "source": _dump_source(one.source)}
                for one in self.scored
            ],
            "inputs": self.inputs,
            "sizes": {
                "models": {name: size._asdict() for name, size in self.sizes.models.items()},
                "scored": self.sizes.scored,
                "voxel_size_A": self.sizes.voxel_size_A,
            },
        }
        write_text(self.folder.description, json.dumps(document, indent=1) + "\n")

    @classmethod
    def read(cls, root: Path) -> StudySpec:
        """Read the specification of an existing folder.

        Raises
        ------
        InputError
            If it holds none, or its description cannot be read.
        """
        root = root.resolve()
        with open_description(root, "a study") as document:
            if document.get("pipeline") != PIPELINE:
                raise InputError(
                    f"{root} holds a run of {document.get('pipeline')} and no study; name that of a study"
                )
            config = parse_study(read_document(root / CONFIG_FILE, "study file").content, root)
            return cls(
                root,
                config,
                {
                    name: tuple(_SOURCES.validate_python(source) for source in sources)
                    for name, sources in document["training"].items()
                },
                tuple(
                    ScoredTomogram(Role(one["role"]), one["name"], _SOURCES.validate_python(one["source"]))
                    for one in document["scored"]
                ),
                document["inputs"],
                StudySizes(
                    {
                        name: ModelSize(**{**size, "class_names": tuple(size["class_names"])})
                        for name, size in document["sizes"]["models"].items()
                    },
                    {name: (z, y, x) for name, (z, y, x) in document["sizes"]["scored"].items()},
                    float(document["sizes"]["voxel_size_A"]),
                ),
            )

    def _section(self, entry: str, seed: int, before: Mapping[str, Model]) -> ModelSection:
        training: TrainingSection = self.config.training_of(entry).model_copy(update={"seed": seed})
        start = self.config.models[entry].start
        return ModelSection.model_construct(
            tomograms=self.training[entry],
            validation=self.validation,
            start=None if start is None else self._find_start(before[model_name(start, seed)], entry),
            training=training,
        )

    def _list_inputs(self, entry: str, seed: int, before: Mapping[str, Model]) -> dict[str, Any]:
        """Return the digests that a training depends on."""
        start = self.config.models[entry].start
        parent = None if start is None else before[model_name(start, seed)]
        return {
            "tomograms": self.inputs["training"][entry],
            "validation": [
                self.inputs["scored"][one.part] for one in self.scored if one.role is Role.VALIDATION
            ],
            "start": None if parent is None else [parent.fingerprint, self.config.start_epoch(entry)],
        }

    def _find_start(self, model: Model, entry: str) -> Path:
        return model.checkpoint(self.find_start_piece(model, entry))

    def find_start_piece(self, model: Model, entry: str) -> int:
        """Return the index of the piece of another model's epochs after which a model starts."""
        last = self.config.start_epoch(entry)
        return next(index for index, piece in enumerate(model.pieces) if piece.last == last)

    def find_model(self, name: str) -> tuple[str, int]:
        """Return the name in the file and the seed of a training."""
        entry, _, seed = name.rpartition("-seed-")
        return entry, int(seed)

    def _check_data(self) -> StudySizes:
        """Refuse tomograms that cannot be trained on, or scored, and measure the rest."""
        chunks = ChunkCache()
        models, checked = {}, set[str]()
        for entry in self.config.models:
            section = self.models[model_name(entry, self.config.seeds[0])].section
            try:
                data = TrainingData.open(section, chunks)
                data.check(section)
                key = json.dumps([self.inputs["training"][entry], list(data.classes.names)])
                if key not in checked:
                    data.check_voxels()
                checked.add(key)
            except InputError as error:
                raise InputError(f"models.{entry}: {error}") from None
            models[entry] = _measure_model(section.training, data)
        check_classes(self.config, {name for size in models.values() for name in size.class_names[1:]})
        scored = {}
        for one in self.scored:
            [tomogram] = open_tomograms([one.source], chunks)
            z, y, x = tomogram.shape
            scored[one.part] = (z, y, x)
            check_validation(data.tomograms, [tomogram], data.classes)
        return StudySizes(models, scored, data.tomograms[0].voxel_size_A)

    def _describe_inputs(self) -> dict[str, Any]:
        digest = cache(fingerprint_tomograms)  # models share tomograms, and checksums of files take time
        return {
            "training": {
                name: [digest(source) for source in sources] for name, sources in self.training.items()
            },
            "scored": {one.part: digest(one.source) for one in self.scored},
        }


def check_classes(config: StudyConfig, learnt: Collection[str]) -> None:
    """Refuse settings of classes that no model learns.

    Raises
    ------
    InputError
        If there is one.
    """
    named: dict[str, Collection[str]] = {"picking.smallest": config.picking.smallest}
    if isinstance(config.scorer, Czii2024Scorer):
        named |= {"scorer.radius_A": config.scorer.radius_A, "scorer.weight": config.scorer.weight}
    for key, classes in named.items():
        for name in classes:
            if name not in learnt:
                raise InputError(
                    f"{key} has the class {name}, which is not learnt; classes are {', '.join(sorted(learnt))}"
                )


def _measure_model(training: TrainingSection, data: TrainingData) -> ModelSize:
    if training.validation is Validation.PATCHES:
        judged = len(PatchSampler(data.validation, data.classes, training)) if data.validation else 0
        voxels = judged * training.patch**3
    else:
        voxels = sum(math.prod(tomogram.shape) for tomogram in data.validation)
    return ModelSize(data.classes.names, PatchSampler(data.tomograms, data.classes, training).steps, voxels)


def _name_scored(role: Role, tomograms: Sequence[OneTomogram]) -> list[ScoredTomogram]:
    """Name the tomograms of a role, with numbers where a name is not unique."""
    named: list[ScoredTomogram] = []
    taken: set[str] = set()
    for tomogram in tomograms:
        name = plain = re.sub(r"[^A-Za-z0-9_.-]", "-", tomogram.name)
        number = 1
        while name in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name)
        named.append(ScoredTomogram(role, name, tomogram.source))
    return named


def _dump_source(source: Tomograms) -> dict[str, Any]:
    return source.model_dump(mode="json")
