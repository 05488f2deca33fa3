"""Measured run time of the kernels on this machine.

A plan's times are these rates times the sizes of the data set. The first plan on a machine measures them on small
images (about ten seconds); they are kept in the user's cache for the combination of host, threads and software
version. Times are estimates.
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
from faket_dask.user_cache import cache_folder

EXTREMA_PASSES = 2.5
"""Time of a tilt's noise with its moments and extrema over that of adding noise alone."""

BUILD_PASSES = 4
"""Time of rendering a block over that of a noise draw: it is dominated by passes over the block."""


@dataclass(frozen=True)
class KernelRates:
    """Seconds of one worker of this machine per voxel or pixel."""

    build_s_per_voxel: float
    project_s_per_voxel: float
    back_project_s_per_voxel: float
    image_s_per_pixel: float
    noise_s_per_pixel: float
    gram_s_per_pixel: float
    transfer_s_per_pixel: float


def load_kernel_rates(threads: int) -> KernelRates:
    """Return the rates of this machine, measured now if they were not before.

    Parameters
    ----------
    threads
        Number of threads per task.
    """
    try:
        return KernelRates(**json.loads(_rates_path(threads).read_text()))
    except (OSError, ValueError, TypeError):
        rates = measure_kernel_rates(threads)
    _store(rates, threads)
    return rates


def store_transfer_rates(threads: int, gram_s_per_pixel: float, transfer_s_per_pixel: float) -> None:
    """Replace the style transfer's rates by ones measured at full size, which small images only approximate."""
    known = load_kernel_rates(threads)
    rates = replace(known, gram_s_per_pixel=gram_s_per_pixel, transfer_s_per_pixel=transfer_s_per_pixel)
    _store(rates, threads)


def _store(rates: KernelRates, threads: int) -> None:
    path = _rates_path(threads)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(rates)) + "\n")
    except OSError:
        pass  # a read-only home costs ten seconds a plan, nothing else


def _rates_path(threads: int) -> Path:
    return cache_folder() / "calibration" / f"{socket.gethostname()}-{threads}-{__version__}-2.json"


def measure_kernel_rates(threads: int) -> KernelRates:
    """Measure the kernels on small images.

    Parameters
    ----------
    threads
        Number of threads per task.
    """
    from faket_dask.kernels.backprojection import back_project
    from faket_dask.kernels.microscope import Optics
    from faket_dask.kernels.noise import add_noise
    from faket_dask.kernels.projection import project
    from faket_dask.kernels.style import StyleSettings, gram_targets, transfer
    from faket_dask.kernels.vgg import VGG19
    from faket_dask.stages.imaging import simulate_counts
    from faket_dask.stages.process import prepare_process

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
    field = rng.standard_normal(image.shape, np.float32)
    project_s = _time(lambda: project(block, angles))
    back_project_s = _time(lambda: back_project(rows, angles, 64))
    image_s = _time(
        lambda: simulate_counts(
            noiseless=image,
            pixel_size_A=10.0,
            optics=optics,
            tilt_angle=0.0,
            defocus_um=3.0,
            dose_e_per_A2=2.0,
            exposure_before_e_per_A2=0.0,
            rng=np.random.default_rng(0),
        )
    )
    noise_s = _time(lambda: add_noise(image, 0.5, 0.5, field))
    gram_s = _time(lambda: gram_targets(network, image, settings.style_layers))
    transfer_s = _time(lambda: transfer(network, image, image, targets, settings))
    draw_s = _time(lambda: rng.standard_normal(block.shape, np.float32))
    return KernelRates(
        build_s_per_voxel=BUILD_PASSES * draw_s / block.size,
        project_s_per_voxel=project_s / (block.size * angles.size),
        back_project_s_per_voxel=back_project_s / (64 * rows.size),
        image_s_per_pixel=image_s / image.size,
        noise_s_per_pixel=EXTREMA_PASSES * noise_s / image.size,
        gram_s_per_pixel=gram_s / image.size,
        transfer_s_per_pixel=transfer_s / image.size,
    )


def _time(work: Callable[[], object]) -> float:
    """Return the seconds of the second call: the first compiles and warms up."""
    work()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
