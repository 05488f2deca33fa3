"""What a data set will be: its resolved configuration, what its inputs were found to be, and all that follows.

A spec is written to the data set's folder when a run starts, and read back by every worker; two workers
that hold the same spec compute the same bytes. Its *fingerprint* covers what results depend on (the
configuration, the contents of the inputs and of the weights, the version of the kernels) and nothing else:
not where files lie, how many specimens are asked for, what is kept, or where it runs.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from faket_dask.config import BlendedReference, Reference, RunConfig, TiltSeriesReference, load
from faket_dask.dataset.acquisition import Acquisition, draw_acquisition
from faket_dask.dataset.layout import Layout
from faket_dask.dataset.pairing import Series, pair
from faket_dask.errors import InputError
from faket_dask.formats.files import write_text
from faket_dask.specimen.phantoms import PHANTOMS

KERNEL_VERSION = 3
"""Raised whenever a change to the code changes results, so that old and new are never mixed in one folder."""

BLOCK_ROWS = 64
"""Rows of y in one block: 16 files of 61 x 1024² projections, and 0.1 GB of density at 1024 x 200."""


@dataclass(frozen=True)
class Recording:
    """A recorded reference as it was found."""

    shape: tuple[int, int, int]
    tilt_angles: tuple[float, ...]
    pixel_size_A: float
    checksum: str
    clean_checksum: str | None = None
    mask_checksum: str | None = None


@dataclass(frozen=True)
class ExistingSpecimen:
    """An existing specimen volume as it was found; checksums of density, masks and particles in turn."""

    shape: tuple[int, int, int]
    checksums: tuple[str, ...]


@dataclass(frozen=True)
class Inputs:
    """What the configuration's files were found to be; `structures` are checksums in the order of the species."""

    recordings: dict[str, Recording]
    specimens: tuple[ExistingSpecimen, ...]
    structures: tuple[str, ...]
    weights_checksum: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Inputs:
        recordings = {
            name: Recording(
                tuple(item["shape"]),
                tuple(item["tilt_angles"]),
                item["pixel_size_A"],
                item["checksum"],
                item["clean_checksum"],
                item.get("mask_checksum"),
            )
            for name, item in document["recordings"].items()
        }
        specimens = tuple(
            ExistingSpecimen(tuple(item["shape"]), tuple(item["checksums"])) for item in document["specimens"]
        )
        return cls(recordings, specimens, tuple(document["structures"]), document["weights_checksum"])


@dataclass(frozen=True)
class DatasetSpec:
    """A resolved configuration with its inputs."""

    config: RunConfig
    inputs: Inputs

    @property
    def layout(self) -> Layout:
        return Layout(self.config.dataset.folder)

    @cached_property
    def essence(self) -> dict[str, Any]:
        """All that a result depends on, as plain data: no paths, no cluster, not what is kept or how many."""
        document = self.config.model_dump(
            mode="json", exclude={"version", "cluster", "outputs", "reconstruction"}
        )
        document["dataset"].pop("folder")
        specimen = document["specimen"]
        if specimen["kind"] == "built":
            specimen.pop("count")
            for species in specimen["species"]:
                sources = species["source"] or ()
                species["source"] = [source if source in PHANTOMS else "file" for source in sources]
        else:
            specimen.pop("volumes")
        for reference in document["references"]:
            for path in ("stack", "clean", "tilt_angles", "align"):
                reference.pop(path, None)
            if reference.get("mask", "none") not in ("artefacts", "none"):
                reference["mask"] = "file"
        document["style"].pop("memory_per_task_GiB")  # `tile`, settled from it, stands for it
        document["style"].pop("weights")
        document["style"].pop("random_seed")  # the weights' checksum, among the inputs, stands for both
        document["inputs"] = self.inputs.to_json()
        document["kernel_version"] = KERNEL_VERSION
        return document

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digest of everything that a result depends on."""
        text = json.dumps(self.essence, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def fingerprint_of(self, stage: str) -> str:
        """Digest of what the results of one stage depend on.

        Nothing but tomograms depends on how tomograms are made: other settings remake them and nothing else.
        """
        if stage not in ("filter", "reconstruct"):
            return self.fingerprint
        settings = self.config.reconstruction.model_dump_json(exclude={"modalities"})
        return f"{self.fingerprint}/{settings}"

    # Geometry

    def acquisition(self, item: str) -> Acquisition:
        """How a specimen is recorded, given its name or that of a series of it; drawn where ranges were given."""
        pair = self.series_by_name.get(item)
        specimen = item if pair is None else pair.specimen
        if specimen not in self._acquisitions:
            self._acquisitions[specimen] = draw_acquisition(self.config, specimen)
        return self._acquisitions[specimen]

    @cached_property
    def _acquisitions(self) -> dict[str, Acquisition]:
        return {}

    @property
    def tilt_shape(self) -> tuple[int, int]:
        """(y, x) pixels of the detector."""
        return self.config.acquisition.detector_px

    def stack_shape(self, item: str) -> tuple[int, int, int]:
        """(tilt, y, x) of the stacks of a specimen or series."""
        return (self.acquisition(item).tilt_angles.size, *self.tilt_shape)

    @cached_property
    def tilt_counts(self) -> tuple[int, int]:
        """Fewest and most tilts of a series."""
        counts = [self.acquisition(specimen).tilt_angles.size for specimen in self.specimens]
        return min(counts), max(counts)

    @property
    def stack_text(self) -> str:
        """Tilts x rows x columns, for people."""
        tilts = "-".join(map(str, dict.fromkeys(self.tilt_counts)))
        return f"{tilts} x {self.tilt_shape[0]} x {self.tilt_shape[1]}"

    @property
    def nominal_pixel_size_A(self) -> float:
        """The middle of the range of pixel sizes: that which references are brought to."""
        return self.config.acquisition.nominal_pixel_size_A

    def reference_pixel_size_A(self, reference: str) -> float:
        """Of a reference's tilts as they are studied."""
        if reference in self.inputs.recordings:
            return self.nominal_pixel_size_A
        return self.acquisition(self.reference_specimen(reference)).pixel_size_A

    def volume_shape(self, specimen: str) -> tuple[int, int, int]:
        """(z, y, x) voxels."""
        section = self.config.specimen
        if section.kind == "volume":
            return self.inputs.specimens[self.specimens.index(specimen)].shape
        return self.config.built_shape(section, self.acquisition(specimen).pixel_size_A)

    @property
    def blocks(self) -> int:
        return -(-self.tilt_shape[0] // BLOCK_ROWS)

    def rows(self, block: int) -> slice:
        """Rows of y of a block."""
        return slice(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, self.tilt_shape[0]))

    # Items

    @cached_property
    def specimens(self) -> list[str]:
        return [f"specimen-{index:03d}" for index in range(self.config.specimen.count)]

    @cached_property
    def references(self) -> dict[str, Reference]:
        return {reference.name: reference for reference in self.config.references}

    @cached_property
    def paired_references(self) -> list[str]:
        """References that series are paired with: the blends where there are any, otherwise all."""
        blends = [name for name, reference in self.references.items() if reference.kind == "blend"]
        return blends or list(self.references)

    @cached_property
    def series(self) -> list[Series]:
        return pair(self.specimens, self.paired_references, self.config.pairing, self.config.dataset.seed)

    @cached_property
    def series_by_name(self) -> dict[str, Series]:
        return {series.name: series for series in self.series}

    def parts(self, reference: str) -> list[tuple[str, float]]:
        """The references that one is made of, with weights that add up to 1: itself, unless it is a blend."""
        found = self.references[reference]
        if isinstance(found, BlendedReference):
            total = sum(found.weights.values())
            return [(name, weight / total) for name, weight in found.weights.items()]
        return [(reference, 1.0)]

    @cached_property
    def used_references(self) -> list[str]:
        """References whose statistics are needed, blends resolved."""
        used = {name for series in self.series for name, _ in self.parts(series.reference)}
        if self.config.noise.fit_over == "all_references":
            used |= {name for name, reference in self.references.items() if reference.kind != "blend"}
        return [name for name in self.references if name in used]

    def reference_angles(self, reference: str) -> np.ndarray:
        """(tilt,) degrees, of a recorded or simulated reference."""
        if reference in self.inputs.recordings:
            return np.asarray(self.inputs.recordings[reference].tilt_angles)
        return self.acquisition(self.reference_specimen(reference)).tilt_angles

    def reference_shape(self, reference: str) -> tuple[int, int]:
        """Tilts of a recorded or simulated reference, (y, x), at the acquisition's pixel size."""
        recording = self.inputs.recordings.get(reference)
        if recording is None:
            return self.tilt_shape
        section = self.references[reference]
        assert isinstance(section, TiltSeriesReference)
        factor = recording.pixel_size_A / self.nominal_pixel_size_A if section.resample else 1.0
        return resampled_shape(recording.shape[1:], factor)

    @property
    def makes_series(self) -> bool:
        """Whether anything is kept that a reference changes."""
        return bool(set(self.config.outputs.modalities) - {"benchmark"})

    @property
    def measures_spectra(self) -> bool:
        """Whether spectra of the references are needed: for statistics from them, or noise shaped to them."""
        modalities = self.config.outputs.modalities
        return (
            self.config.noise.statistics == "unpaired"
            or "spectral" in modalities
            or ("faket" in modalities and self.config.style.noise == "spectral")
        )

    @cached_property
    def spectrum_rings(self) -> int:
        """Rings that all spectra are measured in: as many as the smallest tilt of all has."""
        plain = (name for name, reference in self.references.items() if reference.kind != "blend")
        return min(*self.tilt_shape, *(size for name in plain for size in self.reference_shape(name))) // 2

    @staticmethod
    def reference_specimen(reference: str) -> str:
        """The specimen of its own that a simulated reference images."""
        return f"reference-{reference}"

    # On disk

    def write(self) -> None:
        """Store the spec in the data set's folder."""
        from faket_dask.config import dump

        self.layout.root.mkdir(parents=True, exist_ok=True)
        write_text(self.layout.config, dump(self.config))
        document = {"fingerprint": self.fingerprint, "inputs": self.inputs.to_json()}
        write_text(self.layout.plan, json.dumps(document, indent=1) + "\n")

    @classmethod
    def read(cls, root: Path) -> DatasetSpec:
        """Read the spec of an existing data set.

        Raises
        ------
        InputError
            When the folder holds no data set, or its configuration or plan cannot be read.
        """
        layout = Layout(root.resolve())
        if not (layout.config.exists() and layout.plan.exists()):
            raise InputError(f"{root} is not a data set: it has no config.yaml and plan.json")
        remedy = "restore it, or give the run file to `faket-dask run`, which writes it again and keeps what is done"
        try:
            config = load(layout.config)
        except InputError as error:
            raise InputError(
                f"{layout.config} is damaged ({' '.join(str(error).split())}); {remedy}"
            ) from None
        try:
            inputs = Inputs.from_json(json.loads(layout.plan.read_bytes())["inputs"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{layout.plan} is damaged ({type(error).__name__}: {error}); {remedy}"
            ) from None
        dataset = config.dataset.model_copy(update={"folder": layout.root})
        config = config.model_copy(update={"dataset": dataset})
        return cls(config, inputs)


def cached_spec(root: str, fingerprint: str) -> DatasetSpec:
    """The spec of a data set, read once per worker process, and again when the data set is extended.

    Raises
    ------
    InputError
        When the folder's spec is not the one that the task was made for.
    """
    written = Layout(Path(root)).config.stat().st_mtime_ns
    with _READING:  # threads that begin together need not all read it
        return _spec(root, fingerprint, written)


_READING = Lock()


@lru_cache(maxsize=4)
def _spec(root: str, fingerprint: str, written: int) -> DatasetSpec:
    spec = DatasetSpec.read(Path(root))
    if spec.fingerprint != fingerprint:
        raise InputError(
            f"{root} was changed while a run was going on: its fingerprint is no longer {fingerprint}"
        )
    return spec


def resampled_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Shape, (y, x), of an image with `factor` times as many pixels along either axis."""
    rows, columns = (max(1, round(size * factor)) for size in shape)
    return rows, columns
