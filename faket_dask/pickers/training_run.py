"""Training of models in a folder: specification, pipeline, and the call that does it all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from distributed import Client

from faket_dask.atomic import write_text
from faket_dask.config.training import ModelSection, Tomograms
from faket_dask.engine.events import Watcher
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.pipeline import Pipeline, open_description
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.engine.specification import digest_inputs
from faket_dask.engine.stage import BatchKey
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.pickers.model import TRAINING_VERSION, Model
from faket_dask.pickers.sources import fingerprint_tomograms
from faket_dask.pickers.training_data import TrainingData
from faket_dask.pickers.training_stage import TrainEpochs

_NAME = re.compile(r"[\w][\w .+-]*")


@dataclass(frozen=True)
class TrainingSpec:
    """Models of a folder with the digests of their inputs.

    Parameters
    ----------
    root
        Folder of the run.
    sections
        Settings of each model by its name.
    inputs
        Digests of tomograms and starting checkpoints by model.
    """

    root: Path
    sections: Mapping[str, ModelSection]
    inputs: Mapping[str, Mapping[str, Any]]

    description_files = frozenset[str]()

    @classmethod
    def create(cls, folder: str | Path, sections: Mapping[str, ModelSection]) -> TrainingSpec:
        """Check all models, and return their specification; nothing is written.

        Parameters
        ----------
        folder
            Folder of the run.
        sections
            Settings of each model by its name.

        Raises
        ------
        InputError
            If a name cannot be that of a folder, or data cannot be trained on.
        UnfinishedError
            If a data set is not complete.
        """
        if not sections:
            raise InputError("there is no model to train; name at least one")
        inputs, checked = {}, set[str]()
        digest = cache(fingerprint_tomograms)  # models share tomograms, and checksums of files take time
        for name, section in sections.items():
            if not _NAME.fullmatch(name):
                raise InputError(
                    f"models give folders their names, and {name!r} cannot be one; use letters and digits"
                )
            inputs[name] = _describe_inputs(section, digest)
            data = TrainingData.open(section)
            data.check(section)
            key = json.dumps(
                [inputs[name]["tomograms"], inputs[name]["validation"], sorted(data.classes.labels)]
            )
            if key not in checked:
                data.check_voxels()
                checked.add(key)
        return cls(Path(folder).resolve(), dict(sections), inputs)

    @property
    def folder(self) -> RunFolder:
        """Paths of the run."""
        return RunFolder(self.root)

    @property
    def models(self) -> dict[str, Model]:
        """All models by name."""
        return {
            name: Model(name, section, self.root, self.inputs[name])
            for name, section in self.sections.items()
        }

    @property
    def title(self) -> str:
        """One line for plans and displays."""
        networks = sorted({section.training.network for section in self.sections.values()})
        return f"{len(self.sections)} models of {', '.join(networks)}"

    @property
    def threads_per_task(self) -> int:
        """Largest number of threads of any model."""
        return max(section.training.threads for section in self.sections.values())

    @property
    def device(self) -> str:
        """``"cuda"`` when any model is trained on a GPU."""
        devices = {section.training.device for section in self.sections.values()}
        return "cuda" if "cuda" in devices else "cpu"

    @cached_property
    def result_inputs(self) -> dict[str, Any]:
        """Contents of the fingerprint by model."""
        return {name: model.result_inputs for name, model in self.models.items()}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that a result depends on."""
        return digest_inputs(self.result_inputs)

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts for the record of each run."""
        return {"training_version": TRAINING_VERSION}

    def relocate(self, root: Path) -> TrainingSpec:
        """Return the same specification for another folder."""
        return replace(self, root=root)

    def write(self) -> None:
        """Store the specification in its folder."""
        self.root.mkdir(parents=True, exist_ok=True)
        document = {
            **TRAINING.describe(self),
            "models": {name: section.model_dump(mode="json") for name, section in self.sections.items()},
            "inputs": self.inputs,
        }
        write_text(self.folder.description, json.dumps(document, indent=1) + "\n")

    @classmethod
    def read(cls, root: Path) -> TrainingSpec:
        """Read the specification of an existing folder.

        Raises
        ------
        InputError
            If it holds none, or its description cannot be read.
        """
        with open_description(root, "trainings") as document:
            sections = {
                name: ModelSection.model_validate(section) for name, section in document["models"].items()
            }
            return cls(root.resolve(), sections, document["inputs"])


def _describe_inputs(section: ModelSection, digest: Callable[[Tomograms], str]) -> dict[str, Any]:
    start = None
    if section.start is not None:
        Checkpoint.read(section.start)
        start = hashlib.sha256(section.start.read_bytes()).hexdigest()
    return {
        "tomograms": [digest(source) for source in section.tomograms],
        "validation": [digest(source) for source in section.validation],
        "start": start,
    }


class TrainModels(TrainEpochs[TrainingSpec]):
    """Train one piece of the epochs of one model of a folder."""

    def models(self, spec: TrainingSpec) -> dict[str, Model]:
        """Return all models."""
        return spec.models


def _list_products(spec: TrainingSpec) -> list[BatchKey]:
    return [BatchKey(TrainModels.name, model.items[-1]) for model in spec.models.values()]


TRAINING: Pipeline[TrainingSpec] = Pipeline(
    name="training",
    target="faket_dask.pickers.training_run:TRAINING",
    stages=(TrainModels(),),
    read=TrainingSpec.read,
    list_products=_list_products,
    product_name="models",
    unit_name="pieces",
)
"""Pipeline of trainings."""


def train_models(
    folder: str | Path,
    models: Mapping[str, ModelSection],
    client: Client | None = None,
    *,
    workers: int | None = None,
    watch: Watcher | None = None,
) -> dict[str, Checkpoint]:
    """Train models, several at a time, and resume what an earlier call has begun in the folder.

    Parameters
    ----------
    folder
        Folder of checkpoints and progress.
    models
        Settings of each model by its name.
    client
        Dask client to train with; processes on this machine by default.
    workers
        Largest number of processes.
    watch
        Called with every event of the run.

    Returns
    -------
    checkpoints
        State of each model after its last epoch.

    Raises
    ------
    InputError
        Before anything is trained: if data or settings cannot be used, or the folder holds other trainings.
    UnfinishedError
        If a data set is not complete, or a piece failed for good.
    """
    spec = TrainingSpec.create(folder, models)
    failures = run_plan(Plan(spec, TRAINING), Execution(client=client, workers=workers), watch)
    if failures:
        raise UnfinishedError(f"{failures[0].unit}: {failures[0].cause}; call again to go on from there")
    return read_models(spec.root)


def read_models(folder: str | Path) -> dict[str, Checkpoint]:
    """Read the last checkpoint of each model of a folder.

    Raises
    ------
    InputError
        If the folder holds no trainings, or one is not complete.
    """
    spec = TrainingSpec.read(Path(folder))
    return {name: Checkpoint.read(model.checkpoint(-1)) for name, model in spec.models.items()}
