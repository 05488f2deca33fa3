"""Speed of the projections compared with a loop over scikit-image's `radon`, and what they do to signal and ice.

    python benchmarks/projection.py [--projector bilinear]
    python benchmarks/projection.py --ice
    python benchmarks/projection.py --transfer FILE.pdb

The time includes everything except compilation: casting, transposing, weights, and the copy into the stack. The loop is
timed on a few of the (angle, slice) pairs, before and after the projection, and extrapolated.

`--ice` projects white noise, as the texture of ice is, at several angles: the variance per length of the slab, and the
power of the upper fifth of frequencies over that of the lower fifth, across and along the tilt axis. An ideal detector
has 1 in all columns.

`--transfer` renders and projects a structure in random poses and compares it with the sum over its atoms, whose
spectrum is exact at any frequency: the amplitude of the part that agrees, over the exact one, by ring. A detector that
integrates over its pixels has sinc along both axes.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from skimage.transform import radon

from faket_dask.kernels.projector import Projector
from faket_dask.specimen import Recipe, Species, render_block
from faket_dask.specimen.atom_table import Atoms
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import Row, particle_table
from faket_dask.specimen.structure import form_factor
from faket_dask.specimen.structure_file import read_atoms
from faket_dask.specimen.template import Sampling

SAMPLINGS = {Projector.PIXEL: Sampling.AVERAGED, Projector.BILINEAR: Sampling.SMOOTHED}
ANGLES = (0.0, 1.0, 2.0, 20.0, 45.0, 60.0)
VOXEL_A = 10.0
EDGE = 48
RINGS = (0.1, 0.2, 0.3, 0.35, 0.4, 0.45)


def seconds_of_loop(volume: np.ndarray, angles: np.ndarray) -> float:
    """Return the time of the loop."""
    start = time.perf_counter()
    for y in range(volume.shape[1]):
        radon(volume[:, y], angles, circle=False)
    return time.perf_counter() - start


def seconds_of_ours(projector: Projector, volume: np.ndarray, angles: np.ndarray) -> float:
    """Return the time of a projector."""
    start = time.perf_counter()
    projector.project(volume, angles)
    return time.perf_counter() - start


def compare_speed(args: argparse.Namespace) -> None:
    """Print both times and their ratio."""
    angles = np.linspace(-60, 60, args.tilts)
    sampled = angles[:: max(1, args.tilts // 6)]
    volume = np.random.default_rng(0).random((args.depth, args.rows, args.columns), dtype=np.float32)
    seconds_of_ours(args.projector, volume[:4, :2, :8], angles)  # compiles

    cpu_lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{cpu_lines[0].split(':')[1].strip()}, {os.cpu_count()} cores, 1 thread")
    print(f"{args.projector}: volume (z, y, x) {volume.shape}, {args.tilts} tilts")
    ratios = []
    for _ in range(args.repeats):
        loop = [seconds_of_loop(volume[:, :1], sampled) / sampled.size]
        ours = seconds_of_ours(args.projector, volume, angles) / (args.tilts * args.rows)
        loop.append(seconds_of_loop(volume[:, :1], sampled) / sampled.size)
        ratios.append(statistics.mean(loop) / ours)
        print(
            f"scikit-image {1e3 * statistics.mean(loop):8.2f} ms, ours {1e3 * ours:8.4f} ms"
            f" per tilt and slice: {ratios[-1]:6.0f} x"
        )
    print(f"median {statistics.median(ratios):.0f} x, least {min(ratios):.0f} x")


def measure_ice(projector: Projector) -> None:
    """Print what a projector does to white noise."""
    depth, rows, columns = 150, 512, 512
    ice = np.random.default_rng(0).standard_normal((depth, rows, 3 * columns), dtype=np.float32)
    stack = projector.project(ice, ANGLES, columns)
    k = np.fft.fftfreq(columns)
    upper, lower = np.abs(k) > 0.4, (np.abs(k) < 0.1) & (k != 0)
    print(f"{projector}: angle, variance per length, upper over lower frequencies across and along the axis")
    for angle, tilt in zip(ANGLES, stack, strict=True):
        power = np.abs(np.fft.fft2(tilt)) ** 2
        across, along = power.mean(axis=0), power.mean(axis=1)
        print(
            f"{angle:5.0f}° {tilt.var() / (depth / np.cos(np.deg2rad(angle))):6.3f}"
            f" {across[upper].mean() / across[lower].mean():6.3f} {along[upper].mean() / along[lower].mean():6.3f}"
        )


def exact_spectrum(atoms: Atoms, rotation: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the spectrum of a projected structure by ``(ky, kx)``, in V · voxel, and its centroid ``(y, x)`` in Å."""
    k = np.fft.fftfreq(EDGE, VOXEL_A)
    k2 = k[:, None] ** 2 + k**2
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    spectrum = np.zeros((EDGE, EDGE), dtype=np.complex128)
    moment, mass = np.zeros(2), 0.0
    for element, rows in atoms.items():
        x, y, z = rotation @ rows[:, :3].T
        s = x * cosine - z * sine
        phases = np.exp(-2j * np.pi * np.outer(k, y)) * rows[:, 3] @ np.exp(-2j * np.pi * np.outer(s, k))
        spectrum += form_factor(element, k2) * phases
        weight = float(form_factor(element, np.zeros(()))) * rows[:, 3]
        moment += (weight * y).sum(), (weight * s).sum()
        mass += weight.sum()
    return spectrum / VOXEL_A**3, moment / mass


def measure_transfer(projector: Projector, path: Path, poses: int = 6) -> None:
    """Print the amplitude transfer of rendering and projection."""
    atoms = read_atoms(path).by_element()
    middle = np.concatenate(list(atoms.values()))[:, :3].mean(axis=0)
    atoms = {element: rows - np.append(middle, 0.0) for element, rows in atoms.items()}
    recipe = Recipe(
        (EDGE,) * 3,
        VOXEL_A,
        (Species("particle", str(path), count=1),),
        ice_texture=0.0,
        sampling=SAMPLINGS[projector],
    )
    axis = np.fft.fftfreq(EDGE)
    radius = np.hypot(axis[:, None], axis)
    masks = [np.abs(radius - ring) < 0.0125 for ring in RINGS]
    place = (np.arange(EDGE) - EDGE // 2) * VOXEL_A
    shared, own = np.zeros((len(ANGLES), len(RINGS))), np.zeros((len(ANGLES), len(RINGS)))
    rng = np.random.default_rng(0)
    for _ in range(poses):
        rotation, shift = uniform_rotations(1, rng)[0], rng.uniform(-5, 5, 3)
        table = particle_table([Row("particle", 1, EDGE // 2 * VOXEL_A + shift, rotation, 100.0, 0)])
        stack = -projector.project(render_block(recipe, table, 0, EDGE).density, ANGLES)
        for tilt, (angle, image) in enumerate(zip(ANGLES, stack, strict=True)):
            exact, centroid = exact_spectrum(atoms, rotation, angle)
            centre = np.array([image.sum(axis=1) @ place, image.sum(axis=0) @ place]) / image.sum()
            dy, dx = (centre - centroid) / VOXEL_A
            exact *= np.exp(-2j * np.pi * (axis[:, None] * dy + axis * dx))
            cross = (np.fft.fft2(np.fft.ifftshift(image)) * exact.conj()).real
            for ring, mask in enumerate(masks):
                shared[tilt, ring] += cross[mask].sum()
                own[tilt, ring] += (np.abs(exact[mask]) ** 2).sum()
    print(f"{projector}: amplitude transfer of {path.name} at {', '.join(map(str, RINGS))} cycles per pixel")
    pixel = np.sinc(axis[:, None]) * np.sinc(axis)
    print("pixel  " + " ".join(f"{pixel[mask].mean():5.3f}" for mask in masks))
    for angle, values in zip(ANGLES, shared / own, strict=True):
        print(f"{angle:5.0f}° " + " ".join(f"{value:5.3f}" for value in values))


def main() -> None:
    """Print the comparison that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--projector", type=Projector, choices=list(Projector), default=Projector.PIXEL)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--depth", type=int, default=200)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tilts", type=int, default=61)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ice", action="store_true", help="measure white noise, for both projectors")
    parser.add_argument(
        "--transfer", type=Path, metavar="FILE", help="measure a structure, for both projectors"
    )
    args = parser.parse_args()
    if args.ice:
        for projector in Projector:
            measure_ice(projector)
    if args.transfer is not None:
        for projector in Projector:
            measure_transfer(projector, args.transfer)
    if not args.ice and args.transfer is None:
        compare_speed(args)


if __name__ == "__main__":
    main()
