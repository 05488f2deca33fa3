"""Speed and memory of the style transfer, compared with the limit set by its convolutions.

    python benchmarks/style.py speed --size 1024 [--tile 512] [--precision bfloat16] [--threads 1]
    python benchmarks/style.py memory [--kind match] [--size 1024] [--precision float32]

`speed` times every convolution of the network alone, forward and backward with respect to its input, in the faster of
two memory layouts, alternating with the transfer of one tilt, so that both run under equal conditions; it prints the
ratio of the sums and, on request, the operator table. `memory` compares the model of `kernels.style.memory` with the
peak resident size of a separate process for each scenario.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import torch
from torch.nn import functional

from faket_dask.kernels.style import StyleSettings, gram_targets, transfer
from faket_dask.kernels.style.gram_matching import (
    GramMatchingSettings,
    ReferenceGrams,
    match_grams,
    measure_grams,
)
from faket_dask.kernels.style.memory import matching_bytes, measuring_bytes, targets_bytes, transfer_bytes
from faket_dask.kernels.style.network import Precision
from faket_dask.kernels.vgg import VGG19
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE
from faket_dask.stages.process import prepare_process

GIB = 2**30
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
SETTINGS = StyleSettings()
MATCHED = GramMatchingSettings(evaluations=3)


def images(size: int, count: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((size, size), dtype=np.float32) for _ in range(count)]


def seconds(work: object) -> float:
    begin = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begin


def convolution_seconds(layer: int, size: int, dtype: torch.dtype) -> tuple[float, float]:
    """Best forward and backward time of one convolution."""
    inputs, outputs = VGG19_ARCHITECTURE.convolutions[layer]
    side = size // VGG19_ARCHITECTURE.stride(layer)
    best = [np.inf, np.inf]
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn((1, inputs, side, side)).to(dtype).contiguous(memory_format=layout)
        w = torch.randn((outputs, inputs, 3, 3)).to(dtype).contiguous(memory_format=layout)
        g = torch.randn((1, outputs, side, side)).to(dtype).contiguous(memory_format=layout)
        turned = w.flip(2, 3).transpose(0, 1).contiguous(memory_format=layout)
        functional.conv2d(x, w, padding=1)
        best[0] = min(best[0], seconds(lambda x=x, w=w: functional.conv2d(x, w, padding=1)))
        best[1] = min(
            best[1],
            seconds(lambda g=g, turned=turned: functional.conv2d(g, turned, padding=1)),
            seconds(
                lambda g=g, x=x, w=w: torch.ops.aten.convolution_backward(
                    g, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, False, False]
                )
            ),
        )
    return best[0], best[1]


@torch.no_grad()
def speed(
    size: int, tile: int | None, precision: Precision, threads: int, rounds: int, profile: bool
) -> None:
    prepare_process(threads)
    network = VGG19(seed=0, precision=precision)
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    start, content = images(size)
    targets = gram_targets(network, images(256, 1)[0], SETTINGS.style_layers)
    transfer(network, content, start, targets, SETTINGS, tile)
    ratios = []
    for _ in range(rounds):
        alone = {layer: convolution_seconds(layer, size, dtype) for layer in VGG19_ARCHITECTURE.convolutions}
        limit = sum(map(sum, alone.values())) + sum(f for layer, (f, _) in alone.items() if layer < 8)
        took = seconds(lambda: transfer(network, content, start, targets, SETTINGS, tile))
        ratios.append(took / limit)
        print(f"limit {limit:.2f} s, transfer {took:.2f} s, ratio {took / limit:.3f}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{size} x {size}, tile {tile}, {precision}, {threads} threads: ratio {np.median(ratios):.3f} "
        f"(median of {rounds}), peak {peak:.2f} GiB"
    )
    if profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
            transfer(network, content, start, targets, SETTINGS, tile)
        print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))


SCENARIOS: list[tuple[str, int, int | None, Precision]] = [
    (kind, size, tile, precision)
    for kind in ("transfer", "targets", "match", "measure")
    for size, tile in ((512, None), (1024, None), (1024, 512), (3500, 512))
    for precision in PRECISIONS
]


def peak_of(kind: str, size: int, tile: int | None, precision: Precision) -> None:
    """Print resident bytes before and at the peak of one scenario; runs in a separate process."""
    prepare_process(1)
    network = VGG19(seed=0, precision=precision)
    small, images_ = images(64, 1)[0], images(size)
    targets = gram_targets(network, small, SETTINGS.style_layers)
    transfer(network, small, small, targets, SETTINGS)
    with open("/proc/self/statm") as stream:
        before = int(stream.read().split()[1]) * resource.getpagesize()
    match kind:
        case "transfer":
            transfer(network, images_[1], images_[0], targets, SETTINGS, tile)
        case "targets":
            gram_targets(network, images_[0], SETTINGS.style_layers, tile)
        case "match":
            match_grams(
                network, images_[0], ReferenceGrams(targets, dict.fromkeys(targets, 0.0)), MATCHED, tile
            )
        case "measure":
            measure_grams(network, images_[0], MATCHED.style_layers, tile)
    print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def predicted_bytes(kind: str, shape: tuple[int, int], tile: int | None, precision: Precision) -> int:
    match kind:
        case "transfer":
            return transfer_bytes(shape, tile, VGG19_ARCHITECTURE, SETTINGS, precision)
        case "targets":
            return targets_bytes(shape, tile, VGG19_ARCHITECTURE, SETTINGS.style_layers, precision)
        case "match":
            return matching_bytes(shape, tile, VGG19_ARCHITECTURE, MATCHED, precision)
        case _:
            return measuring_bytes(shape, tile, VGG19_ARCHITECTURE, MATCHED.style_layers, precision)


def memory(only: str | None, of: str | None, sizes: list[int] | None) -> None:
    print("kind      size  tile  precision   before  peak GiB  predicted  predicted/measured")
    for kind, size, tile, precision in SCENARIOS:
        if (only and precision != only) or (of and kind != of) or (sizes and size not in sizes):
            continue
        arguments = ["peak", kind, str(size), str(tile or 0), precision]
        done = subprocess.run(
            [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
        )
        before, peak = map(int, done.stdout.split())
        predicted = before + predicted_bytes(kind, (size, size), tile, precision)
        print(
            f"{kind:8}  {size:4}  {tile!s:>4}  {precision:9}  {before / GIB:6.2f}  {peak / GIB:8.2f}  "
            f"{predicted / GIB:9.2f}  {predicted / peak:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    timed = commands.add_parser("speed")
    timed.add_argument("--size", type=int, default=1024)
    timed.add_argument("--tile", type=int, default=None)
    timed.add_argument("--precision", default="float32")
    timed.add_argument("--threads", type=int, default=1)
    timed.add_argument("--rounds", type=int, default=3)
    timed.add_argument("--profile", action="store_true")
    compared = commands.add_parser("memory")
    compared.add_argument("--precision", default=None)
    compared.add_argument("--kind", default=None, help="transfer, targets, match or measure; default: all")
    compared.add_argument("--size", type=int, nargs="+", help="sides in pixels; default: all")
    one = commands.add_parser("peak")
    for name, kind in (("kind", str), ("size", int), ("tile", int), ("precision", str)):
        one.add_argument(name, type=kind)
    options = parser.parse_args()
    match options.command:
        case "speed":
            speed(
                options.size,
                options.tile,
                options.precision,
                options.threads,
                options.rounds,
                options.profile,
            )
        case "memory":
            memory(options.precision, options.kind, options.size)
        case "peak":
            peak_of(options.kind, options.size, options.tile or None, options.precision)


if __name__ == "__main__":
    main()
