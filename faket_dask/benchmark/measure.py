"""Time and peak memory of a scenario, in processes of its own.

The time runs from before the start of the processes to the last tilt. Every tilt has a reference tilt of its own,
whose Gram matrices are computed as well, as in the published program; in a data set they are computed once per
reference, and every further series costs the transfer alone.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from faket_dask.benchmark.scenarios import Scenario
from faket_dask.config import StyleSection
from faket_dask.kernels.moments import Moments
from faket_dask.kernels.style.scaling import Scaling
from faket_dask.kernels.vgg import VGG19
from faket_dask.methods.transfer import TiltImage
from faket_dask.stages.process import prepare_process
from faket_dask.stages.tiling import GIB, resolve_tile

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""Unit of `ru_maxrss`."""


@dataclass(frozen=True)
class Measurement:
    """Time and memory of a scenario on this machine.

    Parameters
    ----------
    scenario
        Requested scenario, with the published number of workers.
    workers
        Number of processes.
    tilts
        Number of computed tilts; `seconds` is extrapolated where they are fewer than the scenario's.
    seconds
        Time from start to end.
    targets_seconds, transfer_seconds
        Mean time per tilt of the reference's Gram matrices and of the transfer.
    ram_bytes
        Sum of the peak resident sizes of all processes.
    vram_bytes
        Peak allocation on the GPU, or ``None`` without one.
    tile
        Side of the tiles in pixels, ``None`` for the whole image.
    """

    scenario: Scenario
    workers: int
    tilts: int
    seconds: float
    targets_seconds: float
    transfer_seconds: float
    ram_bytes: int
    vram_bytes: int | None
    tile: int | None

    @property
    def extrapolated(self) -> bool:
        """True if fewer tilts were computed than the scenario has."""
        return self.tilts < self.scenario.tilts


@dataclass(frozen=True)
class _Share:
    """Time and memory of one process."""

    targets_seconds: list[float]
    transfer_seconds: list[float]
    ram_bytes: int
    vram_bytes: int | None


def measure(scenario: Scenario, style: StyleSection, workers: int, sample: int | None) -> Measurement:
    """Run a scenario.

    Parameters
    ----------
    scenario
        Scenario, of which all but the number of workers is used.
    style
        Settings; the tile is resolved for the sizes of the scenario.
    workers
        Number of processes; at most one per tilt is started.
    sample
        Number of tilts that each process computes; ``None`` for all. The time of the rest is extrapolated.
    """
    style = resolve_tile(
        style.model_copy(update={"device": scenario.device}),
        (scenario.size, scenario.size),
        [(scenario.style_size, scenario.style_size)],
    )
    workers = 1 if scenario.device == "cuda" else min(workers, scenario.tilts)
    rounds = math.ceil(scenario.tilts / workers)
    taken = rounds if sample is None else min(sample, rounds)
    begin = time.perf_counter()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        running = [pool.submit(_compute, scenario, style, taken, seed) for seed in range(workers)]
        shares = [future.result() for future in running]
        seconds = time.perf_counter() - begin
    targets = float(np.mean([s for share in shares for s in share.targets_seconds]))
    transfers = float(np.mean([s for share in shares for s in share.transfer_seconds]))
    vram = [share.vram_bytes for share in shares if share.vram_bytes is not None]
    return Measurement(
        scenario=scenario,
        workers=workers,
        tilts=min(scenario.tilts, taken * workers),
        seconds=seconds + (rounds - taken) * (targets + transfers),
        targets_seconds=targets,
        transfer_seconds=transfers,
        ram_bytes=sum(share.ram_bytes for share in shares),
        vram_bytes=max(vram) if vram else None,
        tile=style.tile_px,
    )


def _compute(scenario: Scenario, style: StyleSection, tilts: int, seed: int) -> _Share:
    prepare_process(style.threads)
    network = VGG19(seed=0, pooling=style.pooling, precision=style.precision, device=style.device)
    method = style.transfer
    rng = np.random.default_rng(seed)
    unit = Scaling(0.0, 1.0)
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(tilts):
        noisy, content = (rng.random((scenario.size,) * 2, dtype=np.float32) for _ in range(2))
        reference = rng.random((scenario.style_size,) * 2, dtype=np.float32)
        begin = time.perf_counter()
        targets = method.measure(network, TiltImage(reference, unit), tile=style.tile_px)
        middle = time.perf_counter()
        method.transfer(
            network,
            content=TiltImage(content, unit),
            start=TiltImage(noisy, unit),
            targets=targets,
            moments=Moments(0.0, 1.0),
            tile=style.tile_px,
        )
        spent[0].append(middle - begin)
        spent[1].append(time.perf_counter() - middle)
    return _Share(
        *spent,
        ram_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES,
        vram_bytes=int(torch.cuda.max_memory_allocated()) if style.device == "cuda" else None,
    )


def format_row(measurement: Measurement) -> tuple[str, ...]:
    """Return a row of the table: a measurement beside the published figures."""
    published = measurement.scenario.published

    def beside(ours: float | None, theirs: float | None) -> str:
        text = "–" if ours is None else f"{ours:.2f}"
        return text if theirs is None else f"{text} ({theirs:g})"

    scenario = measurement.scenario
    about = "≈ " if measurement.extrapolated else ""
    return (
        f"{scenario.tilts}x{scenario.size}²",
        f"{scenario.style_size}²",
        f"{measurement.workers} GPU" if scenario.device == "cuda" else f"{measurement.workers} CPU",
        "whole" if measurement.tile is None else str(measurement.tile),
        beside(measurement.ram_bytes / GIB, published.ram_GiB),
        beside(None if measurement.vram_bytes is None else measurement.vram_bytes / GIB, published.vram_GiB),
        about + beside(measurement.seconds / 60, published.minutes),
        f"{measurement.targets_seconds:.1f} + {measurement.transfer_seconds:.1f}",
    )


COLUMNS = ("tilts", "style", "device", "tile", "RAM GiB", "VRAM GiB", "minutes", "s per tilt")
"""Titles of the table's columns."""
