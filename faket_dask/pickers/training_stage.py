"""Training of models as units of work: a chain of pieces of epochs for each model.

A batch of the engine starts when those before it are complete, so each piece is an item of its own, which waits for the
one before: `Item("faket-seed-1", "epochs-0006-0010")`. Its unit reads the checkpoint of the former piece and writes its
own. A killed training loses the epochs of one piece, and repeats them to the same weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from faket_dask.config.training import ModelSection, Validation
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, S, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.pickers.batches import AHEAD
from faket_dask.pickers.model import Model

if TYPE_CHECKING:
    from faket_dask.pickers.checkpoint import Checkpoint

PROCESS_BYTES = 750 * 2**20
"""Memory of a worker that has loaded PyTorch and computes nothing."""

PASSES = 1.7
"""Peak memory of a training step, in times its activations, measured: 1.4 of DeepFinder, 1.7 of MONAI's U-Net."""

INFERENCE_PASSES = 0.7
"""The same without a backward pass, measured: 0.6 of both."""

CLASSES = 20
"""Number of classes that costs are estimated for: it bears little on them, and is known when tomograms are opened."""


class TrainEpochs(Stage[S]):
    """Train one piece of the epochs of one model.

    A pipeline names its models; a study whose models are trained on data sets that it makes, or start from others,
    returns the batches that their first piece waits for.
    """

    name = "train"
    label = "train"

    @abstractmethod
    def models(self, spec: S) -> Mapping[str, Model]:
        """Return all models by name."""

    def before_training(self, spec: S, model: Model) -> Iterable[BatchKey]:
        """Return the batches that must be complete before the first epoch of a model; none by default."""
        return ()

    def open_start(self, model: Model) -> Checkpoint | None:
        """Return the checkpoint that a model starts from; ``None`` for random weights."""
        from faket_dask.pickers.checkpoint import Checkpoint

        return None if model.section.start is None else Checkpoint.read(model.section.start)

    def items(self, spec: S) -> list[Item]:
        """Return all pieces of all models."""
        return [item for model in self.models(spec).values() for item in model.items]

    def predecessors(self, spec: S, item: Item) -> list[BatchKey]:
        """Return the former piece of the model, or what its first piece waits for."""
        model = self.models(spec)[item.owner]
        index = model.find_piece(item)
        if index == 0:
            return list(self.before_training(spec, model))
        return [BatchKey(self.name, model.items[index - 1])]

    def files(self, spec: S, item: Item) -> list[Path]:
        """Return the checkpoint."""
        model = self.models(spec)[item.owner]
        return [model.checkpoint(model.find_piece(item))]

    def fingerprint_item(self, spec: S, item: Item) -> str:
        """Return the digest of what the model's weights depend on; other models bear nothing on it."""
        return self.models(spec)[item.owner].fingerprint

    def compute(self, spec: S, item: Item, index: int) -> Findings:
        """Train a piece; the findings are its last epoch and the time that it took.

        `loss` is the mean of the last epoch, `mean_f1` the mean voxel F1 of its classes, `best_epoch` the best one so
        far, `waiting_share` the share of the training time in which the network waited for patches.
        """
        from faket_dask.pickers.checkpoint import Checkpoint
        from faket_dask.pickers.chunk_cache import ChunkCache
        from faket_dask.pickers.train import begin_training, resume_training
        from faket_dask.pickers.training_data import TrainingData
        from faket_dask.stages.device import check_device
        from faket_dask.stages.process import prepare_process

        model = self.models(spec)[item.owner]
        section, number = model.section.training, model.find_piece(item)
        check_device(section.device)
        prepare_process(section.threads)
        data = TrainingData.open(model.section, ChunkCache(section.cache_MiB * 2**20))
        if number:
            run = resume_training(section, data, Checkpoint.read(model.checkpoint(number - 1)))
        else:
            run = begin_training(section, data, self.open_start(model))
        duration = run.train(model.pieces[number].epochs)
        run.save().write(model.checkpoint(number))
        last = run.history[-1]
        return {
            "loss": last.loss,
            "mean_f1": last.mean_f1,
            "best_epoch": run.best_epoch,
            "waiting_share": round(duration.waiting_s / max(duration.training_s, 1e-9), 3),
            "validation_s": round(duration.validation_s, 3),
        }

    def cost(self, spec: S) -> UnitCost:
        """Estimate the memory of the largest model's training step; its time is not known before it is tried."""
        sections = [model.section for model in self.models(spec).values()]
        memory = max(map(estimate_memory, sections), default=0)
        on_gpu = [section for section in sections if section.training.device == "cuda"]
        gpu = max(map(_estimate_step, on_gpu), default=0)
        return UnitCost(None, memory, max(map(_estimate_checkpoint, sections), default=0), gpu_bytes=gpu)


def estimate_memory(section: ModelSection) -> int:
    """Estimate the peak memory in bytes of a process that trains a model."""
    training = section.training
    batch = training.batch * training.patch**3 * (4 + 8)
    reading = training.cache_MiB * 2**20 + (AHEAD + training.readers + 2) * batch
    step = 0 if training.device == "cuda" else _estimate_step(section)
    return PROCESS_BYTES + reading + step


def _estimate_step(section: ModelSection) -> int:
    """Estimate the memory of a step, or of a block for validation where that is more."""
    training = section.training
    activations = 4 * training.picker_network.count_activations(CLASSES, training.width)
    step = PASSES * training.batch * training.patch**3 * activations
    whole = 0.0
    if section.validation and training.validation is Validation.TOMOGRAMS:
        whole = (
            INFERENCE_PASSES
            * (training.segmentation.block + 2 * training.picker_network.stride) ** 3
            * activations
        )
    return int(max(step, whole))


def _estimate_checkpoint(section: ModelSection) -> int:
    """Estimate the size of a checkpoint: weights, two means of Adam, the best weights; 1 M numbers at full width."""
    return int(4 * 4 * 1.05e6 * section.training.width**2)
