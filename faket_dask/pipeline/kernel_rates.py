"""Run time of the kernels on this machine, from the user's cache or measured now.

A plan's times are these rates times the sizes of the data set. The first plan on a machine measures them on small
images (`faket_dask.pipeline.calibration`, about fifteen seconds); they are kept in the user's cache for the combination
of host, threads and software version.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.user_cache import cache_folder

CALIBRATED_SIDE = 512
"""Side of the images that the rates are measured on."""

UNIT_ARRAYS = 4
"""Arrays that a unit opens beside those of its tilts."""


@dataclass(frozen=True)
class KernelRates:
    """Seconds of one worker of this machine per voxel, pixel, byte or unit.

    Parameters
    ----------
    array_s
        An array opened, and a value of it written and hashed.
    store_s_per_byte, load_s_per_byte
        Noise of an array written, compressed and hashed, and read.
    place_s_per_object
        A particle packed among few others.
    draw_s_per_voxel
        Texture of the ice.
    render_s_per_voxel, membrane_s_per_voxel
        Voxels about a particle, and in the cube about a membrane.
    project_s_per_sample, project_s_per_term
        Samples along the rays of all tilts, and terms of the projection that integrates over pixels.
    back_project_s_per_voxel
        Voxels times tilts.
    image_s_per_pixel
        Microscope model.
    noise_s_per_pixel, shape_s_per_pixel, extrema_s_per_pixel
        An image with noise, noise shaped to a spectrum, and the range of an image.
    signal_s_per_pixel
        Contrast transfer of a signal, with a gradient of the defocus.
    slab_s_per_sample
        Shared matter drawn and projected, per voxel and tilt.
    filter_s_per_pixel
        Binned pixels filtered for back-projection.
    correct_s_per_pixel, weigh_s_per_pixel
        Pixels of the strips in which the contrast transfer is corrected, and pixels weighted by their dose.
    fill_s_per_pixel
        Artefacts replaced by their surroundings, whose reach grows with the image.
    mask_s_per_pixel, align_s_per_pixel, resample_s_per_pixel
        Search for artefacts, alignment, and resampled pixels, of a reference tilt and its mask.
    spectrum_s_per_pixel
        Moments and spectra of a reference tilt.
    texture_s_per_pixel, blobs_s_per_pixel
        Texture of a tilt prepared for the network, and search for compact objects.
    gram_s, evaluation_s
        Gram matrices of an image, and one evaluation of the loss with its gradient, of next to no pixels.
    gram_s_per_pixel, transfer_s_per_pixel
        The same two, in addition for each pixel.
    specimen_start_s, network_start_s
        Libraries for specimens, and libraries and network, loaded once per process.
    """

    array_s: float
    store_s_per_byte: float
    load_s_per_byte: float
    place_s_per_object: float
    draw_s_per_voxel: float
    render_s_per_voxel: float
    membrane_s_per_voxel: float
    project_s_per_sample: float
    project_s_per_term: float
    back_project_s_per_voxel: float
    image_s_per_pixel: float
    noise_s_per_pixel: float
    shape_s_per_pixel: float
    extrema_s_per_pixel: float
    signal_s_per_pixel: float
    slab_s_per_sample: float
    filter_s_per_pixel: float
    correct_s_per_pixel: float
    weigh_s_per_pixel: float
    fill_s_per_pixel: float
    mask_s_per_pixel: float
    align_s_per_pixel: float
    resample_s_per_pixel: float
    spectrum_s_per_pixel: float
    texture_s_per_pixel: float
    blobs_s_per_pixel: float
    gram_s_per_pixel: float
    transfer_s_per_pixel: float
    gram_s: float
    evaluation_s: float
    specimen_start_s: float
    network_start_s: float

    def grow(self, seconds_per_pixel: float, side: int) -> float:
        """Return a rate that was measured with one filling of artefacts for images of another shorter side."""
        further = self.fill_s_per_pixel * (side / CALIBRATED_SIDE - 1)
        return max(seconds_per_pixel + further, 0.3 * seconds_per_pixel)

    @property
    def unit_s(self) -> float:
        """Seconds of a unit without any work: its stores opened, its results and marker written."""
        return UNIT_ARRAYS * self.array_s


def load_kernel_rates(threads: int) -> KernelRates:
    """Return the rates of this machine, measured now if they were not before.

    Parameters
    ----------
    threads
        Number of threads per task.
    """
    return _load(_rates_path(threads), threads)


@lru_cache(maxsize=4)
def _load(path: Path, threads: int) -> KernelRates:
    try:
        return KernelRates(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        pass
    from faket_dask.pipeline.calibration import measure_kernel_rates

    rates = measure_kernel_rates(threads)
    _store(rates, path)
    return rates


def store_transfer_rates(threads: int, gram_s_per_pixel: float, transfer_s_per_pixel: float) -> None:
    """Replace the style transfer's rates by ones measured at full size, which small images only approximate."""
    known = load_kernel_rates(threads)
    rates = replace(known, gram_s_per_pixel=gram_s_per_pixel, transfer_s_per_pixel=transfer_s_per_pixel)
    _store(rates, _rates_path(threads))
    _load.cache_clear()


def _store(rates: KernelRates, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(rates)) + "\n")
    except OSError:
        pass  # a read-only home costs fifteen seconds a plan, nothing else


def _rates_path(threads: int) -> Path:
    return cache_folder() / "calibration" / f"{socket.gethostname()}-{threads}-{__version__}-4.json"
