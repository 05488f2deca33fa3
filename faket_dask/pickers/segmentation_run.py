"""Segmentation of tomograms by a trained network, in a folder of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import zarr
from distributed import Client
from pydantic import TypeAdapter

from faket_dask.atomic import write_text
from faket_dask.config.training import AnyTomograms, SegmentationSection, TomogramFiles
from faket_dask.engine.arrays import open_array
from faket_dask.engine.events import Watcher
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.pipeline import Pipeline, open_description
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.engine.specification import digest_inputs
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.formats.mrc import open_volume
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.pickers.segmentation_stage import (
    SCORES,
    MeasureTomogram,
    SegmentationInput,
    SegmentBlocks,
    TomogramSegmentation,
    read_trained,
)
from faket_dask.pickers.sources import fingerprint_tomograms, open_tomograms

_SOURCES: TypeAdapter[tuple[AnyTomograms, ...]] = TypeAdapter(tuple[AnyTomograms, ...])


@dataclass(frozen=True)
class SegmentationSpec:
    """Tomograms and the network that segments them.

    Parameters
    ----------
    root
        Folder of the results.
    checkpoint
        File of the trained network.
    sections
        Tomograms.
    blocks
        Settings of the blocks.
    inputs
        Digests of checkpoint and tomograms.
    threads
        Threads of a unit; part of the result.
    device
        Device that computes.
    """

    root: Path
    checkpoint: Path
    sections: tuple[AnyTomograms, ...]
    blocks: SegmentationSection
    inputs: Mapping[str, Any]
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"

    description_files = frozenset[str]()

    @property
    def folder(self) -> RunFolder:
        """Paths of the run."""
        return RunFolder(self.root)

    @cached_property
    def sources(self) -> dict[str, SegmentationInput]:
        """All tomograms by name, opened; no voxel is read."""
        sources = [source for section in self.sections for source in _open_sources(section)]
        return {source.name: source for source in sources}

    @cached_property
    def trained(self) -> Checkpoint:
        """Checkpoint of the network."""
        return Checkpoint.read(self.checkpoint)

    @property
    def title(self) -> str:
        """One line for plans and displays."""
        return f"{len(self.sources)} tomograms segmented by {self.checkpoint.name}"

    @property
    def threads_per_task(self) -> int:
        """Number of threads of a unit."""
        return self.threads

    @cached_property
    def result_inputs(self) -> dict[str, Any]:
        """Contents of the fingerprint."""
        settings = {
            "blocks": self.blocks.model_dump(mode="json"),
            "threads": self.threads,
            "device": self.device,
        }
        return {**settings, **self.inputs}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that a result depends on."""
        return digest_inputs(self.result_inputs)

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts for the record of each run."""
        return {"checkpoint": str(self.checkpoint)}

    def relocate(self, root: Path) -> SegmentationSpec:
        """Return the same specification for another folder."""
        return replace(self, root=root)

    def moments(self, name: str) -> Path:
        """Return the Zarr group of a tomogram's moments."""
        return self.root / "moments" / f"{name}.zarr"

    def scores(self, name: str) -> Path:
        """Return the Zarr group of a tomogram's scores."""
        return self.root / "segmentations" / f"{name}.zarr"

    def write(self) -> None:
        """Store the specification in its folder."""
        self.root.mkdir(parents=True, exist_ok=True)
        document = {
            **SEGMENTATION.describe(self),
            "checkpoint": str(self.checkpoint),
            "tomograms": _SOURCES.dump_python(self.sections, mode="json"),
            "blocks": self.blocks.model_dump(mode="json"),
            "inputs": self.inputs,
            "threads": self.threads,
            "device": self.device,
        }
        write_text(self.folder.description, json.dumps(document, indent=1) + "\n")

    @classmethod
    def read(cls, root: Path) -> SegmentationSpec:
        """Read the specification of an existing folder.

        Raises
        ------
        InputError
            If it holds none, or its description cannot be read.
        """
        with open_description(root, "segmentations") as document:
            return cls(
                root.resolve(),
                Path(document["checkpoint"]),
                _SOURCES.validate_python(document["tomograms"]),
                SegmentationSection.model_validate(document["blocks"]),
                document["inputs"],
                document["threads"],
                document["device"],
            )


def _open_sources(section: AnyTomograms) -> list[SegmentationInput]:
    if isinstance(section, TomogramFiles):
        volumes = [open_volume(path) for path in section.files]
        return [
            SegmentationInput(
                volume.path.stem, volume.shape, partial(_return_volume, volume), volume.voxel_size_A
            )
            for volume in volumes
        ]
    sources = []
    for tomogram in open_tomograms([section]):
        z, y, x = tomogram.shape
        sources.append(
            SegmentationInput(
                tomogram.name.replace(" ", "_"),
                (z, y, x),
                partial(_return_volume, tomogram.tomogram),
                tomogram.voxel_size_A,
            )
        )
    return sources


def _return_volume(volume: ArrayLike3D) -> ArrayLike3D:
    return volume


def _fingerprint(section: AnyTomograms) -> str:
    if not isinstance(section, TomogramFiles):
        return fingerprint_tomograms(section)
    digest = hashlib.sha256()
    for path in section.files:
        digest.update(open_volume(path).checksum().encode())
    return digest.hexdigest()[:16]


class MeasureTomograms(MeasureTomogram[SegmentationSpec]):
    """Measure mean and standard deviation of one tomogram of a folder."""

    def items(self, spec: SegmentationSpec) -> list[Item]:
        """Return all tomograms."""
        return [Item(name) for name in spec.sources]

    def open_source(self, spec: SegmentationSpec, item: Item) -> tuple[SegmentationInput, Path]:
        """Return a tomogram and the group of its moments."""
        return spec.sources[item.owner], spec.moments(item.owner)


class SegmentTomograms(SegmentBlocks[SegmentationSpec]):
    """Segment one block of one tomogram of a folder."""

    def items(self, spec: SegmentationSpec) -> list[Item]:
        """Return all tomograms."""
        return [Item(name) for name in spec.sources]

    def before_segmentation(self, spec: SegmentationSpec, item: Item) -> Iterable[BatchKey]:
        """Return the moments."""
        return [BatchKey(MeasureTomograms.name, item)]

    def open_segmentation(self, spec: SegmentationSpec, item: Item) -> TomogramSegmentation:
        """Return a tomogram and the network of the folder."""
        checkpoint, name = spec.trained, item.owner
        return TomogramSegmentation(
            spec.sources[name],
            spec.moments(name),
            spec.scores(name),
            checkpoint.network,
            checkpoint.width,
            ("background", *checkpoint.labels),
            partial(read_trained, spec.checkpoint, spec.checkpoint.stat().st_mtime_ns, False),
            spec.blocks,
            spec.device,
            spec.threads,
        )


def _list_products(spec: SegmentationSpec) -> list[BatchKey]:
    return [BatchKey(SegmentTomograms.name, Item(name)) for name in spec.sources]


SEGMENTATION: Pipeline[SegmentationSpec] = Pipeline(
    name="segmentation",
    target="faket_dask.pickers.segmentation_run:SEGMENTATION",
    stages=(MeasureTomograms(), SegmentTomograms()),
    read=SegmentationSpec.read,
    list_products=_list_products,
    product_name="tomograms",
    unit_name="blocks",
)
"""Pipeline of segmentations."""


def segment_tomograms(
    folder: str | Path,
    checkpoint: str | Path,
    tomograms: Sequence[AnyTomograms],
    client: Client | None = None,
    *,
    blocks: SegmentationSection | None = None,
    threads: int = 1,
    device: Literal["cpu", "cuda"] = "cpu",
    workers: int | None = None,
    watch: Watcher | None = None,
) -> dict[str, zarr.Array]:
    """Segment tomograms, several blocks at a time, and resume what an earlier call has begun in the folder.

    Parameters
    ----------
    folder
        Folder of the results.
    checkpoint
        File of the trained network; its best epoch is used.
    tomograms
        Tomograms, with labels or without.
    client
        Dask client to compute with; processes on this machine by default.
    blocks
        Settings of the blocks.
    threads
        Threads of a unit.
    device
        ``"cpu"`` or ``"cuda"``.
    workers
        Largest number of processes.
    watch
        Called with every event of the run.

    Returns
    -------
    scores
        ``(class, z, y, x)`` uint8 of each tomogram: probabilities times 255.

    Raises
    ------
    InputError
        Before anything is computed: if an input cannot be used, two tomograms have one name, or the folder holds other
        segmentations.
    UnfinishedError
        If a data set is not complete, or a unit failed for good.
    """
    path = Path(checkpoint).resolve()
    Checkpoint.read(path)
    sections = tuple(tomograms)
    inputs = {
        "checkpoint": hashlib.sha256(path.read_bytes()).hexdigest(),
        "tomograms": [_fingerprint(section) for section in sections],
    }
    root = Path(folder).resolve()
    spec = SegmentationSpec(root, path, sections, blocks or SegmentationSection(), inputs, threads, device)
    names = [source.name for section in sections for source in _open_sources(section)]
    if len(set(names)) < len(names):
        raise InputError(f"two tomograms are called {max(names, key=names.count)}; rename one of them")
    failures = run_plan(Plan(spec, SEGMENTATION), Execution(client=client, workers=workers), watch)
    if failures:
        raise UnfinishedError(f"{failures[0].unit}: {failures[0].cause}; call again to go on from there")
    return {name: open_array(spec.scores(name), SCORES, "r") for name in spec.sources}
