"""One step of a training: forward, backward, and the step of Adam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faket_dask.kernels.picking.losses import cross_entropy_loss, dice_loss, soft_dice


class DeviceChoices(NamedTuple):
    """Choices of how a device computes, none of which changes what is computed but for rounding.

    Parameters
    ----------
    device
        PyTorch's name of the device.
    bfloat16
        True for convolutions in bfloat16; weights, their gradients and losses are float32.
    channels_last
        True for features of a voxel side by side in memory.
    compiled
        True for a network compiled by PyTorch.
    """

    device: str
    bfloat16: bool = False
    channels_last: bool = False
    compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """Order of features in memory."""
        return torch.channels_last_3d if self.channels_last else torch.contiguous_format


def choose_for_device(device: str) -> DeviceChoices:
    """Return the choices for a device: exact on the CPU, fast on a GPU.

    Examples
    --------
    >>> choose_for_device("cpu").bfloat16, choose_for_device("cuda").bfloat16
    (False, True)
    """
    fast = device != "cpu"
    return DeviceChoices(device, bfloat16=fast, channels_last=fast, compiled=fast)


class StepResult(NamedTuple):
    """Results of one step, before its change of the weights.

    Parameters
    ----------
    loss
        Loss of the batch.
    dice
        ``(class,)`` soft Dice coefficients of the batch.
    """

    loss: float
    dice: NDArray[np.float64]


@dataclass(eq=False)
class Trainer:
    """Network in training on one device.

    Parameters
    ----------
    network
        Network with the weights to start from; it is moved to the device.
    choices
        Device, and how it computes.
    learning_rate
        Step size of Adam; its other settings are 0.9, 0.999 and 1e-8.
    by_dice
        True for `dice_loss`, false for `cross_entropy_loss`.
    """

    network: nn.Module
    choices: DeviceChoices
    learning_rate: float = 1e-4
    by_dice: bool = True

    def __post_init__(self) -> None:
        self.network.to(self.choices.device)
        if self.choices.channels_last:
            self.network.to(memory_format=torch.channels_last_3d)
        self.optimiser = torch.optim.Adam(self.network.parameters(), self.learning_rate, (0.9, 0.999), 1e-8)
        compiled = self.choices.compiled
        self._forward: Callable[[Tensor], Tensor] = torch.compile(self.network) if compiled else self.network

    def take_step(self, patches: NDArray[np.float32], channels: NDArray[np.int64]) -> StepResult:
        """Change the weights by one batch.

        Parameters
        ----------
        patches
            ``(batch, 1, z, y, x)`` float32.
        channels
            ``(batch, z, y, x)`` int64: channel of each voxel's class.
        """
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        scores, truth = self.score(patches), torch.from_numpy(channels).to(self.choices.device)
        if self.by_dice:
            dice = soft_dice(scores, truth)
            loss = dice_loss(dice)
        else:
            with torch.no_grad():
                dice = soft_dice(scores, truth)
            loss = cross_entropy_loss(scores, truth)
        loss.backward()
        self.optimiser.step()
        return StepResult(loss.item(), dice.detach().cpu().numpy().astype(np.float64))

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the channel of the highest score at each voxel, ``(batch, z, y, x)``."""
        self.network.eval()
        with torch.inference_mode():
            return self.score(patches).argmax(dim=1).cpu().numpy()

    def score(self, patches: NDArray[np.float32]) -> Tensor:
        """Return scores ``(batch, class, z, y, x)`` before the softmax, on the device."""
        choices = self.choices
        batch = torch.from_numpy(patches).to(choices.device, memory_format=choices.memory_format)
        with torch.autocast(torch.device(choices.device).type, torch.bfloat16, choices.bfloat16):
            return self._forward(batch)
