"""Losses, scores by voxels, and steps of a training."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faket_dask.kernels.picking.deepfinder import DeepFinder
from faket_dask.kernels.picking.losses import cross_entropy_loss, dice_loss, soft_dice
from faket_dask.kernels.picking.training_step import DeviceChoices, Trainer, choose_for_device
from faket_dask.kernels.picking.voxel_f1 import count_voxels, voxel_f1


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_batch(seed: int = 0, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    channels = rng.integers(3, size=(2, side, side, side))
    patches = (channels[:, None] + rng.standard_normal((2, 1, side, side, side)) / 4).astype(np.float32)
    return patches, channels


def test_dice_by_hand() -> None:
    # Two voxels of classes 0 and 1, each with share 3/4 for class 0: TP = 3/4, FP = 3/4, FN = 1/4 for class 0.
    scores = torch.log(torch.tensor([0.75, 0.25])).reshape(1, 2, 1, 1, 1).expand(1, 2, 1, 1, 2)
    dice = soft_dice(scores, torch.tensor([[[[0, 1]]]]))
    torch.testing.assert_close(dice, torch.tensor([1.5 / (1.5 + 0.75 + 0.25), 0.5 / (0.5 + 0.25 + 0.75)]))
    assert dice_loss(dice).item() == pytest.approx(2 - 0.6 - 1 / 3)


def test_certain_scores_have_no_loss() -> None:
    _, channels = make_batch()
    truth = torch.from_numpy(channels)
    scores = 200.0 * torch.nn.functional.one_hot(truth, 3).movedim(-1, 1)
    assert dice_loss(soft_dice(scores, truth)).item() == pytest.approx(0, abs=1e-5)
    assert cross_entropy_loss(scores, truth).item() == pytest.approx(0, abs=1e-5)


def test_class_without_voxels_costs_one_and_pulls_at_nothing() -> None:
    scores = torch.randn(1, 3, 2, 2, 2, generator=torch.Generator().manual_seed(1), requires_grad=True)
    dice = soft_dice(scores, torch.zeros(1, 2, 2, 2, dtype=torch.int64))
    assert dice[1:].tolist() == [0, 0]
    dice[1:].sum().backward()
    assert not scores.grad.any()


@given(arrays(np.int64, (2, 30), elements=st.integers(0, 3)), st.integers(1, 29))
def test_confusion_of_parts_adds_up_and_f1_is_in_its_range(labels: np.ndarray, cut: int) -> None:
    whole = count_voxels(*labels, 4)
    parts = count_voxels(*labels[:, :cut], 4) + count_voxels(*labels[:, cut:], 4)
    np.testing.assert_array_equal(whole, parts)
    scores = voxel_f1(whole)
    present = np.isin(np.arange(4), labels)
    np.testing.assert_array_equal(np.isnan(scores), ~present)
    assert ((scores[present] >= 0) & (scores[present] <= 1)).all()
    assert (voxel_f1(count_voxels(labels[0], labels[0], 4))[np.isin(np.arange(4), labels[0])] == 1).all()


@pytest.mark.parametrize("by_dice", [True, False])
@pytest.mark.parametrize(
    "choices",
    [DeviceChoices("cpu"), DeviceChoices("cpu", bfloat16=True), DeviceChoices("cpu", channels_last=True)],
    ids=["exact", "bfloat16", "channels last"],
)
def test_steps_lower_the_loss(by_dice: bool, choices: DeviceChoices) -> None:
    assert_learns(Trainer(DeepFinder(3, 0.125, np.random.default_rng(2)), choices, 3e-3, by_dice))


@pytest.mark.gpu
def test_steps_lower_the_loss_on_a_gpu() -> None:
    choices = choose_for_device("cuda")
    assert_learns(Trainer(DeepFinder(3, 0.125, np.random.default_rng(2)), choices, 3e-3, by_dice=False))


def assert_learns(trainer: Trainer) -> None:
    patches, channels = make_batch()
    losses = [trainer.take_step(patches, channels).loss for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    assert trainer.predict(patches).shape == channels.shape
