"""A data set whose style is described by a network from outside the package, with fewer layers than VGG-19."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distributed import Client
from torch import Tensor
from torch.nn import functional

import faket_dask
from faket_dask.config import parse
from faket_dask.kernels.style.network import SequentialArchitecture
from faket_dask.methods.networks import STYLE_NETWORKS
from faket_dask.weights import Weights
from tests.runs import small_document


class Flat:
    """Convolution, activation function, pooling, convolution, activation function; by automatic differentiation."""

    def __init__(self, state_dict: Mapping[str, Any], architecture: SequentialArchitecture) -> None:
        self.architecture = architecture
        self.device = torch.device("cpu")
        self._weights = {
            layer: torch.as_tensor(state_dict[f"{layer}"]) for layer in architecture.convolutions
        }

    @torch.enable_grad()
    def forward(
        self,
        image: Tensor,
        layers: Collection[int],
        visit: Callable[[int, Tensor], None] | None = None,
        *,
        keep: bool = False,
    ) -> tuple[Tensor, dict[int, Tensor]]:
        current = source = image[None].detach().requires_grad_()
        kept = {}
        for layer in range(max(layers) + 1):
            if layer in self._weights:
                current = functional.conv2d(current, self._weights[layer], padding=1)
            elif layer in self.architecture.poolings:
                current = functional.max_pool2d(current, 2)
            else:
                current = functional.relu(current)
            if layer in layers:
                kept[layer] = current
                if visit is not None:
                    visit(layer, current.detach())
        return source, kept

    @torch.enable_grad()
    def backward(
        self, trace: tuple[Tensor, dict[int, Tensor]], slope: Callable[[int, Tensor, Tensor], None]
    ) -> Tensor:
        source, kept = trace
        gradients = [torch.zeros_like(activation) for activation in kept.values()]
        for (layer, activation), gradient in zip(kept.items(), gradients, strict=True):
            slope(layer, activation.detach(), gradient)
        [result] = torch.autograd.grad(list(kept.values()), [source], gradients)
        return result[0]


class FlatNetwork:
    architecture = SequentialArchitecture("flat", {0: (3, 4), 3: (4, 8)}, poolings=(2,), layers=5)

    def load_weights(self, name: str, seed: int = 0, expected: str | None = None) -> Weights:
        rng = np.random.default_rng(seed)
        shapes = {layer: (n, m, 3, 3) for layer, (m, n) in self.architecture.convolutions.items()}
        return Weights(
            {str(k): rng.standard_normal(shape, dtype=np.float32) for k, shape in shapes.items()}, "1"
        )

    def create(self, state_dict: Mapping[str, Any], **_: Any) -> Flat:
        return Flat(state_dict, self.architecture)


@pytest.fixture
def flat_network() -> Iterator[None]:
    STYLE_NETWORKS.register("flat", FlatNetwork())  # type: ignore[arg-type]
    yield
    STYLE_NETWORKS.unregister("flat")


@pytest.mark.usefixtures("flat_network")
def test_data_set_with_a_flat_network_is_made_and_compared_at_its_layers(tmp_path: Path) -> None:
    style = {"network": "flat", "weights": "any", "content_layers": {1: 1}, "style_layers": {1: 1, 4: 1}}
    document = small_document(
        tmp_path / "data",
        specimen={"count": 1},
        acquisition={"tilt_angles": [-40, 0, 40]},
        references=[{"kind": "simulated", "name": "a"}],
        style=style,
        outputs={"modalities": ["faket"], "report": True},
    )
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        dataset = faket_dask.run(parse(document, tmp_path), client)
    assert not dataset.failures
    assert np.isfinite(dataset.open(dataset.series[0])["faket"].values).all()
    report = (tmp_path / "data" / "report.html").read_text()
    assert "Gram 1" in report
    assert "Gram 4" in report
    assert "Gram 6" not in report
