"""Training of a picker: its step against its convolutions alone, its waiting for patches, and its memory.

    python benchmarks/training.py [--width 0.5] [--patch 32] [--batch 4] [--steps 12] [--threads 1] [--cache-MiB 256]

A tomogram of noise with labelled cubes is written to a Zarr store with the chunks of a data set. Then

- a step of training is timed on patches read from the store, and on one constant batch in memory;
- each convolution of the network is timed alone, forwards and backwards, on inputs of its own size, and summed;
- the share of the time is measured that the network waits for patches, with as many readers as a training has;
- the peak memory of training from the store is compared with that on the constant batch, each in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--patch", type=int, default=32)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--classes", type=int, default=16)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=256, help="rows and columns of the tomogram")
    parser.add_argument("--cache-MiB", type=int, default=256, help="bound of the chunk cache; 0 for none")
    return parser.parse_args()


def write_tomogram(folder: Path, options: argparse.Namespace) -> Any:
    """Write a labelled tomogram to a store, and return it as training reads it."""
    import zarr

    from faket_dask.pickers.chunk_cache import CachedArray, ChunkCache
    from faket_dask.pickers.training_tomogram import TrainingTomogram

    rng = np.random.default_rng(1)
    shape = (128, options.size, options.size)
    tomogram, mask = rng.standard_normal(shape, dtype=np.float32), np.zeros(shape, dtype=np.uint16)
    centre = rng.uniform(8, np.array(shape) - 8, (30 * options.classes, 3))
    class_id = np.arange(len(centre)) % (options.classes - 1) + 1
    for place, label in zip(np.round(centre).astype(int), class_id, strict=True):
        region = tuple(slice(at - 4, at + 5) for at in place)
        mask[region] = label
        tomogram[region] -= label / 4
    cache, arrays = ChunkCache(options.cache_MiB * 2**20), []
    for name, values in (("tomogram", tomogram), ("mask", mask)):
        array = zarr.create_array(
            folder / name, shape=shape, chunks=(128, 64, options.size), dtype=values.dtype, overwrite=True
        )
        array[...] = values
        arrays.append(CachedArray(zarr.open_array(folder / name, mode="r"), cache))
    ids = {f"class {label}": label for label in range(1, options.classes)}
    return TrainingTomogram("noise", *arrays, centre, class_id, ids, 10.0)


def open_training(folder: Path, options: argparse.Namespace) -> tuple[Any, Any, Callable[[int], Any]]:
    """Return a trainer, its sampler, and a function that reads the batch of a step."""
    import torch

    from faket_dask.config.training import ObjectSampling, TrainingSection
    from faket_dask.pickers.batches import read_batch
    from faket_dask.pickers.classes import agree_on_classes
    from faket_dask.pickers.sampling import PatchSampler
    from faket_dask.pickers.train import begin_training
    from faket_dask.pickers.training_data import TrainingData

    torch.set_num_threads(options.threads)
    tomogram = write_tomogram(folder, options)
    section = TrainingSection(
        width=options.width,
        patch=options.patch,
        batch=options.batch,
        sampling=ObjectSampling.CLASSES,
        steps=options.steps,
        device=options.device,
    )
    classes = agree_on_classes([tomogram])
    run = begin_training(section, TrainingData((tomogram,), (), classes))
    sampler = PatchSampler([tomogram], classes, section)

    def read(step: int) -> Any:
        return read_batch([tomogram], classes, sampler.draw_batch(1, step))

    return run.trainer, sampler, read


def synchronise(device: str) -> None:
    """Wait for the GPU, where there is one."""
    if device != "cpu":
        import torch

        torch.cuda.synchronize()


def time_calls(function: Callable[[], object], options: argparse.Namespace) -> float:
    """Return the median seconds of a call, after two that are not counted.

    They are those of the processor where one thread computes, which other load of the machine leaves alone.
    """
    on_processor = options.device == "cpu" and options.threads == 1
    clock, seconds = time.thread_time if on_processor else time.perf_counter, []
    for _ in range(options.steps + 2):
        begin = clock()
        function()
        synchronise(options.device)
        seconds.append(clock() - begin)
    return median(seconds[2:])


def time_convolutions(options: argparse.Namespace) -> float:
    """Return the seconds of all convolutions of DeepFinder, forwards and backwards, each alone."""
    import torch

    from faket_dask.kernels.picking.deepfinder import SameConvolution, list_layers
    from faket_dask.kernels.picking.training_step import choose_for_device

    execution, total = choose_for_device(options.device), 0.0
    scales = (0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 1, 0, 0, 0, 0)
    for index, (shape, scale) in enumerate(
        zip(list_layers(options.classes, options.width), scales, strict=True)
    ):
        side = options.patch >> scale
        layer = SameConvolution(shape).to(options.device)
        features = torch.randn(options.batch, shape.inputs, side, side, side, device=options.device)
        features.requires_grad_(index > 0)
        gradient = torch.randn(options.batch, shape.outputs, side, side, side, device=options.device)
        if execution.channels_last:
            layer = layer.to(memory_format=torch.channels_last_3d)
            features = features.detach().to(memory_format=torch.channels_last_3d).requires_grad_(index > 0)

        def pass_both(layer: Any, features: Any, gradient: Any) -> None:
            with torch.autocast(options.device, torch.bfloat16, execution.bfloat16):
                result = layer(features)
            result.backward(gradient.to(result.dtype))

        total += time_calls(partial(pass_both, layer, features, gradient), options)
    return total


def measure_times(options: argparse.Namespace) -> dict[str, float]:
    """Return seconds of a step on a constant batch, of its convolutions, of reading, and of waiting."""
    from faket_dask.pickers.batches import prefetch

    with tempfile.TemporaryDirectory() as folder:
        trainer, _, read = open_training(Path(folder), options)
        batch = read(0)
        constant = time_calls(partial(trainer.take_step, *batch), options)
        begin = time.perf_counter()
        for step in range(options.steps):
            read(step)
        reading = (time.perf_counter() - begin) / options.steps
        waiting, begin_all = 0.0, time.perf_counter()
        begin = begin_all
        for batch in prefetch(read, range(options.steps)):
            waiting += time.perf_counter() - begin
            trainer.take_step(*batch)
            synchronise(options.device)
            begin = time.perf_counter()
        stored = (time.perf_counter() - begin_all) / options.steps
    return {
        "constant": constant,
        "convolutions": time_convolutions(options),
        "reading": reading,
        "stored": stored,
        "waiting": waiting / options.steps,
    }


def measure_peak(options: argparse.Namespace, from_store: bool) -> float:
    """Return the peak memory in MiB of a process that takes steps."""
    from faket_dask.pickers.batches import prefetch
    from faket_dask.stages.process import prepare_process

    prepare_process(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        trainer, _, read = open_training(Path(folder), options)
        batches = prefetch(read, range(options.steps)) if from_store else [read(0)] * options.steps
        for batch in batches:
            trainer.take_step(*batch)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a function in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main() -> None:
    """Measure and print."""
    options = parse_options()
    times = run_apart(measure_times, options)
    peaks = [run_apart(measure_peak, options, from_store) for from_store in (False, True)]
    step, convolutions = times["constant"], times["convolutions"]
    patches = f"{options.batch} patches of {options.patch}³"
    print(
        f"DeepFinder of width {options.width:g}, {options.classes} classes, {patches}, {options.threads} thread(s), "
        f"{options.device}"
    )
    print(f"step on a constant batch      {step * 1e3:9.1f} ms")
    print(
        f"its convolutions alone        {convolutions * 1e3:9.1f} ms, a step takes {step / convolutions:.2f} times that"
    )
    print(f"step on patches of a store    {times['stored'] * 1e3:9.1f} ms")
    print(f"reading of a batch            {times['reading'] * 1e3:9.1f} ms, by one thread")
    print(
        f"waiting for patches           {times['waiting'] * 1e3:9.1f} ms, {times['waiting'] / times['stored']:.1%}"
    )
    print(f"peak memory, constant batch   {peaks[0]:9.0f} MiB")
    print(f"peak memory, from the store   {peaks[1]:9.0f} MiB, {peaks[1] - peaks[0]:+.0f} MiB")


if __name__ == "__main__":
    main()
