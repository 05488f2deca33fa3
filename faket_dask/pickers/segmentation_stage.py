"""Segmentation of whole tomograms as units of work: one for the moments of a tomogram, one for each block."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from faket_dask.config.training import SegmentationSection
from faket_dask.engine.arrays import ArraySpec, OwnedArray, create_group, open_array, read_vector
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, S, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.kernels.moments import Moments
from faket_dask.methods.picker_networks import PICKER_NETWORKS
from faket_dask.pickers.training_stage import CLASSES, INFERENCE_PASSES, PROCESS_BYTES
from faket_dask.stages.segmentation import SCORE_SCALE, Blocks, TrainedNetwork

MOMENTS, SCORES = "moments", "scores"
"""Names of the arrays of a tomogram's moments and of its scores."""


@dataclass(frozen=True)
class SegmentationInput:
    """Tomogram that is to be segmented.

    Parameters
    ----------
    name
        Name in messages.
    shape
        Voxels ``(z, y, x)``.
    open
        Opens the tomogram; it is read in blocks of plain slices.
    voxel_size_A
        Edge of a voxel in Å.
    """

    name: str
    shape: tuple[int, int, int]
    open: Callable[[], ArrayLike3D]
    voxel_size_A: float


@dataclass(frozen=True)
class TomogramSegmentation:
    """Segmentation of one tomogram by one model; the network need not be trained yet.

    Parameters
    ----------
    tomogram
        Tomogram.
    moments
        Zarr group of its moments.
    group
        Zarr group of the scores.
    network, width
        Picker network of the model.
    class_names
        Names by channel.
    read_network
        Reads its weights.
    blocks
        Settings of the blocks.
    device
        Device that computes.
    threads
        Threads of a unit.
    """

    tomogram: SegmentationInput
    moments: Path
    group: Path
    network: str
    width: float
    class_names: tuple[str, ...]
    read_network: Callable[[], TrainedNetwork]
    blocks: SegmentationSection
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1

    @property
    def grid(self) -> Blocks:
        """Blocks of the tomogram."""
        stride = PICKER_NETWORKS.get(self.network).stride
        return Blocks(self.tomogram.shape, self.blocks.kept, self.blocks.rim, stride)


class MeasureTomogram(Stage[S]):
    """Measure mean and standard deviation of a tomogram, which it is standardised by."""

    name = "measure"
    label = "measure-tomogram"

    @abstractmethod
    def open_source(self, spec: S, item: Item) -> tuple[SegmentationInput, Path]:
        """Return the tomogram of an item, and the Zarr group of its moments."""

    def prepare(self, spec: S, item: Item) -> None:
        """Create the group of the moments."""
        source, group = self.open_source(spec, item)
        create_group(group, {"tomogram": source.name})

    def arrays(self, spec: S, item: Item) -> list[OwnedArray]:
        """Return the vector of mean and standard deviation."""
        _, group = self.open_source(spec, item)
        return [OwnedArray(group, ArraySpec(MOMENTS, ("moment",), (2,), (2,), "float64"))]

    def compute(self, spec: S, item: Item, index: int) -> Findings:
        """Read the tomogram piece by piece, and write its moments."""
        from faket_dask.stages.segmentation import list_pieces, measure_piece, merge_moments

        source, group = self.open_source(spec, item)
        tomogram = source.open()
        try:
            moments = merge_moments(
                measure_piece(np.asarray(tomogram[region])) for region in list_pieces(source.shape)
            )
        except ValueError as error:
            raise InputError(f"{source.name} cannot be segmented: {error}; reconstruct it again") from None
        if moments.std == 0:
            raise InputError(f"{source.name} cannot be segmented: all its voxels are equal")
        open_array(group, MOMENTS)[...] = np.array(moments)
        return {"mean": moments.mean, "std": moments.std}

    def cost(self, spec: S) -> UnitCost:
        """Estimate the memory of one piece of 128 x 64 rows in float64."""
        width = max((self.open_source(spec, item)[0].shape[2] for item in self.items(spec)), default=0)
        return UnitCost(None, PROCESS_BYTES + 4 * 128 * 64 * 8 * width, 16)


class SegmentBlocks(Stage[S]):
    """Segment one block of a tomogram."""

    name = "segment"
    label = "segment"
    least_stored_share = 0.0

    @abstractmethod
    def open_segmentation(self, spec: S, item: Item) -> TomogramSegmentation:
        """Return the tomogram and the model of an item."""

    @abstractmethod
    def before_segmentation(self, spec: S, item: Item) -> Iterable[BatchKey]:
        """Return the batches that must be complete first: moments, and a training where it is of the same run."""

    def predecessors(self, spec: S, item: Item) -> list[BatchKey]:
        """Return the moments of the tomogram and the training of the model."""
        return list(self.before_segmentation(spec, item))

    def count(self, spec: S, item: Item) -> int:
        """Return the number of blocks."""
        return len(self.open_segmentation(spec, item).grid)

    def prepare(self, spec: S, item: Item) -> None:
        """Create the group of the scores."""
        segmentation = self.open_segmentation(spec, item)
        create_group(
            segmentation.group,
            {
                "tomogram": segmentation.tomogram.name,
                "class_names": list(segmentation.class_names),
                "voxel_size_A": segmentation.tomogram.voxel_size_A,
            },
        )

    def arrays(self, spec: S, item: Item) -> list[OwnedArray]:
        """Return the scores, one file for each block, in which one class can be read alone."""
        segmentation = self.open_segmentation(spec, item)
        classes, kept = len(segmentation.class_names), segmentation.blocks.kept
        array = ArraySpec(
            SCORES,
            ("class", "z", "y", "x"),
            (classes, *segmentation.tomogram.shape),
            (classes, kept, kept, kept),
            "uint8",
            read_shape=(1, kept, kept, kept),
            attributes={"scale_factor": 1 / SCORE_SCALE, "long_name": "probability of each class"},
        )
        return [OwnedArray(segmentation.group, array, unit_axes=(1, 2, 3))]

    def compute(self, spec: S, item: Item, index: int) -> Findings:
        """Segment and write one block."""
        from faket_dask.stages.device import check_device
        from faket_dask.stages.process import prepare_process
        from faket_dask.stages.segmentation import segment_block

        segmentation = self.open_segmentation(spec, item)
        check_device(segmentation.device)
        prepare_process(segmentation.threads)
        network, grid = segmentation.read_network(), segmentation.grid
        if network.class_names != segmentation.class_names:
            raise InputError(
                f"the network has the classes {', '.join(network.class_names)}, and "
                f"{', '.join(segmentation.class_names)} are expected; train it again"
            )
        moments = Moments(*read_vector(segmentation.moments, MOMENTS).tolist())
        values = np.asarray(segmentation.tomogram.open()[grid.inner_region(index)])
        scores = segment_block(network, values, grid, index, moments, segmentation.device)
        open_array(segmentation.group, SCORES)[(slice(None), *grid.kept_region(index))] = scores
        return {}

    def cost(self, spec: S) -> UnitCost:
        """Estimate the memory of the largest block; its time is not known before it is tried."""
        memory, written, gpu = PROCESS_BYTES, 0, 0
        for item in self.items(spec):
            segmentation = self.open_segmentation(spec, item)
            settings, stride = segmentation.blocks, segmentation.grid.stride
            sides = [
                min(settings.block + 2 * stride, size + 2 * (settings.rim + stride))
                for size in segmentation.tomogram.shape
            ]
            read = math.prod(sides)
            activations = PICKER_NETWORKS.get(segmentation.network).count_activations(
                CLASSES, segmentation.width
            )
            network = int(INFERENCE_PASSES * 4 * activations * read)
            host = int(16 * read) + (0 if segmentation.device == "cuda" else network)
            memory = max(memory, PROCESS_BYTES + host)
            gpu = max(gpu, network if segmentation.device == "cuda" else 0)
            written = max(written, len(segmentation.class_names) * segmentation.blocks.kept**3)
        return UnitCost(None, memory, written, gpu_bytes=gpu)


@lru_cache(maxsize=2)
def read_trained(path: Path, written: int, last: bool) -> TrainedNetwork:
    """Read the network of a checkpoint once per process.

    Parameters
    ----------
    path
        Checkpoint.
    written
        Time of its last change in nanoseconds, by which another one at the same place is told.
    last
        True for the weights of the last epoch, false for those of the best.
    """
    from faket_dask.pickers.checkpoint import Checkpoint

    return Checkpoint.read(path).select_network(last=last)
