"""DeepFinder's network: its size, its padding, and the voxels that it sees."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from faket_dask.kernels.picking.deepfinder import DeepFinder, LayerShape, SameConvolution, list_layers


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_full_width_of_16_classes_has_the_published_number_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in DeepFinder(16).parameters()) == 903_456


def test_half_width_has_half_of_the_channels() -> None:
    half = [layer.outputs for layer in list_layers(16, 0.5)]
    assert half[:-1] == [layer.outputs // 2 for layer in list_layers(16)[:-1]]
    assert half[-1] == 16


def test_even_kernel_is_padded_at_the_end_as_keras_does() -> None:
    layer = SameConvolution(LayerShape(1, 1, 2))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7]).reshape(1, 1, 2, 2, 2))
        layer.bias.zero_()
        image = torch.zeros(1, 1, 2, 2, 2)
        image[..., 1, 1, 1] = 1
        image[..., 0, 0, 0] = 2
        result = layer(image)[0, 0]
    # Voxel (z, y, x) is the sum over kernel places k of kernel[k] * image[(z, y, x) + k], and 0 past the end: the
    # last voxel sees itself through kernel place (0, 0, 0), the first one sees it through (1, 1, 1).
    expected = torch.tensor([[[1e7 + 2, 1e6], [1e5, 1e4]], [[1000.0, 100], [10, 1]]])
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


def test_weights_start_by_glorots_rule() -> None:
    network = DeepFinder(16, generator=np.random.default_rng(3))
    for layer in network.layers:
        inputs, outputs, voxels = layer.in_channels, layer.out_channels, layer.weight[0, 0].numel()
        limit = np.sqrt(6 / (voxels * (inputs + outputs)))
        assert 0.9 * limit < layer.weight.abs().max() <= limit
        assert not layer.bias.any()


def test_same_generator_gives_the_same_start() -> None:
    one, two, other = (DeepFinder(4, 0.125, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.layers[3].weight, two.layers[3].weight)
    assert not torch.equal(one.layers[3].weight, other.layers[3].weight)


def test_voxels_beyond_the_receptive_field_do_not_matter() -> None:
    network = DeepFinder(3, 0.125, np.random.default_rng(5))
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.standard_normal((1, 1, 8, 8, 88), dtype=np.float32))
    changed = image.clone()
    changed[..., :6] += 1
    reach = 5 + DeepFinder.RECEPTIVE_FIELD
    with torch.no_grad():
        before, after = network(image), network(changed)
    assert torch.equal(before[..., reach + 1 :], after[..., reach + 1 :])
    assert not torch.equal(before[..., :reach], after[..., :reach])


def test_weights_of_keras_are_carried_over_by_axes() -> None:
    network, rng = DeepFinder(3, 0.125), np.random.default_rng(1)
    weights = []
    for layer in list_layers(3, 0.125):
        weights.append(rng.standard_normal((*[layer.side] * 3, layer.inputs, layer.outputs)))
        weights.append(rng.standard_normal(layer.outputs))
    network.load_keras(weights)
    kernel = weights[2 * 8]
    assert network.layers[8].weight[1, 2, 1, 0, 1].item() == pytest.approx(kernel[1, 0, 1, 2, 1])
    with pytest.raises(ValueError, match="kernel 3 has the shape"):
        network.load_keras([*weights[:6], weights[8], *weights[7:]])
    with pytest.raises(ValueError, match="there are 32 arrays"):
        network.load_keras([*weights, *weights[:2]])
