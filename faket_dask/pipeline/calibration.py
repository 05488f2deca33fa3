"""Measurement of the kernels' rates on small images.

Processor time is measured, so that a busy machine gives the rates of an idle one; with more than one thread per task it
is the wall-clock time, as the processor time of threads adds up.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from faket_dask.engine.arrays import ArraySpec, create_array, create_group, open_array
from faket_dask.pipeline.kernel_rates import CALIBRATED_SIDE, KernelRates

_NETWORK_SIZE = 256
"""Side of the images that a network sees."""

_TINY = 64
"""Side of the images from which the time of a network without pixels is taken."""

_REPEATS = 2

_START = """
import time
import numpy as np
import distributed, scipy.ndimage, torch, zarr
import faket_dask.pipeline
begin = time.process_time()
from faket_dask.specimen.placement import place
from faket_dask.specimen.render import render_block
from faket_dask.specimen import Recipe, Species
place(Recipe((20, 40, 40), 20.0, (Species("boot", count=1),)), np.random.default_rng(0))
specimen = time.process_time()
from faket_dask.kernels.style import gram_targets
from faket_dask.kernels.vgg import VGG19
gram_targets(VGG19(seed=0), np.zeros((64, 64), np.float32), [29])
print(specimen - begin, time.process_time() - specimen)
"""
"""Program that loads what a worker process loads before its first specimen and network, and prints the seconds."""


def measure_kernel_rates(threads: int) -> KernelRates:
    """Measure the kernels on small images, in about fifteen seconds.

    Parameters
    ----------
    threads
        Number of threads per task.
    """
    from faket_dask.formats.alignment import Alignment
    from faket_dask.geometry import TiltGeometry
    from faket_dask.kernels.artefacts import artefact_mask, fill
    from faket_dask.kernels.backprojection import back_project
    from faket_dask.kernels.ctf_correction import CtfCorrection, PhaseFlip
    from faket_dask.kernels.defocus_gradient import count_strip_pixels
    from faket_dask.kernels.dose_weighting import DoseWeighting
    from faket_dask.kernels.exposure import Exposure
    from faket_dask.kernels.microscope import Microscope
    from faket_dask.kernels.moments import match_moments
    from faket_dask.kernels.noise import add_noise
    from faket_dask.kernels.noise.spectral import shaped_field
    from faket_dask.kernels.optics import Defocus, Optics
    from faket_dask.kernels.projection import project
    from faket_dask.kernels.projection_pixel import count_terms, project_pixels
    from faket_dask.kernels.random_slab import project_random_slab
    from faket_dask.kernels.signal_transfer import transfer_signal
    from faket_dask.kernels.similarity.spurious_objects import mask_labels, spurious_density
    from faket_dask.kernels.style import StyleSettings, gram_targets, transfer
    from faket_dask.kernels.style.network_input import extract_texture
    from faket_dask.kernels.style.scaling import tilt_extrema
    from faket_dask.kernels.vgg import VGG19
    from faket_dask.methods.noise import ReferenceTilt
    from faket_dask.methods.spectral_noise import SPECTRAL_NOISE
    from faket_dask.references.resampling import resample_image
    from faket_dask.specimen.ice import ice_texture
    from faket_dask.stages.imaging import simulate_counts
    from faket_dask.stages.process import prepare_process
    from faket_dask.stages.reconstruction import prepare_tilt

    def measure(work: Callable[[], object]) -> float:
        return _measure(work, threads)

    rng = np.random.default_rng(0)
    prepare_process(threads)
    size = CALIBRATED_SIDE
    image = rng.standard_normal((size, size), dtype=np.float32)
    image[100:110, 100:110] -= 20
    pixels = image.size
    valid = ~artefact_mask(image)
    unit = rng.random((_NETWORK_SIZE, _NETWORK_SIZE), dtype=np.float32)
    half = unit[: _NETWORK_SIZE // 2, : _NETWORK_SIZE // 2]
    block = rng.random((64, 32, size), dtype=np.float32)
    angles = np.linspace(-60, 60, 7)
    rows = rng.random((7, 64, size), dtype=np.float32)
    network, settings = VGG19(seed=0), StyleSettings()
    layers = settings.style_layers
    targets = gram_targets(network, half, layers)
    turned = TiltGeometry(np.zeros(1), 10.0, tilt_axis_angle_deg=4.0)
    alignment = Alignment.from_geometry(turned, image.shape)
    field = rng.standard_normal(image.shape, np.float32)
    power = np.ones(size // 2)
    directions = np.ones((32, 17))
    spectrum = ReferenceTilt.from_image

    def measure_spectra() -> None:
        SPECTRAL_NOISE.estimate(spectrum(image, size // 2, valid))

    def align() -> None:
        alignment.resample(image, 0, 5)
        alignment.resample(np.ones_like(image), 0, 1)

    def find_blobs() -> None:
        spurious_density(image, mask_labels(image))

    def simulate() -> None:
        exposure = Exposure(0.0, Defocus(3.0), 2.0)
        simulate_counts(-np.abs(image), 10.0, Microscope(), exposure, np.random.default_rng(0))

    correction = CtfCorrection(PhaseFlip(), Optics(), (Defocus(3.0),))
    weighting = DoseWeighting(300.0, tuple(2.0 * np.arange(41)), (2.0,) * 41)

    def image_signal() -> None:
        transfer_signal(image, 10.0, Microscope(), Exposure(45.0, Defocus(3.0), 2.0))

    def draw_slab() -> None:
        for _ in project_random_slab(np.ones_like, (256, 256), 64, 0.1 * angles, np.random.default_rng(0)):
            pass

    def prepare() -> None:
        prepare_tilt(tilt=image, kind="hann", tilt_angles=angles, index=0, thickness_px=64)

    array_s, store_s, load_s = _measure_stores(measure)
    place_s, render_s, membrane_s = _measure_specimen(measure)
    samples = size * 32 * sum(min(64 / abs(np.cos(a)), size) for a in np.deg2rad(angles))
    factor = 1.25
    specimen_start_s, network_start_s = _measure_start()
    tiny = unit[:_TINY, :_TINY]
    gram_s, gram_s_per_pixel = _fit_line(
        tiny.size,
        measure(lambda: gram_targets(network, tiny, layers)),
        unit.size,
        measure(lambda: gram_targets(network, unit, layers)),
    )
    evaluation_s, transfer_s_per_pixel = _fit_line(
        tiny.size,
        measure(lambda: transfer(network, tiny, tiny, targets, settings)),
        half.size,
        measure(lambda: transfer(network, half, half, targets, settings)),
    )
    return KernelRates(
        array_s=array_s,
        store_s_per_byte=store_s,
        load_s_per_byte=load_s,
        place_s_per_object=place_s,
        draw_s_per_voxel=measure(lambda: ice_texture(block.shape, 0, 10.0, 1.0, 0)) / block.size,
        render_s_per_voxel=render_s,
        membrane_s_per_voxel=membrane_s,
        project_s_per_sample=measure(lambda: project(block, angles)) / samples,
        project_s_per_term=measure(lambda: project_pixels(block, angles)) / count_terms(block.shape, angles),
        back_project_s_per_voxel=measure(lambda: back_project(rows, angles, 64)) / (64 * rows.size),
        image_s_per_pixel=measure(simulate) / pixels,
        noise_s_per_pixel=measure(lambda: match_moments(add_noise(image, 0.5, 0.5, field), 1.0, 2.0))
        / pixels,
        shape_s_per_pixel=measure(lambda: shaped_field(field, power, directions)) / pixels,
        extrema_s_per_pixel=measure(lambda: tilt_extrema(image, 0.0)) / pixels,
        signal_s_per_pixel=measure(image_signal) / pixels,
        slab_s_per_sample=measure(draw_slab) / (64 * angles.size * image[:256, :256].size),
        filter_s_per_pixel=measure(prepare) / pixels,
        correct_s_per_pixel=measure(lambda: correction.apply(image, 5.0, 0.0, 0))
        / count_strip_pixels((size, size), 5.0, Optics(), 0.0, Defocus(3.0)),
        weigh_s_per_pixel=measure(lambda: weighting.apply(image, 5.0, 0)) / pixels,
        mask_s_per_pixel=measure(lambda: artefact_mask(image)) / pixels,
        fill_s_per_pixel=measure(lambda: fill(image, ~valid)) / pixels,
        align_s_per_pixel=measure(align) / pixels,
        resample_s_per_pixel=2 * measure(lambda: resample_image(image, factor)) / (factor**2 * pixels),
        spectrum_s_per_pixel=measure(measure_spectra) / pixels,
        texture_s_per_pixel=measure(lambda: extract_texture(image, valid)) / pixels,
        blobs_s_per_pixel=measure(find_blobs) / pixels,
        gram_s_per_pixel=gram_s_per_pixel,
        transfer_s_per_pixel=transfer_s_per_pixel,
        gram_s=gram_s,
        evaluation_s=evaluation_s,
        specimen_start_s=specimen_start_s,
        network_start_s=network_start_s,
    )


def _measure_specimen(measure: Callable[[Callable[[], object]], float]) -> tuple[float, float, float]:
    """Return the seconds per packed object, and per voxel about a particle and about a membrane."""
    from faket_dask.specimen.membranes.kinds import Vesicle
    from faket_dask.specimen.placement import place
    from faket_dask.specimen.recipe import Recipe
    from faket_dask.specimen.render import render_block
    from faket_dask.specimen.sources import load_template
    from faket_dask.specimen.species import Species

    species, voxel_A, count = Species("boot", count=60), 10.0, 60
    recipe = Recipe((60, 128, 128), voxel_A, (species,), ice_texture=0.0)
    bubble = Vesicle(1, 300.0, deformation=0.0)
    vesicle = Recipe((90, 90, 90), voxel_A, (bubble,), ice_texture=0.0)
    reach_A = load_template(species, 0, voxel_A).support_A
    table = place(recipe, np.random.default_rng(0))
    bubbles = place(vesicle, np.random.default_rng(0))
    cube = (2 * (300.0 + bubble.bilayer.half_thickness_A) / voxel_A) ** 3
    return (
        measure(lambda: place(recipe, np.random.default_rng(0))) / count,
        measure(lambda: render_block(recipe, table, 0, 128))
        / (count * 4 / 3 * np.pi * (reach_A / voxel_A) ** 3),
        measure(lambda: render_block(vesicle, bubbles, 0, 90)) / cube,
    )


def _measure_stores(measure: Callable[[Callable[[], object]], float]) -> tuple[float, float, float]:
    """Return the seconds of a tiny array, and per byte written and read."""
    noise = np.random.default_rng(1).standard_normal((64, 64, 256), dtype=np.float32)
    small = noise[:1, :1, :1]
    with tempfile.TemporaryDirectory() as folder:
        group = Path(folder) / "rates.zarr"
        create_group(group, {})
        for name, array in (("noise", noise), ("small", small)):
            create_array(group, ArraySpec(name, ("z", "y", "x"), array.shape, array.shape))

        def write(name: str, array: np.ndarray) -> None:
            open_array(group, name)[...] = array
            for file in (group / name / "c").rglob("*"):
                if file.is_file():
                    with open(file, "rb") as stream:
                        hashlib.file_digest(stream, "sha256")

        return (
            measure(lambda: write("small", small)),
            measure(lambda: write("noise", noise)) / noise.nbytes,
            measure(lambda: open_array(group, "noise", "r")[...]) / noise.nbytes,
        )


def _measure_start() -> tuple[float, float]:
    """Return the seconds in which a new process loads what specimens need, and a network with what it needs."""
    done = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    specimen, network = map(float, done.stdout.split()[-2:])
    return specimen, network


def _fit_line(small: int, small_s: float, large: int, large_s: float) -> tuple[float, float]:
    """Return the seconds of no pixels and of each further one, from those of two images."""
    slope = max(large_s - small_s, 0.5 * large_s * (1 - small / large)) / (large - small)
    return max(0.0, small_s - slope * small), slope


def _measure(work: Callable[[], object], threads: int) -> float:
    """Return the seconds of a call after a first one, which compiles and warms up."""
    clock = time.process_time if threads == 1 else time.perf_counter
    work()
    begin = clock()
    for _ in range(_REPEATS):
        work()
    return (clock() - begin) / _REPEATS
