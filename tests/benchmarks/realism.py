"""How real a data set looks, judged by what its making has not seen.

    python tests/benchmarks/realism.py distances DATASET [--size 512] [--angles 0 30 -30 60 -60] [--evaluations 8]
    python tests/benchmarks/realism.py classifier DATASET [DATASET:MODALITY ...]

`distances` takes the statistics of the left half of each reference tilt (spectrum, Gram matrices), makes every modality
from the data set's noiseless tilt with them, and measures the distance to the right half; the floor is that of the
left half to the right. `classifier` trains a small network to tell patches of a modality from patches of the
reference, on every second tilt, and tests it on the others; patches have mean 0 and standard deviation 1, none holds a
bead. Its floor is the left half of the reference against the right. Run `DATASET` with `noisy` and `spectral` kept.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faket_dask.dataset.blueprint import Blueprint
from faket_dask.dataset.references import reference_tilt
from faket_dask.dataset.stores import read_tilt, read_vector
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.contrast import network_contrast, texture
from faket_dask.kernels.inventions import labelled, unexplained
from faket_dask.kernels.matched import MatchedSettings, match_style, measure_style, style_grams
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.realism import GRAM_LAYERS
from faket_dask.kernels.spectra import log_spectrum_distance
from faket_dask.kernels.style import StyleSettings, gram_targets, transfer
from faket_dask.kernels.unpaired import ring_power
from faket_dask.kernels.vgg import VGG19
from faket_dask.stages.networks import network
from faket_dask.stages.process import prepare_process
from faket_dask.stages.scaling import Scaling, TiltScaling, tilt_extrema
from faket_dask.stages.synthesis import RecordedSpectrum, recorded_spectrum, spectral_field
from faket_dask.weights import verify

Image = NDArray[np.float32]
RECORDED = StyleSettings(
    style_layers=dict.fromkeys(GRAM_LAYERS, 1.0),
    content_weight=0.03,
    iterations=10,
    step_size=0.04,
    step_unit="start_std",
    decay=0.0,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    distances = commands.add_parser("distances")
    distances.add_argument("dataset", type=Path)
    distances.add_argument("--angles", type=float, nargs="+", default=[0, 30, -30, 60, -60])
    distances.add_argument("--size", type=int, default=512)
    distances.add_argument("--evaluations", type=int, default=8)
    distances.add_argument("--weights", default="vgg19-normalised")
    distances.add_argument("--recorded", action="store_true", help="also the preset `recorded`")
    distances.add_argument("--bare", action="store_true", help="without the specimen: noise alone")
    classifier = commands.add_parser("classifier")
    classifier.add_argument("dataset", type=Path)
    classifier.add_argument("others", nargs="*", help="DATASET:MODALITY")
    classifier.add_argument("--patch", type=int, default=64)
    classifier.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    prepare_process(1)
    if options.command == "distances":
        _distances(options)
    else:
        _classifier(options)


# Distances


def _distances(options: argparse.Namespace) -> None:
    blueprint = Blueprint.read(options.dataset)
    net = network(options.weights, verify(options.weights, 0), 0, "max", "float32", "cpu")
    names = " | ".join(f"Gram {layer}" if layer == 1 else str(layer) for layer in GRAM_LAYERS)
    print(f"| tilt | | log spectrum | {names} | kurtosis | signal | objects per Mpx | evaluations | s |")
    print("|---" * (len(GRAM_LAYERS) + 8) + "|")
    for angle in options.angles:
        _at(blueprint, net, angle, options)


def _at(blueprint: Blueprint, net: VGG19, angle: float, options: argparse.Namespace) -> None:
    series = blueprint.series[0]
    [(reference, _), *_] = blueprint.parts(series.reference)
    recorded = reference_tilt(blueprint, reference, _nearest(blueprint.reference_angles(reference), angle))
    half = recorded.shape[1] // 2
    used, judge = recorded[:, :half], recorded[:, -half:]
    target = measure_style(net, used, GRAM_LAYERS, None, ~artefact_mask(used))
    their_grams, their_texture = _judged(net, judge)

    def show(name: str, image: Image, truth: Image | None, evaluations: int | str, seconds: float) -> None:
        grams, flat = _judged(net, image)
        apart = [
            np.linalg.norm(grams[layer] - their_grams[layer]) / np.linalg.norm(their_grams[layer])
            for layer in GRAM_LAYERS
        ]
        spectrum = log_spectrum_distance(flat, their_texture)
        believed = flat[~artefact_mask(image)].astype(np.float64)
        kurtosis = np.mean((believed - believed.mean()) ** 4) / believed.var() ** 2
        signal = "–"
        objects = unexplained(image, np.zeros(image.shape, bool) if truth is None else labelled(truth))
        if truth is not None and truth.any():
            signal = f"{np.corrcoef(image.ravel(), truth.ravel())[0, 1]:.4f}"
        numbers = " | ".join(f"{value:.3f}" for value in (spectrum, *apart))
        print(
            f"| {angle:g}° | {name} | {numbers} | {kurtosis:.2f} | {signal} | {objects:.0f} | {evaluations} | "
            f"{seconds:.0f} |",
            flush=True,
        )

    tilt = _nearest(blueprint.tilt_angles, angle)
    truth, noisy, spectral, content = _made(blueprint, used, tilt, options)
    show("`noisy`", noisy, truth, "–", 0)
    show("`spectral`", spectral, truth, "–", 0)
    begin = time.perf_counter()
    own = {name: Scaling(*tilt_extrema(image)) for name, image in (("start", noisy), ("used", used))}
    settings = StyleSettings()
    targets = gram_targets(net, own["used"].apply(used), settings.style_layers)
    made = transfer(
        net,
        Scaling(*tilt_extrema(content[0])).apply(content[0]),
        own["start"].apply(noisy),
        targets,
        settings,
    )
    show("`published`", made, truth, 1, time.perf_counter() - begin)
    if options.recorded:
        begin = time.perf_counter()
        targets = gram_targets(net, TiltScaling(recorded=True).apply(used), GRAM_LAYERS)
        made = transfer(net, network_contrast(content[1]), network_contrast(spectral), targets, RECORDED)
        show("`recorded`", made, truth, RECORDED.iterations, time.perf_counter() - begin)
    begin = time.perf_counter()
    found = match_style(net, spectral, target, MatchedSettings(evaluations=options.evaluations))
    show("`matched`", found.image, truth, len(found.losses), time.perf_counter() - begin)
    show("floor: the left half", used, None, "–", 0)


def _nearest(angles: NDArray[np.floating], angle: float) -> int:
    return int(np.argmin(np.abs(angles - angle)))


def _judged(net: VGG19, image: Image) -> tuple[Mapping[int, NDArray[np.float32]], Image]:
    believed = ~artefact_mask(image)
    return style_grams(net, image, believed, GRAM_LAYERS), texture(image, believed)


def _made(
    blueprint: Blueprint, used: Image, tilt: int, options: argparse.Namespace
) -> tuple[Image, Image, Image, tuple[Image, Image]]:
    """Noiseless, noisy and spectral tilt, and the contents of either, with the statistics of a part of a tilt."""
    series = blueprint.series[0]
    noiseless = read_tilt(blueprint.layout.specimen(series.specimen), "noiseless", tilt)
    height, width = (min(options.size, extent) for extent in noiseless.shape)
    top, left = (noiseless.shape[0] - height) // 2, (noiseless.shape[1] - width) // 2
    truth = standardise(noiseless[top : top + height, left : left + width])
    curves = (
        read_vector(blueprint.layout.series(series.name), name) for name in ("signal_scale", "noise_scale")
    )
    signal_scale, noise_scale = (float(values[tilt]) for values in curves)
    spectrum, _, _ = recorded_spectrum(used, min(*truth.shape, *used.shape) // 2)
    white = np.random.default_rng([blueprint.config.dataset.seed, tilt]).standard_normal(
        truth.shape, np.float32
    )
    shaped = _shaped(white, spectrum, truth, signal_scale)
    if options.bare:
        truth = np.zeros_like(truth)
    noisy, spectral = (standardise(signal_scale * truth + noise_scale * field) for field in (white, shaped))
    contents = tuple(
        standardise(signal_scale * truth + 0.25 * noise_scale * field) for field in (white, shaped)
    )
    return truth, noisy, spectral, (contents[0], contents[1])


def _shaped(white: Image, spectrum: RecordedSpectrum, truth: Image, signal_scale: float) -> Image:
    return spectral_field(white, spectrum, ring_power(truth, spectrum.power.size)[0], signal_scale)


# Classifier


def _classifier(options: argparse.Namespace) -> None:
    blueprint = Blueprint.read(options.dataset)
    [(reference, _), *_] = blueprint.parts(blueprint.series[0].reference)
    angles = blueprint.reference_angles(reference)
    real = [reference_tilt(blueprint, reference, _nearest(angles, angle)) for angle in blueprint.tilt_angles]
    theirs = [_patches(tilt, options.patch) for tilt in real]
    halves = [
        [_patches(tilt[:, part], options.patch) for tilt in real]
        for part in (slice(0, real[0].shape[1] // 2), slice(real[0].shape[1] // 2, None))
    ]
    print("| | held-out accuracy | 95 % interval | tilts | patches |\n|---|---|---|---|---|")
    named = [f"{options.dataset}:{name}" for name in blueprint.config.outputs.modalities]
    for name in [*named, *options.others]:
        folder, modality = name.rsplit(":", 1)
        other = Blueprint.read(Path(folder))
        path = other.layout.series(other.series[0].name)
        ours = [
            _patches(read_tilt(path, modality, _nearest(other.tilt_angles, angle)), options.patch)
            for angle in blueprint.tilt_angles
        ]
        _told_apart(f"`{modality}` ({other.config.style.method})", ours, theirs, options.epochs)
    _told_apart("floor: left against right half", halves[0], halves[1], options.epochs)


def _patches(tilt: Image, size: int) -> Image:
    """(patches, size, size) of a tilt, none with a bead in it, each of mean 0 and standard deviation 1."""
    mask = artefact_mask(tilt)
    # What differs between tilts at large, ramps of the ice and frames, is not what is asked for.
    inset = 16
    found = []
    for top in range(inset, tilt.shape[0] - size - inset + 1, size):
        for left in range(inset, tilt.shape[1] - size - inset + 1, size):
            window = (slice(top, top + size), slice(left, left + size))
            if not mask[window].any():
                found.append(standardise(tilt[window]))
    return np.stack(found)


def _told_apart(name: str, ours: list[Image], theirs: list[Image], epochs: int) -> None:
    """Accuracy on tilts that were not trained on, from both ways of splitting them in two."""
    accuracies, patches = [], 0
    for fold in (0, 1):
        trained = [index for index in range(len(ours)) if index % 2 == fold]
        model = _train(
            np.concatenate([ours[i] for i in trained]), np.concatenate([theirs[i] for i in trained]), epochs
        )
        for index in set(range(len(ours))) - set(trained):
            right = [
                float((_said(model, images) == label).mean())
                for label, images in ((1, ours[index]), (0, theirs[index]))
            ]
            accuracies.append(np.mean(right))
            patches += len(ours[index]) + len(theirs[index])
    mean, error = np.mean(accuracies), 1.96 * np.std(accuracies, ddof=1) / np.sqrt(len(accuracies))
    print(
        f"| {name} | {mean:.3f} | {mean - error:.3f} – {mean + error:.3f} | {len(accuracies)} | {patches} |",
        flush=True,
    )


def _train(ours: Image, theirs: Image, epochs: int) -> nn.Module:
    torch.manual_seed(0)
    widths = (1, 16, 32, 64, 64)
    blocks: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        blocks += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    model = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 1))
    images = torch.from_numpy(np.concatenate([ours, theirs]))[:, None]
    labels = torch.cat([torch.ones(len(ours)), torch.zeros(len(theirs))])
    # Both classes count the same, however many patches they have.
    weights = torch.where(labels == 1, 0.5 / len(ours), 0.5 / len(theirs)) * len(labels)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 4e-3, total_steps=epochs * (-(-len(labels) // 64))
    )
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(64):
            seen = images[batch]
            if torch.rand(()) < 0.5:
                seen = seen.flip(2)
            if torch.rand(()) < 0.5:
                seen = seen.flip(3)
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(seen)[:, 0], labels[batch], weights[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def _said(model: nn.Module, images: Image) -> NDArray[np.bool_]:
    return (model(torch.from_numpy(images)[:, None])[:, 0] > 0).numpy()


if __name__ == "__main__":
    main()
