"""Style transfer: the published results, exactness in tiles, and what it means."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from faket_dask.kernels.style.gradient_step import StyleSettings, combine_targets, gram_targets, transfer
from faket_dask.kernels.style.loss import ContentTerm, GramTerm, Objective, total_variation
from faket_dask.kernels.vgg import VGG19
from tests.kernels.networks import Oracle, golden_network

Golden = Callable[[str], dict[str, np.ndarray]]

ITERATIVE = StyleSettings(content_layers={22: 0.015}, tv_weight=2.0, iterations=5, step_size=0.05, decay=0.9)
CASES = [
    ("style_transfer_faket", "max", StyleSettings(), 5e-3),
    ("style_transfer_small_style", "max", StyleSettings(), 5e-3),
    ("style_transfer_iterative", "average", ITERATIVE, 2e-2),
]


def unit(stack: np.ndarray) -> np.ndarray:
    wide = stack.astype(np.float64)
    return ((wide - wide.min()) / (wide.max() - wide.min())).astype(np.float32)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def images(shape: tuple[int, int], count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    smooth = np.add.outer(np.sin(np.arange(shape[0]) / 9), np.cos(np.arange(shape[1]) / 7)) / 8 + 0.5
    return [
        np.clip(smooth + 0.08 * rng.standard_normal(shape), 0, 1).astype(np.float32) for _ in range(count)
    ]


@pytest.mark.parametrize(("name", "pooling", "settings", "tolerance"), CASES)
def test_published_results_are_reproduced(
    golden: Golden, name: str, pooling: str, settings: StyleSettings, tolerance: float
) -> None:
    arrays = golden(f"{name}.npz")
    content, noisy, style = (unit(arrays[key]) for key in ("content", "noisy", "style"))
    network = golden_network(pooling)
    ours = np.stack(
        [
            transfer(
                network,
                content[i],
                noisy[i],
                gram_targets(network, style[i], settings.style_layers),
                settings,
            )
            for i in range(len(content))
        ]
    )
    error = np.sort(np.abs(ours - arrays["raw"]), axis=None)
    # The published run's own rounding decides a few pixels: where an activation equals that of the content image to
    # the last digit, the sign of their difference, and with it Adam's step around, is chance. In
    # `style_transfer_small_style` one such activation (0.44, differing by -3e-7) turns three pixels, and the formulae
    # evaluated in float64 deviate by 5.7e-3. One pixel in ten thousand is therefore left out.
    kept = error[: error.size - error.size // 10_000]
    assert rms(kept) <= tolerance * rms(arrays["raw"] - noisy)


@pytest.mark.parametrize(("precision", "deviation"), [("mixed", 0.06), ("bfloat16", 0.25)])
def test_lower_precision_deviates_as_documented(golden: Golden, precision: str, deviation: float) -> None:
    arrays = golden("style_transfer_faket.npz")
    content, noisy, style = (unit(arrays[key])[0, :96, :96] for key in ("content", "noisy", "style"))
    results = []
    for network in (golden_network(), golden_network(precision=precision)):
        targets = gram_targets(network, style, StyleSettings().style_layers)
        results.append(transfer(network, content, noisy, targets, StyleSettings()))
    assert 0 < rms(results[1] - results[0]) <= deviation * rms(results[0] - noisy)


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("precision", ["mixed", "bfloat16"])
def test_lower_precision_works_with_every_pooling_and_in_tiles(pooling: str, precision: str) -> None:
    network = golden_network(pooling, precision)
    content, start, style = images((64, 48))
    targets = gram_targets(network, style, StyleSettings().style_layers)
    whole, tiled = (transfer(network, content, start, targets, StyleSettings(), tile) for tile in (None, 32))
    exact = transfer(golden_network(pooling), content, start, targets, StyleSettings())
    assert rms(tiled - whole) <= 0.3 * rms(whole - start)
    assert rms(whole - exact) <= 0.5 * rms(exact - start)


@pytest.mark.parametrize(
    ("pooling", "shape", "tile"),
    [
        ("max", (112, 56), 32),
        ("max", (70, 37), 16),
        ("average", (101, 150), 64),
        ("l2", (75, 40), 48),
        ("max", (64, 64), 512),
    ],
)
def test_tiles_give_what_the_whole_image_gives(pooling: str, shape: tuple[int, int], tile: int) -> None:
    network = golden_network(pooling)
    content, start, style = images(shape)
    settings = StyleSettings(tv_weight=0.5)
    targets = gram_targets(network, style, settings.style_layers)
    tiled_targets = gram_targets(network, style, settings.style_layers, tile)
    for layer, whole in targets.items():
        assert np.abs(tiled_targets[layer] - whole).max() <= 1e-5 * np.abs(whole).max()
    whole = transfer(network, content, start, targets, settings)
    tiled = transfer(network, content, start, targets, settings, tile)
    assert rms(tiled - whole) <= 5e-3 * rms(whole - start)


@pytest.mark.slow
@pytest.mark.parametrize("tile", [64, 96, 512])
@pytest.mark.parametrize(("name", "pooling", "settings", "tolerance"), CASES)
def test_tiles_reproduce_the_golden_cases_too(
    golden: Golden, name: str, pooling: str, settings: StyleSettings, tolerance: float, tile: int
) -> None:
    arrays = golden(f"{name}.npz")
    content, noisy, style = (unit(arrays[key])[0] for key in ("content", "noisy", "style"))
    network = golden_network(pooling)
    targets = gram_targets(network, style, settings.style_layers)
    whole = transfer(network, content, noisy, targets, settings)
    tiled = transfer(
        network, content, noisy, gram_targets(network, style, settings.style_layers, tile), settings, tile
    )
    assert rms(tiled - whole) <= 5e-3 * rms(whole - noisy)


def test_one_step_is_the_sign_of_the_gradient_of_the_loss() -> None:
    """The formula of the method, written down once more with autograd on torchvision's layers."""
    content, start, style = images((64, 48))
    settings = StyleSettings()
    oracle = Oracle()

    def gram(features: torch.Tensor) -> torch.Tensor:
        flat = features[0].flatten(1)
        return flat @ flat.T / flat.shape[1]

    def smse(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().sum() / ((a - b).abs().sum() + 1e-8)

    def rgb(image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image).double().expand(3, -1, -1).clone()

    with torch.no_grad():
        wanted, kept = oracle(rgb(style)), oracle(rgb(content))
    x = rgb(start).requires_grad_()
    seen = oracle(x)
    total = sum(settings.style_layers.values())
    loss = smse(seen[8], kept[8]) + sum(
        weight / total * smse(gram(seen[layer]), gram(wanted[layer]))
        for layer, weight in settings.style_layers.items()
    )
    loss.backward()
    assert x.grad is not None
    stepped = (x - 0.15 * x.grad / (x.grad.abs() + 1e-8)).clamp(0, 1)
    expected = ((0.99 * x + stepped) / 1.99).clamp(0, 1).mean(0).detach().numpy()
    targets = gram_targets(golden_network(), style, settings.style_layers)
    ours = transfer(golden_network(), content, start, targets, settings)
    assert rms(ours - expected) <= 2e-2 * rms(expected - start)


def test_small_steps_down_the_gradient_lower_the_loss() -> None:
    content, start, style = images((64, 64))
    settings = StyleSettings()
    targets = gram_targets(golden_network(), np.square(style), settings.style_layers)
    objective = Objective(
        golden_network(),
        GramTerm(targets, settings.style_layers),
        ContentTerm(torch.from_numpy(content), {8: 1.0}),
        1.0,
        (64, 64),
        None,
    )
    image = torch.from_numpy(start).expand(3, -1, -1).clone()
    losses = []
    for _ in range(4):
        loss, gradient = objective.loss_and_gradient(image)
        losses.append(float(loss))
        image -= 1e-3 * gradient / gradient.abs().max()
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_same_call_gives_the_same_bytes() -> None:
    content, start, style = images((48, 64))
    network, settings = golden_network(), StyleSettings()
    targets = gram_targets(network, style, settings.style_layers)
    one, other = (transfer(network, content, start, targets, settings) for _ in range(2))
    assert one.tobytes() == other.tobytes()


def test_step_can_be_given_in_standard_deviations_of_the_start() -> None:
    content, start, style = images((48, 48))
    network = golden_network()
    relative = StyleSettings(step_size=0.5, step_unit="start_std")
    targets = gram_targets(network, style, relative.style_layers)
    absolute = replace(relative, step_size=0.5 * float(np.std(start, dtype=np.float64)), step_unit="absolute")
    one, other = (transfer(network, content, start, targets, s) for s in (relative, absolute))
    assert np.array_equal(one, other)


def test_targets_do_not_depend_on_the_size_of_a_repeated_style() -> None:
    small = images((64, 64), 1)[0]
    network = golden_network()
    large = np.tile(small, (3, 3))
    grams = [gram_targets(network, picture, [1, 6]) for picture in (small, large)]
    for layer in (1, 6):
        assert grams[0][layer].shape == (VGG19.architecture.channels(layer),) * 2
        assert rms(grams[0][layer] - grams[1][layer]) < 0.1 * rms(grams[1][layer])


def test_mixed_targets_are_the_weighted_mean() -> None:
    network = golden_network()
    one, other = (gram_targets(network, picture, [1, 6]) for picture in images((48, 48), 2))
    mixed = combine_targets([one, other], [0.25, 0.75])
    for layer in (1, 6):
        assert np.allclose(mixed[layer], 0.25 * one[layer] + 0.75 * other[layer], rtol=1e-5)
        assert mixed[layer].dtype == np.float32
    with pytest.raises(ValueError, match="add up to 1"):
        combine_targets([one, other], [0.5, 0.6])
    with pytest.raises(ValueError, match="same layers"):
        combine_targets([one, {1: other[1]}], [0.5, 0.5])


def test_total_variation_counts_differences_to_the_right_and_below() -> None:
    image = torch.zeros((3, 4, 5))
    image[:, 1, 2] = 1  # four neighbours differ
    value, _ = total_variation(image)
    assert float(value) == pytest.approx(4 / 20)
    x = torch.from_numpy(np.random.default_rng(0).random((3, 6, 5))).requires_grad_()
    padded = torch.nn.functional.pad(x[None], (0, 1, 0, 1), mode="replicate")[0]
    loss = (
        (padded[:, :-1, 1:] - padded[:, :-1, :-1]).square()
        + (padded[:, 1:, :-1] - padded[:, :-1, :-1]).square()
    ).mean()
    loss.backward()
    assert x.grad is not None
    assert torch.allclose(total_variation(x.detach())[1], x.grad)


def test_unusable_images_targets_and_settings_are_refused() -> None:
    network, settings = golden_network(), StyleSettings()
    content, start, style = images((48, 48))
    targets = gram_targets(network, style, settings.style_layers)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        transfer(network, content, start + 1, targets, settings)
    with pytest.raises(ValueError, match="without NaN"):
        transfer(network, np.full_like(content, np.nan), start, targets, settings)
    with pytest.raises(ValueError, match="start has the shape"):
        transfer(network, content, start[:40], targets, settings)
    with pytest.raises(ValueError, match="at least 16 x 16"):
        gram_targets(network, style[:12], [29])
    with pytest.raises(ValueError, match="no target for the style layer 29"):
        transfer(network, content, start, {k: v for k, v in targets.items() if k != 29}, settings)
    with pytest.raises(ValueError, match="multiple of 16"):
        transfer(network, content, start, targets, settings, 50)
    with pytest.raises(ValueError, match="no layer 30"):
        transfer(network, content, start, targets, StyleSettings(content_layers={30: 1.0}))
    with pytest.raises(ValueError, match="no layer 30"):
        gram_targets(network, style, [30])
    for wrong in (
        {"style_layers": {}},
        {"content_layers": {8: 0.0}},
        {"style_layers": {1: -1.0}},
        {"iterations": 0},
        {"decay": 1.0},
        {"step_size": 0.0},
        {"step_unit": "percent"},
        {"tv_weight": -1.0},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            StyleSettings(**wrong)  # type: ignore[arg-type]
