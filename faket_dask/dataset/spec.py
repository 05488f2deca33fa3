"""Specification of a data set: its resolved run file, and the facts about its input files.

It is written to the data set's folder when a run starts and read back by every worker; two workers that hold the same
specification compute the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from faket_dask.atomic import write_text
from faket_dask.config import BlendedReference, Reference, RunConfig, dump, load
from faket_dask.dataset.fingerprint import KERNEL_VERSION, result_inputs
from faket_dask.dataset.geometry import DatasetGeometry
from faket_dask.dataset.inputs import Inputs
from faket_dask.dataset.layout import Layout
from faket_dask.dataset.modality_noise import find_noise_model
from faket_dask.dataset.pairing import Series, pair_references
from faket_dask.dataset.streams import simulated_reference_stream, specimen_stream
from faket_dask.engine.pipeline import LAYOUT_VERSION, REMEDY, check_layout
from faket_dask.errors import InputError
from faket_dask.methods.noise import NOISE_MODELS, NoiseModel
from faket_dask.modalities import MODALITIES, Owner

PIPELINE = "tilt-series"
"""Name of the pipeline that computes data sets."""


@dataclass(frozen=True)
class DatasetSpec:
    """Resolved run file of a data set with the facts about its inputs.

    Parameters
    ----------
    config
        Resolved run file.
    inputs
        Facts about the files that it names.
    """

    config: RunConfig
    inputs: Inputs

    # As the engine sees it

    @property
    def folder(self) -> Layout:
        """Paths of the data set."""
        return Layout(self.config.dataset.folder)

    @property
    def title(self) -> str:
        """One line for plans and displays."""
        return f"{len(self.series)} series of {self.geometry.stack_text} (tilts, y, x)"

    @property
    def threads_per_task(self) -> int:
        """Number of threads that one unit uses."""
        return self.config.style.threads

    @property
    def device(self) -> str:
        """``"cuda"`` when any unit uses a GPU."""
        return "cuda" if "cuda" in (self.config.style.device, self.config.reconstruction.device) else "cpu"

    @cached_property
    def result_inputs(self) -> dict[str, Any]:
        """Contents of the fingerprint by section."""
        return result_inputs(self.config, self.inputs)

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digest of everything that a result depends on."""
        text = json.dumps(self.result_inputs, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts for the record of each run."""
        return {
            "kernel_version": KERNEL_VERSION,
            "seed": self.config.dataset.seed,
            "weights": self.config.style.weights,
            "weights_sha256": self.inputs.weights_checksum,
        }

    @property
    def description_files(self) -> frozenset[str]:
        """Files that a run writes into the folder before its description."""
        return frozenset({self.folder.config.name})

    def relocate(self, root: Path) -> DatasetSpec:
        """Return the same specification for another folder."""
        dataset = self.config.dataset.model_copy(update={"folder": root})
        return replace(self, config=self.config.model_copy(update={"dataset": dataset}))

    def write(self) -> None:
        """Store the specification in the data set's folder."""
        self.folder.root.mkdir(parents=True, exist_ok=True)
        write_text(self.folder.config, dump(self.config))
        document = {
            "pipeline": PIPELINE,
            "layout": LAYOUT_VERSION,
            "fingerprint": self.fingerprint,
            "inputs": self.inputs.to_json(),
        }
        write_text(self.folder.description, json.dumps(document, indent=1) + "\n")

    @classmethod
    def read(cls, root: Path) -> DatasetSpec:
        """Read the specification of an existing data set.

        Parameters
        ----------
        root
            Folder of the data set.

        Raises
        ------
        InputError
            If the folder holds no data set, one in another layout, or its description cannot be read.
        """
        folder = Layout(root.resolve())
        if not (folder.config.exists() and folder.description.exists()):
            raise InputError(f"{root} is not a data set: it has no config.yaml and plan.json")
        try:
            document = json.loads(folder.description.read_bytes())
            check_layout(folder.description, document)
            inputs = Inputs.from_json(document["inputs"])
        except InputError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{folder.description} is damaged ({type(error).__name__}: {error}); {REMEDY}"
            ) from None
        try:
            config = load(folder.config)
        except InputError as error:
            raise InputError(
                f"{folder.config} is damaged ({' '.join(str(error).split())}); {REMEDY}"
            ) from None
        return cls(config, inputs).relocate(folder.root)

    # Items

    @cached_property
    def specimens(self) -> list[str]:
        """Names of the specimens."""
        return [specimen_stream(index) for index in range(self.config.specimen.count)]

    @cached_property
    def references(self) -> dict[str, Reference]:
        """Sections of the run file's references by name."""
        return {reference.name: reference for reference in self.config.references}

    @cached_property
    def paired_references(self) -> list[str]:
        """Names of references that series are paired with: the blends where there are any, otherwise all."""
        blends = [
            name for name, reference in self.references.items() if isinstance(reference, BlendedReference)
        ]
        return blends or list(self.references)

    @cached_property
    def series(self) -> list[Series]:
        """All series, in order."""
        pairing, seed = self.config.pairing, self.config.dataset.seed
        return pair_references(self.specimens, self.paired_references, pairing, seed)

    @cached_property
    def series_by_name(self) -> dict[str, Series]:
        """All series by name."""
        return {series.name: series for series in self.series}

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each series, and of the first series of each specimen, from 1."""
        places: dict[str, int] = {}
        for place, series in enumerate(self.series, start=1):
            places.setdefault(series.name, place)
            places.setdefault(series.specimen, place)
        return places

    def blend_weights(self, reference: str) -> dict[str, float]:
        """Return the plain references of one with weights that add up to 1: itself, unless it is a blend or none."""
        return {} if not reference else self.references[reference].blend_weights

    def main_reference(self, reference: str) -> str:
        """Return the plain reference with the largest weight in one: itself, unless it is a blend."""
        weights = self.blend_weights(reference)
        return max(weights, key=lambda name: weights[name])

    @cached_property
    def used_references(self) -> list[str]:
        """Names of plain references whose statistics are needed."""
        used = {name for series in self.series for name in self.blend_weights(series.reference)}
        if self.config.noise.fit_over == "all_references":
            used |= {
                name
                for name, reference in self.references.items()
                if not isinstance(reference, BlendedReference)
            }
        return [name for name in self.references if name in used]

    @staticmethod
    def simulated_specimen(reference: str) -> str:
        """Return the name of the specimen that a simulated reference images."""
        return simulated_reference_stream(reference)

    @cached_property
    def geometry(self) -> DatasetGeometry:
        """Shapes, angles and pixel sizes."""
        specimen_by_series = {series.name: series.specimen for series in self.series}
        return DatasetGeometry(self.config, self.specimens, self.inputs.specimens, specimen_by_series)

    @property
    def makes_series(self) -> bool:
        """True if any kept modality depends on a reference."""
        owners = (MODALITIES.get(name).owner for name in self.config.outputs.modalities)
        return any(owner is Owner.SERIES for owner in owners)

    @property
    def uses_network(self) -> bool:
        """True if a style is transferred."""
        return "faket" in self.config.outputs.modalities

    @cached_property
    def studied_noise_models(self) -> list[NoiseModel]:
        """Noise models that are used and must know the references; others need the spectral one's power."""
        shown = {find_noise_model(modality) for modality in self.config.outputs.modalities}
        names = [name for name in NOISE_MODELS.names if name in shown]
        if self.makes_series:
            names.append(self.config.style.noise)
        counts = self.shares_background and self.config.noise.intensity == "counting"
        if self.config.noise.measures_spectra or counts:
            names.append("spectral")
        models = (NOISE_MODELS.get(name) for name in dict.fromkeys(names))
        return [model for model in models if model.arrays(1)]

    @property
    def shares_background(self) -> bool:
        """True if the tilts of a series share matter beside the specimen's."""
        return self.makes_series and self.config.background.source == "reference"

    @property
    def measures_common_power(self) -> bool:
        """True if the power that neighbouring tilts of references have in common is measured."""
        unpaired = self.makes_series and self.config.noise.statistics == "unpaired"
        return self.shares_background or unpaired

    @property
    def measures_spectra(self) -> bool:
        """True if spectra of references and of the signal are needed, for statistics or for shaped noise."""
        return bool(self.studied_noise_models)
