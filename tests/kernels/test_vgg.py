"""VGG-19, forward and backward, against torchvision's layers and autograd."""

import numpy as np
import pytest
import torch
from torch import Tensor

from faket_dask.kernels.vgg import VGG19, random_state_dict
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE as VGG
from tests.kernels.networks import Oracle, golden_network, golden_state

POOLINGS = ("max", "average", "l2")


def image(shape: tuple[int, int] = (52, 39), seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((3, *shape), dtype=np.float32))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_layer_equals_torchvision(pooling: str) -> None:
    expected = Oracle(pooling)(image())
    seen: dict[int, Tensor] = {}
    golden_network(pooling).forward(
        image(), range(VGG.layers), lambda layer, f: seen.__setitem__(layer, f.clone())
    )
    for layer, theirs in enumerate(expected):
        assert seen[layer].shape == theirs.shape
        assert seen[layer].shape[1] == VGG.channels(layer)
        assert (seen[layer] - theirs).abs().max() <= 2e-5 * theirs.abs().max(), layer


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layers", [(1, 6, 8, 11, 29), (0, 2, 4, 9, 18)])
def test_gradient_equals_autograd(pooling: str, layers: tuple[int, ...]) -> None:
    network = golden_network(pooling)
    probes = {
        layer: torch.from_numpy(
            np.random.default_rng(layer)
            .standard_normal(
                (
                    1,
                    VGG.channels(layer),
                    52 // VGG.stride(layer),
                    39 // VGG.stride(layer),
                )
            )
            .astype(np.float32)
        )
        for layer in layers
    }

    def slope(layer: int, features: Tensor, gradient: Tensor) -> None:
        if layer in probes:
            gradient += probes[layer]

    trace = network.forward(image(), layers, keep=True)
    ours = network.backward(trace, slope)
    probe = image().requires_grad_()
    activations = Oracle(pooling)(probe)
    sum((activations[layer] * probes[layer]).sum() for layer in layers).backward()
    assert probe.grad is not None
    if pooling == "l2":  # autograd divides by zero where all four values of a pool are zero
        finite = torch.isfinite(probe.grad)
        assert torch.isfinite(ours).all()
        ours, theirs = ours[finite], probe.grad[finite]
    else:
        theirs = probe.grad
    assert (ours - theirs).abs().max() <= 1e-3 * theirs.abs().max()
    assert (ours - theirs).square().mean().sqrt() <= 1e-4 * theirs.square().mean().sqrt()


def test_forward_without_keep_frees_activations() -> None:
    assert not golden_network().forward(image(), [29]).activations


def test_activation_depends_on_pixels_within_its_reach_alone() -> None:
    for layer in (3, 8, 11):
        step, far = VGG.stride(layer), VGG.reach(layer)
        base = torch.full((3, 96, 96), 0.5)
        place = 96 // step // 2

        def at(picture: Tensor, layer: int = layer, place: int = place) -> Tensor:
            seen: list[Tensor] = []
            golden_network().forward(
                picture, [layer], lambda _, f: seen.append(f[0, :, place, place].clone())
            )
            return seen[0]

        outside, inside = base.clone(), base.clone()
        outside[:, :, : place * step - far] = 1
        outside[:, :, place * step + step + far :] = 0
        inside[:, :, place * step - far] = 1
        assert torch.equal(at(outside), at(base))
        assert not torch.equal(at(inside), at(base))


def test_random_weights_follow_torchvisions_initialisation() -> None:
    state = random_state_dict(3)
    assert all(np.array_equal(state[k], v) for k, v in random_state_dict(3).items())
    assert not np.array_equal(state["0.weight"], random_state_dict(4)["0.weight"])
    for layer, (_, outputs) in VGG.convolutions.items():
        weight = state[f"{layer}.weight"]
        assert weight.std() == pytest.approx(np.sqrt(2 / (9 * outputs)), rel=0.05)
        assert not state[f"{layer}.bias"].any()


def test_state_dict_prefix_is_dropped_and_later_layers_are_ignored() -> None:
    state: dict[str, object] = {f"features.{key}": torch.from_numpy(v) for key, v in golden_state().items()}
    state["features.30.weight"] = state["classifier.0.weight"] = torch.zeros(3)
    seen: list[Tensor] = []
    for network in (VGG19(state), golden_network()):
        network.forward(image(), [8], lambda _, f: seen.append(f.clone()))
    assert torch.equal(seen[0], seen[1])


def test_unusable_weights_are_refused() -> None:
    good = golden_state()
    with pytest.raises(ValueError, match="exactly one"):
        VGG19()
    with pytest.raises(ValueError, match="exactly one"):
        VGG19(good, seed=1)
    with pytest.raises(ValueError, match=r"lack '28\.bias'"):
        VGG19({key: value for key, value in good.items() if key != "28.bias"})
    with pytest.raises(ValueError, match="has the shape"):
        VGG19({**good, "0.weight": good["0.weight"][:, :1]})
    with pytest.raises(ValueError, match="NaN"):
        VGG19({**good, "5.bias": np.full(128, np.nan)})
    with pytest.raises(ValueError, match="pooling"):
        VGG19(good, pooling="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="precision"):
        VGG19(good, precision="float16")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no layer 30"):
        VGG.channels(30)
