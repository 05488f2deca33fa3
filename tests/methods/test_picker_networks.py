"""Registry of picker networks."""

import sys

import numpy as np
import pytest
import torch

from faket_dask.errors import InputError
from faket_dask.methods.picker_networks import PICKER_NETWORKS


def create(name: str, classes: int, width: float) -> torch.nn.Module:
    return PICKER_NETWORKS.get(name).create(classes, width, np.random.default_rng(1))


@pytest.mark.parametrize("name", ["deepfinder", "monai-unet"])
def test_networks_score_every_voxel(name: str) -> None:
    if name == "monai-unet":
        pytest.importorskip("monai")
    side = PICKER_NETWORKS.get(name).stride * 2
    with torch.no_grad():
        scores = create(name, 5, 0.125)(torch.zeros(2, 1, side, side, side))
    assert scores.shape == (2, 5, side, side, side)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(InputError, match=r"install it with `pip install 'faket_dask\[monai\]'`"):
        create("monai-unet", 5, 0.125)


def test_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="no picker network 'unet'; known are deepfinder, monai-unet"):
        PICKER_NETWORKS.get("unet")


def test_activations_are_about_what_autograd_keeps() -> None:
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += 0 if isinstance(tensor, torch.nn.Parameter) else tensor.numel()
        return tensor

    network = create("deepfinder", 8, 0.5)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        network(torch.zeros(1, 1, 16, 16, 16))
    estimate = PICKER_NETWORKS.get("deepfinder").count_activations(8, 0.5) * 16**3
    assert 0.6 < estimate / kept < 1.6
