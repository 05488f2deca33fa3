"""Training of some epochs, from one checkpoint to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faket_dask.config.training import Loss, TrainingSection, Validation
from faket_dask.errors import InputError
from faket_dask.kernels.moments import Moments
from faket_dask.kernels.picking.training_step import Trainer, choose_for_device
from faket_dask.kernels.picking.voxel_f1 import count_voxels, voxel_f1
from faket_dask.pickers.batches import prefetch, read_batch
from faket_dask.pickers.checkpoint import Checkpoint, EpochRecord
from faket_dask.pickers.sampling import STREAM, PatchSampler
from faket_dask.pickers.training_data import TrainingData
from faket_dask.pickers.training_tomogram import TrainingTomogram
from faket_dask.stages.seeds import Purpose, generator
from faket_dask.stages.segmentation import (
    Blocks,
    list_pieces,
    measure_piece,
    merge_moments,
    standardise_block,
)


class Duration(NamedTuple):
    """Time that epochs took.

    Parameters
    ----------
    training_s
        Seconds of all steps.
    waiting_s
        Those of them in which the network waited for patches.
    validation_s
        Seconds of validation.
    """

    training_s: float
    waiting_s: float
    validation_s: float


@dataclass(eq=False)
class TrainingRun:
    """Network in training with its data.

    Parameters
    ----------
    section
        Settings.
    data
        Tomograms and classes.
    trainer
        Network and optimiser.
    history
        Epochs so far.
    best
        Weights of the best epoch so far; empty without any.
    best_epoch
        Its number.
    """

    section: TrainingSection
    data: TrainingData
    trainer: Trainer
    history: tuple[EpochRecord, ...] = ()
    best: Mapping[str, NDArray[np.float32]] | None = None
    best_epoch: int = 0

    def train(self, epochs: range, report: Callable[[EpochRecord], None] = lambda record: None) -> Duration:
        """Train some epochs.

        Parameters
        ----------
        epochs
            Numbers of the epochs, the next ones.
        report
            Called after each.
        """
        training_s = waiting_s = validation_s = 0.0
        for epoch in epochs:
            begin = time.perf_counter()
            losses, dice, waited = self._train_epoch(epoch)
            trained = time.perf_counter()
            record = EpochRecord(
                epoch, float(np.mean(losses)), _as_floats(np.mean(dice, axis=0)), self._judge()
            )
            self._keep(record)
            report(record)
            training_s += trained - begin
            waiting_s += waited
            validation_s += time.perf_counter() - trained
        return Duration(training_s, waiting_s, validation_s)

    def save(self) -> Checkpoint:
        """Return the state of the training."""
        names = [name for name, _ in self.trainer.network.named_parameters()]
        state = self.trainer.optimiser.state_dict()["state"]
        return Checkpoint(
            network=self.section.network,
            width=self.section.width,
            labels=self.data.classes.labels,
            weights=_to_arrays(self.trainer.network.state_dict()),
            adam_mean=_to_arrays({name: state[index]["exp_avg"] for index, name in enumerate(names)}),
            adam_square=_to_arrays({name: state[index]["exp_avg_sq"] for index, name in enumerate(names)}),
            adam_steps=int(state[0]["step"]),
            history=self.history,
            best=self.best or {},
            best_epoch=self.best_epoch,
        )

    def _train_epoch(self, epoch: int) -> tuple[list[float], list[NDArray[np.float64]], float]:
        data = self.data
        sampler = PatchSampler(data.tomograms, data.classes, self.section)
        losses, dice, waited = [], [], 0.0
        places = (sampler.draw_batch(epoch, step) for step in range(sampler.steps))
        batches = prefetch(
            partial(read_batch, data.tomograms, data.classes), places, readers=self.section.readers
        )
        begin = time.perf_counter()
        for batch in batches:
            waited += time.perf_counter() - begin
            result = self.trainer.take_step(batch.patches, batch.channels)
            if not np.isfinite(result.loss):
                raise InputError(
                    f"the loss is {result.loss} in epoch {epoch}: training has diverged; lower the learning rate "
                    f"({self.section.learning_rate:g})"
                )
            losses.append(result.loss)
            dice.append(result.dice)
            begin = time.perf_counter()
        return losses, dice, waited

    def _judge(self) -> tuple[float | None, ...]:
        """Return the voxel F1 of each class in the tomograms for validation."""
        if not self.data.validation:
            return ()
        classes = len(self.data.classes)
        confusion = np.zeros((classes, classes), dtype=np.int64)
        compare = (
            self._compare_patches if self.section.validation is Validation.PATCHES else self._compare_whole
        )
        for predicted, truth in compare():
            confusion += count_voxels(predicted, truth, classes)
        return tuple(None if np.isnan(score) else float(score) for score in voxel_f1(confusion))

    def _compare_patches(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        data, size = self.data, self.section.batch
        places = PatchSampler(data.validation, data.classes, self.section).list_centred()
        groups = [places[first : first + size] for first in range(0, len(places), size)]
        for batch in prefetch(
            partial(read_batch, data.validation, data.classes), groups, readers=self.section.readers
        ):
            yield self.trainer.predict(batch.patches), batch.channels

    def _compare_whole(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        settings = self.section.segmentation
        for tomogram in self.data.validation:
            z, y, x = tomogram.shape
            blocks = Blocks((z, y, x), settings.kept, settings.rim, self.section.picker_network.stride)
            moments = measure_tomogram(tomogram)
            for index in range(len(blocks)):
                values = np.asarray(tomogram.tomogram[blocks.inner_region(index)])
                block = standardise_block(values, blocks, index, moments)
                kept, read = blocks.kept_region(index), blocks.read_region(index)
                place = tuple(
                    slice(own.start - part.start, own.stop - part.start)
                    for own, part in zip(kept, read, strict=True)
                )
                truth = self.data.classes.to_channels(np.asarray(tomogram.class_mask[kept]))
                yield self.trainer.predict(block[None, None])[0][place], truth

    def _keep(self, record: EpochRecord) -> None:
        """Add an epoch to the history, and keep its weights if none before was as good."""
        before = max((past.mean_f1 for past in self.history if past.mean_f1 is not None), default=None)
        self.history += (record,)
        if record.mean_f1 is not None and (before is None or record.mean_f1 > before):
            self.best = _to_arrays(self.trainer.network.state_dict())
            self.best_epoch = record.epoch


def measure_tomogram(tomogram: TrainingTomogram) -> Moments:
    """Return the mean and standard deviation of a whole tomogram, read piece by piece."""
    return merge_moments(
        measure_piece(np.asarray(tomogram.tomogram[region])) for region in list_pieces(tomogram.shape)
    )


def begin_training(
    section: TrainingSection, data: TrainingData, start: Checkpoint | None = None
) -> TrainingRun:
    """Return a training before its first epoch.

    Parameters
    ----------
    section
        Settings.
    data
        Tomograms and classes.
    start
        Checkpoint whose best weights it starts from; random ones by default.

    Raises
    ------
    InputError
        If the checkpoint is of another network or other classes, or a package that the network needs is not there.
    """
    rng = generator(section.seed, STREAM, Purpose.WEIGHTS)
    network = section.picker_network.create(len(data.classes), section.width, rng)
    if start is not None:
        own = (section.network, section.width, dict(data.classes.labels))
        other = (start.network, start.width, dict(start.labels))
        if own != other:
            raise InputError(
                f"training cannot start from a checkpoint of {_describe(*other)}, since its model is {_describe(*own)}"
            )
        network.load_state_dict(_to_tensors(start.select_network().weights))
    return TrainingRun(section, data, _make_trainer(section, network))


def resume_training(section: TrainingSection, data: TrainingData, checkpoint: Checkpoint) -> TrainingRun:
    """Return a training after the epochs of a checkpoint of its own, as it was.

    Parameters
    ----------
    section
        Settings.
    data
        Tomograms and classes.
    checkpoint
        State of this training.
    """
    rng = generator(section.seed, STREAM, Purpose.WEIGHTS)
    network = section.picker_network.create(len(data.classes), section.width, rng)
    network.load_state_dict(_to_tensors(checkpoint.weights))
    trainer = _make_trainer(section, network)
    names = [name for name, _ in network.named_parameters()]
    means, squares = _to_tensors(checkpoint.adam_mean), _to_tensors(checkpoint.adam_square)
    state = {
        index: {
            "step": torch.tensor(float(checkpoint.adam_steps)),
            "exp_avg": means[name],
            "exp_avg_sq": squares[name],
        }
        for index, name in enumerate(names)
    }
    groups = trainer.optimiser.state_dict()["param_groups"]
    trainer.optimiser.load_state_dict({"state": state, "param_groups": groups})
    return TrainingRun(
        section, data, trainer, checkpoint.history, checkpoint.best or None, checkpoint.best_epoch
    )


def _make_trainer(section: TrainingSection, network: torch.nn.Module) -> Trainer:
    return Trainer(
        network,
        choose_for_device(section.device),
        learning_rate=section.learning_rate,
        by_dice=section.loss is Loss.DICE,
    )


def _describe(network: str, width: float, labels: Mapping[str, int]) -> str:
    return f"{network} of width {width:g} for {', '.join(labels)}"


def _to_arrays(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.detach().cpu().contiguous().numpy().copy() for name, tensor in state.items()}


def _to_tensors(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _as_floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
