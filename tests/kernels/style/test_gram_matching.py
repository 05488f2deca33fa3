"""The method `matched`: exact in tiles, blind to what is masked, and never nearer than the reference to itself."""

import numpy as np
import pytest
import torch

from faket_dask.kernels.style import gram_targets
from faket_dask.kernels.style.gram_matching import (
    NEAREST_SHARE,
    GramMatchingSettings,
    ReferenceGrams,
    blend_grams,
    match_grams,
    measure_grams,
)
from faket_dask.kernels.style.loss import GramTerm, Objective
from tests.kernels.networks import Oracle, golden_network

SETTINGS = GramMatchingSettings(evaluations=3)
LAYERS = tuple(SETTINGS.style_layers)


def noise(seed: int, shape: tuple[int, int], smooth: float = 0.0) -> np.ndarray:
    """Noise, white or with less power at high frequencies."""
    white = np.random.default_rng(seed).standard_normal(shape)
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    shaped = np.fft.irfft2(np.fft.rfft2(white) * np.exp(-smooth * radius), s=shape)
    return (100 + 7 * shaped / shaped.std()).astype(np.float32)


def disc(shape: tuple[int, int], centre: tuple[int, int], radius: float) -> np.ndarray:
    return np.hypot(*(np.ogrid[: shape[0], : shape[1]][axis] - centre[axis] for axis in (0, 1))) < radius


def apart(a: ReferenceGrams, b: ReferenceGrams) -> dict[int, float]:
    return {
        layer: float(np.linalg.norm(a.grams[layer] - b.grams[layer]) / np.linalg.norm(b.grams[layer]))
        for layer in b.grams
    }


def test_gradient_equals_that_of_the_formula() -> None:
    """Relative error of weighted Gram matrices, written down once more with autograd on torchvision's layers."""
    rng = np.random.default_rng(0)
    image = rng.random((48, 64), dtype=np.float32)
    weights = {
        1: rng.random((48, 64), dtype=np.float32),
        11: (rng.random((12, 16)) > 0.5).astype(np.float32),
    }
    importance = {1: 3.0, 11: 1.0}
    targets = gram_targets(golden_network(), noise(1, (48, 64)) / 200, importance)
    oracle = Oracle()
    x = torch.from_numpy(image).double().expand(3, -1, -1).clone().requires_grad_()
    seen = oracle(x)
    loss = torch.zeros((), dtype=torch.float64)
    for layer, weight in importance.items():
        flat, u = seen[layer][0].flatten(1), torch.from_numpy(weights[layer]).double().flatten()
        wanted = torch.from_numpy(targets[layer]).double()
        gram = (flat * u) @ flat.T / u.sum()
        loss = loss + weight / 4 * (gram - wanted).square().sum() / wanted.square().sum()
    loss.backward()
    for tile in (None, 32):
        objective = Objective(
            golden_network(),
            GramTerm(targets, importance, "relative", weights),
            None,
            0.0,
            image.shape,
            tile,
        )
        found, gradient = objective.loss_and_gradient(torch.from_numpy(image).expand(3, -1, -1))
        assert float(found) == pytest.approx(loss.item(), rel=1e-5)
        assert x.grad is not None
        assert (gradient - x.grad).abs().max() <= 1e-4 * x.grad.abs().max()


@pytest.mark.parametrize(("shape", "tile"), [((112, 56), 64), ((70, 85), 48)])
def test_tiles_give_what_the_whole_image_gives(shape: tuple[int, int], tile: int) -> None:
    network, start = golden_network(), noise(0, shape)
    reference = noise(1, (96, 90), 2.0)
    reference[disc(reference.shape, (40, 30), 5)] = 0
    valid_mask = ~disc(reference.shape, (40, 30), 6)
    style = measure_grams(network, reference, LAYERS, None, valid_mask)
    tiled = measure_grams(network, reference, LAYERS, tile, valid_mask)
    for layer in LAYERS:
        largest = np.abs(style.grams[layer]).max()
        assert np.abs(tiled.grams[layer] - style.grams[layer]).max() <= 1e-5 * largest
        assert tiled.intra_distance[layer] == pytest.approx(style.intra_distance[layer], rel=1e-2, abs=1e-6)
    whole, parts = (match_grams(network, start, style, SETTINGS, side) for side in (None, tile))
    assert np.std(parts.image - whole.image) <= 2e-2 * np.std(
        whole.image - (start - start.mean()) / start.std()
    )


def test_mask_of_ones_is_no_mask() -> None:
    network, tilt = golden_network(), noise(0, (64, 80), 1.0)
    ones = np.ones(tilt.shape, bool)
    plain, masked = measure_grams(network, tilt, LAYERS), measure_grams(network, tilt, LAYERS, None, ones)
    assert masked.intra_distance == plain.intra_distance
    unit = (tilt - tilt.min()) / (tilt.max() - tilt.min())
    for layer, gram in gram_targets(network, unit, LAYERS).items():
        assert gram_targets(network, unit, LAYERS, None, ones)[layer].tobytes() == gram.tobytes()
        assert masked.grams[layer].tobytes() == plain.grams[layer].tobytes()


def test_masked_bead_is_not_part_of_the_style() -> None:
    """What it was is forgotten: whatever lies under the mask, the style is the same, and near that without a bead."""
    network, tilt = golden_network(), noise(0, (192, 192), 2.0)
    bead = disc(tilt.shape, (90, 100), 7)
    valid_mask = ~disc(tilt.shape, (90, 100), 9)
    without = measure_grams(network, tilt, LAYERS)
    found = []
    for depth in (-80.0, 300.0):
        marked = np.where(bead, tilt + depth, tilt).astype(np.float32)
        found.append(measure_grams(network, marked, LAYERS, None, valid_mask))
    seen = measure_grams(network, np.where(bead, tilt - 80, tilt), LAYERS)
    for layer in LAYERS:
        assert found[0].grams[layer].tobytes() == found[1].grams[layer].tobytes()
        assert apart(found[0], without)[layer] < 0.25 * apart(seen, without)[layer]


def test_style_is_reached_and_then_left_as_it_is() -> None:
    network, reference = golden_network(), noise(1, (128, 160), 2.0)
    style = measure_grams(network, reference, LAYERS)
    start = noise(0, (96, 96), 1.0)
    found = match_grams(network, start, style, GramMatchingSettings(evaluations=30))
    enough = NEAREST_SHARE * len(LAYERS) / sum(1 / floor for floor in style.intra_distance.values())
    assert found.loss <= enough < min(found.losses[:-1])


def test_bead_of_the_specimen_is_left_alone() -> None:
    network, reference = golden_network(), noise(1, (160, 192), 2.0)
    start = noise(0, (128, 128), 1.5)
    bead = disc(start.shape, (60, 70), 5)
    start = np.where(bead, start - 90, start).astype(np.float32)
    found = match_grams(network, start, measure_grams(network, reference, LAYERS), SETTINGS).image
    contrast = found[bead].mean() - found[~bead].mean()
    before = (start[bead].mean() - start[~bead].mean()) / start[~bead].std()
    assert contrast == pytest.approx(before, rel=0.1)


@pytest.mark.parametrize("contrast", [-20.0, -1000.0])
def test_nothing_is_drawn_around_a_bead_however_deep_it_is(contrast: float) -> None:
    """The start is at the floor but for the bead, so there is little to change, near it as elsewhere."""
    network, reference = golden_network(), noise(1, (160, 192), 2.0)
    plain = noise(0, (160, 160), 2.0)
    centre = (80, 80)
    start = np.where(disc(plain.shape, centre, 5), plain + 7 * contrast, plain).astype(np.float32)
    found = match_grams(network, start, measure_grams(network, reference, LAYERS), SETTINGS).image
    around = disc(plain.shape, centre, 40) & ~disc(plain.shape, centre, 12)
    standard = (plain - plain[around].mean()) / plain[around].std()
    assert np.std((found / found[around].std() - standard)[around]) < 0.2


def test_blend_is_the_weighted_mean() -> None:
    network = golden_network()
    one, two = (measure_grams(network, noise(seed, (80, 80), seed), (1, 6)) for seed in (1, 2))
    mixed = blend_grams([one, two], [0.25, 0.75])
    np.testing.assert_allclose(
        mixed.grams[6], 0.25 * one.grams[6] + 0.75 * two.grams[6], rtol=1e-5, atol=1e-6
    )
    assert mixed.intra_distance[1] == pytest.approx(
        0.25 * one.intra_distance[1] + 0.75 * two.intra_distance[1]
    )


@pytest.mark.parametrize(
    "wrong",
    [{"style_layers": {}}, {"style_layers": {1: 0.0}}, {"evaluations": 0}],
)
def test_invalid_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"style_layers|evaluations"):
        GramMatchingSettings(**wrong)  # type: ignore[arg-type]


def test_images_without_contrast_are_refused() -> None:
    with pytest.raises(ValueError, match="contrast"):
        measure_grams(golden_network(), np.ones((64, 64), np.float32), LAYERS)


def test_style_is_that_of_counts_and_of_any_other_unit() -> None:
    """Integer counts of a camera that is not square, with a hot pixel in it."""
    network, layers = golden_network(), (1, 6, 11)
    counts = np.random.default_rng(3).poisson(60, (96, 130)).astype(np.int16)
    hot = counts.copy()
    hot[40, 70] = 30000
    valid_mask = ~disc(counts.shape, (40, 70), 3)
    plain, scaled = (
        measure_grams(network, tilt, layers, None, valid_mask)
        for tilt in (counts, counts * np.float32(0.01) - 7)
    )
    marked = measure_grams(network, hot, layers, None, valid_mask)
    for layer in layers:
        assert apart(scaled, plain)[layer] < 1e-4
        assert marked.grams[layer].tobytes() == plain.grams[layer].tobytes()
