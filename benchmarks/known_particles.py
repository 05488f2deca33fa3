"""Contrast of particles that are known in a recording, over that which physics gives them.

    python benchmarks/known_particles.py RECORDING PICKS MAP [--defocus 1.835] [--dose 3] [--sign warp]
        [--potential 2.5] [--thickness 2500] [--score 0.4]

PICKS is a table of places and orientations (columns x_A, y_A, z_A, score, r00 … r22: rotation from particle to
tomogram) in the frame of the recording's aligned tilts, MAP a density map of the particle. The particles are built
there, projected, and imaged by lens, damage and the scattering of the ice (`--thickness`, Å); each recorded tilt is
divided by its mean and compared with that by linear regression. A slope of 1 is the contrast that physics gives in
ice. Rows: bands of wavelengths; columns: mean over the tilts within and beyond 30°, each with its standard error over
the tilts. Picks that are wrong, or wrongly placed or turned, and cytosol instead of ice, lower the slope.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import csv
import itertools
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.formats.openers import open_tilt_series
from faket_dask.geometry import acquisition_order, exposure_before
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope, contrast_left
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.kernels.projection_pixel import project_pixels
from faket_dask.kernels.signal_transfer import relative_contrast, transfer_signal
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.render import render_block
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Sampling
from faket_dask.stages.process import prepare_process

WAVELENGTHS_PX = (64.0, 20.0, 10.0, 5.0)
"""Ends of the bands, in pixels."""

LAYERS = 300
ROWS = 64
MARGIN_PX = 80
"""Columns at either side that high tilts do not show."""


def read_table(path: Path, score: float) -> ParticleTable:
    """Read the particles with a score above the given one."""
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if float(row["score"]) > score]
    count = len(rows)
    centres = np.array([[float(row[f"{axis}_A"]) for axis in "xyz"] for row in rows])
    rotations = np.array([[float(row[f"r{i}{j}"]) for i in range(3) for j in range(3)] for row in rows])
    return ParticleTable(
        np.arange(1, count + 1),
        np.array(["particle"] * count),
        np.ones(count, dtype=np.int64),
        centres,
        rotations.reshape(count, 3, 3),
        np.full(count, 150.0),
        np.zeros(count, dtype=np.int64),
        np.full(count, ""),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.bool_),
    )


def project_particles(
    options: argparse.Namespace, shape: tuple[int, int], pixel_A: float, angles: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Build and project the particles, ``(tilt, y, x)``, block by block of rows."""
    table = read_table(options.picks, options.score)
    species = Species("particle", str(options.map), count=len(table), map_potential_V=options.potential)
    recipe = Recipe((LAYERS, *shape), pixel_A, (species,), ice_texture=0.0, sampling=Sampling.AVERAGED)
    print(f"{len(table)} particles")
    return np.concatenate(
        [
            project_pixels(render_block(recipe, table, row, min(row + ROWS, shape[0])).density, angles)
            for row in range(0, shape[0], ROWS)
        ],
        axis=1,
    )


def filter_band(image: NDArray[np.floating], longest_px: float, shortest_px: float) -> NDArray[np.float64]:
    """Return the waves of an image between two lengths."""
    frequency = np.hypot(scipy.fft.fftfreq(image.shape[0])[:, None], scipy.fft.rfftfreq(image.shape[1]))
    spectrum = scipy.fft.rfft2(image - image.mean())
    spectrum *= (frequency > 1 / longest_px) & (frequency <= 1 / shortest_px)
    return scipy.fft.irfft2(spectrum, s=image.shape)


def main() -> None:
    """Print the slopes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("picks", type=Path)
    parser.add_argument("map", type=Path)
    parser.add_argument("--defocus", type=float, default=1.835, help="µm")
    parser.add_argument("--dose", type=float, default=3.0, help="e/Å² per tilt, in dose-symmetric order")
    parser.add_argument("--sign", default="imod", choices=["imod", "warp"])
    parser.add_argument(
        "--potential", type=float, default=2.5, help="mean over ice inside the particle, volts"
    )
    parser.add_argument("--thickness", type=float, default=2500.0, help="of the ice, Å")
    parser.add_argument("--score", type=float, default=0.4)
    parser.add_argument("--amplitude-contrast", type=float, default=0.1)
    options = parser.parse_args()
    prepare_process(1)
    series = open_tilt_series(options.recording, sign=options.sign)
    series = series.aligned() if series.needs_alignment else series
    angles, pixel_A = series.geometry.tilt_angles, series.pixel_size_A
    picked = read_table(options.picks, options.score).centre_A[:, 1] / pixel_A
    rows = slice(max(0, int(picked.min())), int(picked.max()) + 1)
    projections = project_particles(options, series.shape[1:], pixel_A, angles)
    optics = Optics(amplitude_contrast=options.amplitude_contrast)
    microscope = Microscope(optics, ice_thickness_A=options.thickness)
    before = exposure_before(acquisition_order(angles, "dose_symmetric"), options.dose)
    slopes = np.empty((angles.size, len(WAVELENGTHS_PX) - 1))
    for tilt, angle in enumerate(angles):
        image, outside = series.read_tilt_and_outside(tilt)
        relative = image / image[~outside].mean(dtype=np.float64) - 1
        exposure = Exposure(float(angle), Defocus(options.defocus), options.dose, float(before[tilt]))
        signal = transfer_signal(projections[tilt], pixel_A, microscope, exposure)
        signal *= relative_contrast(pixel_A, optics) * contrast_left(microscope, float(angle))
        for band, ends in enumerate(itertools.pairwise(WAVELENGTHS_PX)):
            known, found = (
                filter_band(values, *ends)[rows, MARGIN_PX:-MARGIN_PX] for values in (signal, relative)
            )
            slopes[tilt, band] = np.sum(known * found) / np.sum(known**2)
    low = np.abs(angles) <= 30.5
    print("| waves | within 30° | beyond |\n|---|---|---|")
    for band, ends in enumerate(itertools.pairwise(WAVELENGTHS_PX)):
        cells = [
            f"{slopes[part, band].mean():.3f} ± {slopes[part, band].std() / np.sqrt(part.sum()):.3f}"
            for part in (low, ~low)
        ]
        print(f"| {ends[0] * pixel_A:g}–{ends[1] * pixel_A:g} Å | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
