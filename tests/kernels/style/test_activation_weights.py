"""Which activations speak of the texture."""

import numpy as np
import pytest

from faket_dask.kernels.style.activation_weights import layer_weights
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE as VGG

LAYERS = (1, 6, 11, 20, 29)


def test_weights_are_one_where_all_pixels_are_valid() -> None:
    for layer, weights in layer_weights(np.ones((150, 170), bool), VGG, LAYERS, border=False).items():
        assert weights.shape == (150 // VGG.stride(layer), 170 // VGG.stride(layer))
        assert (weights == 1).all()


def test_border_is_left_out_the_further_the_deeper_the_layer() -> None:
    weights = layer_weights(np.ones((320, 400), bool), VGG, LAYERS)
    margins = [int(np.argmax(weights[layer].any(axis=1))) * VGG.stride(layer) for layer in LAYERS]
    assert margins == sorted(margins)
    assert margins[0] < margins[-1]
    for values in weights.values():
        assert (values == values[::-1, ::-1]).all()
        assert values[values.shape[0] // 2, values.shape[1] // 2] == 1


def test_bead_and_its_neighbourhood_are_left_out() -> None:
    valid_mask = np.ones((320, 320), bool)
    valid_mask[150:170, 150:170] = False
    for layer, weights in layer_weights(valid_mask, VGG, LAYERS).items():
        step = VGG.stride(layer)
        inside = slice(-(-150 // step), 170 // step)
        assert (weights[inside, inside] == 0).all()
        assert weights[weights.shape[0] // 2, weights.shape[1] // 4] == 1


def test_small_images_keep_something_at_every_layer() -> None:
    valid_mask = np.ones((50, 40), bool)
    valid_mask[20:30, 15:25] = False
    assert all(weights.any() for weights in layer_weights(valid_mask, VGG, LAYERS).values())


def test_image_without_valid_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="valid"):
        layer_weights(np.zeros((64, 64), bool), VGG, LAYERS)
