"""Realism of a data set, measured against held-out parts of its recorded references.

    python benchmarks/realism.py distances DATASET [--size 512] [--angles 0 60] [--evaluations 8]
    python benchmarks/realism.py objects DATASET [--size 512] [--angles 0 60] [--draws 3]
    python benchmarks/realism.py classifier DATASET [--size 512] [--patch 64]
    python benchmarks/realism.py picture DATASET --file docs/matched.png [--size 320] [--angles 0 60]

`distances` takes the statistics of the left half of each reference tilt (spectrum, Gram matrices), generates every
modality from the noiseless tilt of the data set with them, and measures the distance to the right half; the
intra-reference distance is that of the left half to the right one. `objects` counts bead- or particle-like objects
that no label explains, over several draws of noise; in a data set without species, none of them can be a particle.
`classifier` generates the same tilts and trains a small network to tell patches of a modality from patches of the
right half, on every second tilt; it is tested on the others. Patches have mean 0 and standard deviation 1 and contain
no bead. Its lower limit is the left half against the right one; noise with the spectrum of the left half alone shows
how much of an accuracy comes from the shapes in the recording. The noiseless tilts of the data set, their spectra and
its noise statistics are used.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from faket_dask.config import StyleSection
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt, read_vector
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.similarity.spurious_objects import mask_labels, spurious_density
from faket_dask.kernels.similarity.texture_similarity import GRAM_LAYERS, sample_texture, texture_distances
from faket_dask.kernels.style import StyleSettings, gram_targets, transfer
from faket_dask.kernels.style.gram_matching import GramMatchingSettings, match_grams, measure_grams
from faket_dask.kernels.style.network import Network
from faket_dask.kernels.style.network_input import scale_to_network
from faket_dask.kernels.style.scaling import Scaling, TiltScaling, tilt_extrema
from faket_dask.methods.noise import ReferenceTilt, SignalSpectrum
from faket_dask.methods.spectral_noise import SPECTRAL_NOISE
from faket_dask.references import open_reference
from faket_dask.stages.networks import load_network
from faket_dask.stages.process import prepare_process
from faket_dask.weights import verify

Tilt = NDArray[np.float32]
RECORDED = StyleSettings(
    style_layers=dict.fromkeys(GRAM_LAYERS, 1.0),
    content_weight=0.03,
    iterations=10,
    step_size=0.04,
    step_unit="start_std",
    decay=0.0,
)


def main() -> None:
    """Parse the command line and run one measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("picture", "distances", "objects", "classifier"):
        command = commands.add_parser(name)
        command.add_argument("dataset", type=Path)
        command.add_argument("--angles", type=float, nargs="+")
        command.add_argument("--size", type=int, default=512)
        command.add_argument("--evaluations", type=int, default=8)
        command.add_argument("--weights", default="vgg19-normalised")
        command.add_argument("--recorded", action="store_true", help="include the preset `recorded`")
        if name == "objects":
            command.add_argument("--draws", type=int, default=3)
        if name == "picture":
            command.add_argument("--file", type=Path, required=True)
    command.add_argument("--patch", type=int, default=64)
    command.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    prepare_process(1)
    run = {
        "picture": _picture,
        "distances": _distances,
        "objects": _objects,
        "classifier": _classifier,
    }
    run[options.command](options)


# Distances


def _distances(options: argparse.Namespace) -> None:
    spec = DatasetSpec.read(options.dataset)
    net = load_network(StyleSection(weights=options.weights), verify(options.weights, 0))
    names = " | ".join(f"Gram {layer}" if layer == 1 else str(layer) for layer in GRAM_LAYERS)
    print(f"| tilt | | log spectrum | {names} | kurtosis | signal | objects per Mpx | evaluations | s |")
    print("|---" * (len(GRAM_LAYERS) + 8) + "|")
    for angle in options.angles or _angles(spec):
        _at(spec, net, angle, options)


def _at(spec: DatasetSpec, net: Network, angle: float, options: argparse.Namespace) -> None:
    used, judge = _halves(spec, angle)
    theirs = sample_texture(judge, ~artefact_mask(judge), net)

    def show(name: str, image: Tilt, truth: Tilt | None, evaluations: int, seconds: float) -> None:
        ours = sample_texture(image, ~artefact_mask(image), net)
        apart = texture_distances([ours], [theirs])
        signal = "–"
        objects = spurious_density(
            image, np.zeros(image.shape, bool) if truth is None else mask_labels(truth)
        )
        if truth is not None and truth.any():
            signal = f"{np.corrcoef(image.ravel(), truth.ravel())[0, 1]:.4f}"
        numbers = " | ".join(f"{value:.3f}" for value in (apart.log_spectrum, *apart.gram.values()))
        print(
            f"| {angle:g}° | {name} | {numbers} | {ours.kurtosis:.2f} | {signal} | {objects:.0f} | "
            f"{evaluations or '–'} | {seconds:.0f} |",
            flush=True,
        )

    for name, made in _made(spec, net, used, angle, options):
        show(f"`{name}`", made.image, made.truth, made.evaluations, made.seconds)
    show("intra-reference: left half", used, None, 0, 0)


def _angles(spec: DatasetSpec) -> NDArray[np.float64]:
    return spec.geometry.acquisition(spec.series[0].name).tilt_angles


def _nearest(angles: NDArray[np.floating], angle: float) -> int:
    return int(np.argmin(np.abs(angles - angle)))


@dataclass(frozen=True, eq=False)
class Made:
    """Generated tilt of one modality, with its cost."""

    image: Tilt
    truth: Tilt
    evaluations: int = 0
    seconds: float = 0.0


def _halves(spec: DatasetSpec, angle: float) -> tuple[Tilt, Tilt]:
    """Return the left half of a reference tilt, whose statistics are used, and the held-out right half."""
    [name, *_] = spec.blend_weights(spec.series[0].reference)
    reference = open_reference(spec, name)
    recorded = reference.read_tilt(_nearest(reference.tilt_angles, angle))
    half = recorded.shape[1] // 2
    return recorded[:, :half], recorded[:, -half:]


def _made(
    spec: DatasetSpec, net: Network, used: Tilt, angle: float, options: argparse.Namespace, draw: int = 0
) -> Iterator[tuple[str, Made]]:
    """Generate all modalities of the tilt nearest an angle, with the statistics of a part of a recorded tilt."""
    series, tilt = spec.series[0], _nearest(_angles(spec), angle)
    noiseless = read_tilt(spec.folder.specimen_tilts(series.specimen), "noiseless", tilt)
    height, width = (min(options.size, extent) for extent in noiseless.shape)
    top, left = (noiseless.shape[0] - height) // 2, (noiseless.shape[1] - width) // 2
    truth = standardise(noiseless[top : top + height, left : left + width])
    curves = (
        read_vector(spec.folder.series_tilts(series.name), name) for name in ("signal_scale", "noise_scale")
    )
    signal_scale, noise_scale = (float(values[tilt]) for values in curves)
    rings = min(*truth.shape, *used.shape) // 2
    reference = SPECTRAL_NOISE.estimate(ReferenceTilt.from_image(used, rings))
    rng = np.random.default_rng([spec.config.dataset.seed, tilt, draw])
    white = rng.standard_normal(truth.shape, np.float32)
    # Without its beads, as the noise statistics are.
    known = read_vector(spec.folder.series_tilts(series.name), "signal_power")[tilt, 0]
    frequencies, known_frequencies = (np.arange(1, number + 1) / number for number in (rings, known.size))
    signal = SignalSpectrum(np.interp(frequencies, known_frequencies, known), signal_scale)
    shaped = SPECTRAL_NOISE.field(white, tilt_angle=angle, reference=reference, signal=signal)

    def mixed(field: Tilt, level: float = 1.0) -> Tilt:
        return standardise(signal_scale * truth + level * noise_scale * field)

    noisy, spectral = mixed(white), mixed(shaped)
    yield "noisy", Made(noisy, truth)
    yield "spectral", Made(spectral, truth)
    begin = time.perf_counter()
    settings = StyleSettings()
    targets = gram_targets(net, Scaling(*tilt_extrema(used)).apply(used), settings.style_layers)
    content, start = (Scaling(*tilt_extrema(image)).apply(image) for image in (mixed(white, 0.25), noisy))
    made = transfer(net, content, start, targets, settings)
    yield "published", Made(made, truth, 1, time.perf_counter() - begin)
    if options.recorded:
        begin = time.perf_counter()
        targets = gram_targets(net, TiltScaling(recorded=True).apply(used), GRAM_LAYERS)
        content, start = (scale_to_network(image) for image in (mixed(shaped, 0.25), spectral))
        made = transfer(net, content, start, targets, RECORDED)
        yield "recorded", Made(made, truth, RECORDED.iterations, time.perf_counter() - begin)
    target = measure_grams(net, used, GRAM_LAYERS, None, ~artefact_mask(used))
    begin = time.perf_counter()
    result = match_grams(net, spectral, target, GramMatchingSettings(evaluations=options.evaluations))
    yield "matched", Made(result.image, truth, len(result.losses), time.perf_counter() - begin)


# Objects


def _objects(options: argparse.Namespace) -> None:
    """Print the number of objects per million pixels away from all labels, with its counting error."""
    spec = DatasetSpec.read(options.dataset)
    net = load_network(StyleSection(weights=options.weights), verify(options.weights, 0))
    print("| tilt | | objects | Mpx | per Mpx |\n|---|---|---|---|---|")
    for angle in options.angles or _angles(spec):
        used, _ = _halves(spec, float(angle))
        counts: dict[str, list[float]] = {}
        area = 0.0
        for draw in range(options.draws):
            for name, made in _made(spec, net, used, float(angle), options, draw):
                explained = mask_labels(made.truth)
                free = float((~explained).sum()) / 1e6
                counts.setdefault(name, []).append(spurious_density(made.image, explained) * free)
            area += free
        for name, numbers in counts.items():
            total = sum(numbers)
            error = max(np.sqrt(total), 1.0) / area
            print(
                f"| {angle:g}° | `{name}` | {total:.0f} | {area:.2f} | {total / area:.0f} ± {error:.0f} |",
                flush=True,
            )


# Picture


def _picture(options: argparse.Namespace) -> None:
    """Draw all modalities beside the held-out half, one row per angle."""
    spec = DatasetSpec.read(options.dataset)
    net = load_network(StyleSection(weights=options.weights), verify(options.weights, 0))
    angles = options.angles or [0.0, 60.0]
    rows = []
    for angle in angles:
        used, judge = _halves(spec, angle)
        tilts = {name: made.image for name, made in _made(spec, net, used, angle, options)}
        side = min(options.size, *judge.shape)
        top, left = ((extent - side) // 2 for extent in judge.shape)
        rows.append(tilts | {"recorded": judge[top : top + side, left : left + side]})
    figure, axes = plt.subplots(
        len(rows),
        len(rows[0]),
        figsize=(3 * len(rows[0]), 3.1 * len(rows)),
        layout="constrained",
        squeeze=False,
    )
    for line, angle, tilts in zip(axes, angles, rows, strict=True):
        for axis, (name, tilt) in zip(line, tilts.items(), strict=True):
            axis.imshow(standardise(tilt), cmap="gray", vmin=-3, vmax=3, interpolation="nearest")
            axis.set(xticks=[], yticks=[], title=name if angle == angles[0] else None)
        line[0].set_ylabel(f"{angle:g}°")
    figure.savefig(options.file, dpi=100)
    plt.close(figure)
    Image.open(options.file).convert("L").quantize(32).save(options.file, optimize=True)


# Classifier


def _classifier(options: argparse.Namespace) -> None:
    spec = DatasetSpec.read(options.dataset)
    net = load_network(StyleSection(weights=options.weights), verify(options.weights, 0))
    patches: dict[str, list[Tilt]] = {}
    judges = []
    for angle in options.angles or _angles(spec):
        used, judge = _halves(spec, float(angle))
        judges.append(_patches(judge, options.patch))
        for name, made in _made(spec, net, used, float(angle), options):
            patches.setdefault(f"`{name}`", []).append(_patches(made.image, options.patch))
        alone = _noise_alone(used, options.size, np.random.default_rng(len(judges)))
        patches.setdefault("noise of the left half's spectrum", []).append(_patches(alone, options.patch))
        patches.setdefault("intra-reference: left half", []).append(_patches(used, options.patch))
    print("| | held-out accuracy | 95 % interval | tilts | patches |\n|---|---|---|---|---|")
    for name, ours in sorted(patches.items(), key=lambda item: item[0].startswith("intra-reference")):
        _told_apart(name, ours, judges, options.epochs)


def _noise_alone(used: Tilt, size: int, rng: np.random.Generator) -> Tilt:
    """Return the tilt that `spectral` would be without a specimen."""
    rings = min(size, *used.shape) // 2
    reference = SPECTRAL_NOISE.estimate(ReferenceTilt.from_image(used, rings))
    white = rng.standard_normal((size, size), np.float32)
    nothing = SignalSpectrum(np.zeros(rings), 0.0)
    return standardise(SPECTRAL_NOISE.field(white, tilt_angle=0.0, reference=reference, signal=nothing))


def _patches(tilt: Tilt, size: int) -> Tilt:
    """Return ``(patches, size, size)`` of a tilt, without beads, each with mean 0 and standard deviation 1."""
    mask = artefact_mask(tilt)
    # Large-scale differences between tilts, such as ramps of the ice and frames, are excluded.
    inset = 16
    windows = []
    for top in range(inset, tilt.shape[0] - size - inset + 1, size):
        for left in range(inset, tilt.shape[1] - size - inset + 1, size):
            window = (slice(top, top + size), slice(left, left + size))
            if not mask[window].any():
                windows.append(standardise(tilt[window]))
    return np.stack(windows)


def _told_apart(name: str, ours: list[Tilt], theirs: list[Tilt], epochs: int) -> None:
    """Return the accuracy on held-out tilts, from both ways of dividing them in two."""
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


def _train(ours: Tilt, theirs: Tilt, epochs: int) -> nn.Module:
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
            shown = images[batch]
            if torch.rand(()) < 0.5:
                shown = shown.flip(2)
            if torch.rand(()) < 0.5:
                shown = shown.flip(3)
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(shown)[:, 0], labels[batch], weights[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def _said(model: nn.Module, images: Tilt) -> NDArray[np.bool_]:
    return (model(torch.from_numpy(images)[:, None])[:, 0] > 0).numpy()


if __name__ == "__main__":
    main()
