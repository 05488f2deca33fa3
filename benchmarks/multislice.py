"""Microscope model against a multislice written out anew from its formulae.

    python benchmarks/multislice.py [--side 192] [--pixel 4] [--thickness 2000] [--slice 25] [--ball 8]

The specimen is Gaussian balls in a slab, whose projection and slices are known in closed form. This script shares no
code with the project where it computes the image: slices are perpendicular to the beam and reach over all of the tilted
slab, of which each column of the image meets its own part, and there are no strips. The output lists, for each tilt
angle, the root mean square difference from that image, over its standard deviation, of the project's image of one thin
object, and of the project's in slices.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from faket_dask.kernels.detector import Detector
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.stages.imaging import Slab, simulate_counts

KILOVOLTS, CS_A, AMPLITUDE = 300.0, 2.7e7, 0.08
BALL_V = 6.0
"""Potential in the middle of a ball over that of ice."""

ELECTRONS = 1e12

# Kirkland's formulae with hc = 12.398 keV Å and m c² = 511 keV.
WAVELENGTH_A = 12.398 / math.sqrt(KILOVOLTS * (2 * 511.0 + KILOVOLTS))
SIGMA = 2 * math.pi / (WAVELENGTH_A * 1e3 * KILOVOLTS) * (511.0 + KILOVOLTS) / (2 * 511.0 + KILOVOLTS)


def rotate(centres: NDArray[np.float64], tilt_deg: float) -> NDArray[np.float64]:
    """Return ``(s, y, t)``: across the tilt axis, along it, and towards the source."""
    x, y, z = centres.T
    cosine, sine = math.cos(math.radians(tilt_deg)), math.sin(math.radians(tilt_deg))
    return np.column_stack((x * cosine - z * sine, y, z * cosine + x * sine))


def project_balls(
    centres: NDArray[np.float64], weights: NDArray[np.float64], side: int, pixel: float, ball_A: float
) -> NDArray[np.float64]:
    """Return the sum of Gaussians, ``(y, x)``, with a weight each."""
    axis = (np.arange(side) - side // 2) * pixel
    along = np.exp(-((axis - centres[:, :1]) ** 2) / (2 * ball_A**2))
    down = np.exp(-((axis - centres[:, 1:2]) ** 2) / (2 * ball_A**2))
    return (weights[:, None] * down).T @ along


def image_slices(
    centres: NDArray[np.float64], side: int, pixel: float, slice_A: float, defocus_A: float, ball_A: float
) -> NDArray[np.float64]:
    """Return the intensity behind slices perpendicular to the beam, which comes from positive t."""
    k = np.fft.fftfreq(side, pixel)
    k2 = k[:, None] ** 2 + k**2
    t = centres[:, 2]
    top, bottom = t.max() + 4 * ball_A, t.min() - 4 * ball_A
    edges = top - slice_A * np.arange(math.ceil((top - bottom) / slice_A) + 1)
    step = np.exp(-1j * math.pi * WAVELENGTH_A * slice_A * k2)
    wave = np.ones((side, side), dtype=complex)
    for high, low in itertools.pairwise(edges):
        weights = 0.5 * (erf((high - t) / (math.sqrt(2) * ball_A)) - erf((low - t) / (math.sqrt(2) * ball_A)))
        near = weights > 1e-6
        if near.any():
            through = BALL_V * ball_A * math.sqrt(2 * math.pi) * weights[near]
            phase = SIGMA * project_balls(centres[near], through, side, pixel, ball_A)
            wave = wave * np.exp((1j * math.sqrt(1 - AMPLITUDE**2) - AMPLITUDE) * phase)
        wave = np.fft.ifft2(np.fft.fft2(wave) * step)
    # The wave stands behind the last edge, with its middle half a slice above where it acted.
    from_axis = defocus_A - (edges[-1] + 0.5 * slice_A) + slice_A
    chi = math.pi * WAVELENGTH_A * k2 * from_axis - 0.5 * math.pi * CS_A * WAVELENGTH_A**3 * k2**2
    return np.abs(np.fft.ifft2(np.fft.fft2(wave) * np.exp(1j * chi))) ** 2


def render(
    centres: NDArray[np.float64], shape: tuple[int, int, int], pixel: float, ball_A: float
) -> NDArray[np.float32]:
    """Return the slab's voxels ``(z, y, x)``."""
    volume = np.zeros(shape, dtype=np.float32)
    reach = math.ceil(4 * ball_A / pixel)
    middle = np.array([shape[2] // 2, shape[1] // 2, shape[0] // 2])
    for centre in centres:
        place = centre / pixel + middle
        first = [max(0, math.floor(at) - reach) for at in place]
        last = [
            max(a, min(size, math.floor(at) + reach + 1))
            for a, at, size in zip(first, place, shape[::-1], strict=True)
        ]
        x, y, z = (
            np.exp(-((np.arange(a, b) - at) ** 2) * pixel**2 / (2 * ball_A**2))
            for a, b, at in zip(first, last, place, strict=True)
        )
        volume[first[2] : last[2], first[1] : last[1], first[0] : last[0]] += (
            BALL_V * z[:, None, None] * y[:, None] * x
        ).astype(np.float32)
    return volume


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--pixel", type=float, default=4.0)
    parser.add_argument("--thickness", type=float, default=2000.0)
    parser.add_argument("--slice", type=float, default=25.0)
    parser.add_argument("--defocus", type=float, default=2.0, help="µm")
    parser.add_argument("--ball", type=float, default=8.0, help="standard deviation of a ball in Å")
    parser.add_argument("--balls-per-um3", type=float, default=3e5)
    parser.add_argument("--angles", type=float, nargs="+", default=[0, 40, 60])
    options = parser.parse_args()
    side, pixel, ball_A = options.side, options.pixel, options.ball
    depth = round(options.thickness / pixel)
    microscope = Microscope(
        Optics(KILOVOLTS, CS_A * 1e-7, AMPLITUDE),
        Detector(pixel, 1.0, 1.0, 1.0),
        ice_thickness_A=0.0,
        damage=False,
    )
    print("| tilt | thin object | slices | seconds of the slices |\n|---|---|---|---|")
    for angle in options.angles:
        # Wider than the image, and twice as wide for the waves that leave it.
        wide = 2 * side
        width = math.ceil(
            wide / math.cos(math.radians(angle)) + depth * abs(math.tan(math.radians(angle))) + 2
        )
        rng = np.random.default_rng(0)
        extent = np.array([width - 8, side * 1.5, depth - 8]) * pixel
        count = round(options.balls_per_um3 * extent.prod() * 1e-12)
        balls = rng.uniform(-0.5, 0.5, (count, 3)) * extent
        seen = rotate(balls, angle)
        seen = seen[np.abs(seen[:, 0]) < 0.75 * side * pixel]
        crop = np.s_[(wide - side) // 2 : (wide + side) // 2, (wide - side) // 2 : (wide + side) // 2]
        truth = image_slices(seen, wide, pixel, options.slice, 1e4 * options.defocus, ball_A)[crop]
        total = np.full(len(seen), BALL_V * ball_A * math.sqrt(2 * math.pi))
        projection = project_balls(seen, total, wide, pixel, ball_A)[crop]
        volume = render(balls, (depth, side, width), pixel, ball_A)

        def read(volume: NDArray[np.float32] = volume) -> Iterator[tuple[slice, NDArray[np.float32]]]:
            yield slice(0, side), volume

        slab = Slab(depth, max(1, round(options.slice / pixel)), read)
        exposure = Exposure(angle, Defocus(options.defocus), ELECTRONS)
        differences = []
        for parts in (None, slab):
            begin = time.perf_counter()
            counts = simulate_counts(
                (-projection / pixel).astype(np.float32),
                pixel,
                microscope,
                exposure,
                np.random.default_rng(0),
                slab=parts,
            )
            seconds = time.perf_counter() - begin
            # Beyond the edge the project mirrors the image.
            inner = np.s_[side // 6 : -side // 6, side // 6 : -side // 6]
            difference = (counts / (ELECTRONS * pixel**2) - truth)[inner]
            differences.append(float(np.sqrt((difference**2).mean()) / truth[inner].std()))
        print(f"| {angle:g}° | {differences[0]:.3f} | {differences[1]:.3f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
