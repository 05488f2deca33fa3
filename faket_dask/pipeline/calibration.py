"""How fast and how hungry the kernels are on this machine, measured once and remembered.

A plan's times are these rates times the sizes of the data set. The first plan on a machine measures them on
small images (about ten seconds); they are kept in the user's cache for the combination of host, threads and
software version. Times are estimates, memory is a bound.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.microscope import Optics
from faket_dask.kernels.noise import add_noise
from faket_dask.kernels.projection import project
from faket_dask.kernels.style import StyleSettings, gram_targets, transfer
from faket_dask.kernels.vgg import VGG19
from faket_dask.stages.imaging import simulate_counts
from faket_dask.stages.process import prepare_process
from faket_dask.weights import cache_folder


@dataclass(frozen=True)
class Calibration:
    """Seconds per unit of work of the kernels on one worker of this machine."""

    build_s_per_voxel: float
    project_s_per_voxel: float
    back_project_s_per_voxel: float
    image_s_per_pixel: float
    levels_s_per_pixel: float
    targets_s_per_pixel: float
    style_s_per_pixel: float


def calibration(threads: int) -> Calibration:
    """The calibration of this machine, measured now if it was not before."""
    path = _path(threads)
    try:
        return Calibration(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        found = measure(threads)
    _store(found, threads)
    return found


def record_style(threads: int, targets_s_per_pixel: float, style_s_per_pixel: float) -> None:
    """Replace the style transfer's rates by ones measured at full size, which small images only approximate."""
    known = calibration(threads)
    _store(
        replace(known, targets_s_per_pixel=targets_s_per_pixel, style_s_per_pixel=style_s_per_pixel), threads
    )


def _store(found: Calibration, threads: int) -> None:
    path = _path(threads)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(found)) + "\n")
    except OSError:
        pass  # a read-only home costs ten seconds a plan, nothing else


def _path(threads: int) -> Path:
    name = f"{socket.gethostname()}-{threads}-{__version__}.json"
    return cache_folder() / "calibration" / name


def measure(threads: int) -> Calibration:
    """Measure the kernels on small images."""
    rng = np.random.default_rng(0)
    size = 256
    image = rng.random((size, size), dtype=np.float32)
    block = rng.random((64, 32, size), dtype=np.float32)
    angles = np.linspace(-60, 60, 7)
    rows = rng.random((7, 64, size), dtype=np.float32)
    optics = Optics()
    prepare_process(threads)
    network = VGG19(seed=0)
    settings = StyleSettings()
    targets = gram_targets(network, image, settings.style_layers)
    seconds = {
        "project": _fastest(lambda: project(block, angles)) / (block.size * angles.size),
        "back_project": _fastest(lambda: back_project(rows, angles, 64)) / (64 * rows.size),
        "image": _fastest(
            lambda: simulate_counts(image, 10.0, optics, 0.0, 3.0, 2.0, 0.0, np.random.default_rng(0))
        )
        / image.size,
        "levels": 2.5
        * _fastest(lambda: add_noise(image, 0.5, 0.5, rng.standard_normal(image.shape, np.float32)))
        / image.size,
        "targets": _fastest(lambda: gram_targets(network, image, settings.style_layers)) / image.size,
        "style": _fastest(lambda: transfer(network, image, image, targets, settings)) / image.size,
    }
    return Calibration(
        # Rendering is dominated by passes over the block: as many as a noise draw and a few copies.
        build_s_per_voxel=_fastest(lambda: rng.standard_normal(block.shape, np.float32)) * 4 / block.size,
        project_s_per_voxel=seconds["project"],
        back_project_s_per_voxel=seconds["back_project"],
        image_s_per_pixel=seconds["image"],
        levels_s_per_pixel=seconds["levels"],
        targets_s_per_pixel=seconds["targets"],
        style_s_per_pixel=seconds["style"],
    )


def _fastest(work: Callable[[], object]) -> float:
    """Seconds of the second run: the first compiles and warms up."""
    work()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
