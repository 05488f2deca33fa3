"""A data set against a recording in three dimensions: coherence of neighbouring tilts, and judges of tomograms.

    python benchmarks/coherence.py DATASET RECORDING [--modalities noisy spectral faket] [--size 256] [--layers 64]
        [--network] [--sign warp] [--picks CSV --class ribosome --radius 80 --picks-centre 3260 3140 1500]

Coherence is the share of their power that neighbouring tilts have in common, within ±30°, by wavelength in Å; beside
it stands its standard error, and in the last row that of the recording. Tomograms are those of the middle of both
(Hann-windowed ramp, as many tilts of either), and their patches are told apart by ring powers, by shapes of whitened
patches (skewness, kurtosis, dark blobs), and, with `--network`, by a small 3-D network on whitened patches with two
seeds: accuracy on the half that they have not learned from, beside that of the left half of the recording against its
right half. A recording is read through its own alignment.

With `--picks`, a table of particles in the recording (columns x_A, y_A, z_A and score, in a tomogram whose tilt axis is
at `--picks-centre`), the third table is the contrast of the particles of a class in the data set's tomograms and in the
recording's: the mean of the layers minus that of spheres about their places, in standard deviations.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.formats.openers import open_tilt_series
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.similarity.discrimination import Discrimination
from faket_dask.kernels.similarity.particle_contrast import measure_particle_contrast
from faket_dask.kernels.similarity.tilt_coherence import centred_bands, measure_common_power
from faket_dask.kernels.similarity.tomogram_judges import (
    judge_by_network,
    judge_ring_powers,
    judge_shapes,
)
from faket_dask.specimen.particles import read_particles
from faket_dask.stages.consistency import crop_middle, mask_artefacts, reconstruct_middle, standardise_tilts
from faket_dask.stages.process import prepare_process

WAVELENGTHS_A = (640.0, 320.0, 213.0, 142.0, 91.0, 61.0, 41.0, 25.0)

Stack = NDArray[np.float32]
Masks = NDArray[np.bool_]


def read_dataset(spec: DatasetSpec, modality: str, size: int) -> tuple[Stack, Masks]:
    """Read the middle of all tilts of the first series."""
    series = spec.series[0]
    group = stack_group(spec.folder, owning_item(series, modality), modality)
    count = spec.geometry.acquisition(series.name).tilt_angles.size
    tilts = [crop_middle(read_tilt(group, modality, tilt), size) for tilt in range(count)]
    stack = np.stack(tilts)
    return stack, mask_artefacts(stack)


def read_recording(path: Path, sign: str, size: int) -> tuple[Stack, Masks, NDArray[np.float64], float]:
    """Read the middle of all aligned tilts of a recording, with their angles and pixel size."""
    series = open_tilt_series(path, sign=sign)
    series = series.aligned() if series.needs_alignment else series
    tilts, masks = [], []
    for tilt in range(series.shape[0]):
        image, outside = series.read_tilt_and_outside(tilt)
        tilts.append(crop_middle(image, size))
        masks.append(crop_middle(~(artefact_mask(image) | outside), size) > 0)
    return np.stack(tilts), np.stack(masks), series.geometry.tilt_angles, series.pixel_size_A


def print_coherence(
    name: str, stack: Stack, masks: Masks, angles: NDArray[np.float64], pixel_A: float
) -> None:
    """Print one row."""
    power = measure_common_power(standardise_tilts(stack, masks), angles, masks)
    cells = []
    for edges in centred_bands(pixel_A / np.array(WAVELENGTHS_A)):
        band = power.average_bands(edges)
        cells.append(f"{band.coherence[0]:.3f} ± {band.coherence_error[0]:.3f}")
    step = float(np.mean(np.diff(power.tilt_angles, axis=1)))
    print(f"| {name} | {step:.1f}° | {' | '.join(cells)} |", flush=True)


def read_picks(options: argparse.Namespace, pixel_A: float) -> NDArray[np.float64]:
    """Return the places ``(n, 3)`` in voxels ``(z, y, x)`` of known particles in the recording's middle."""
    with options.picks.open() as file:
        rows = [row for row in csv.DictReader(file) if float(row.get("score", 1)) > options.least_score]
    places = np.array([[float(row[f"{axis}_A"]) for axis in "zyx"] for row in rows])
    middle = np.array([options.layers // 2, options.size // 2, options.size // 2])
    return (places - options.picks_centre[::-1]) / pixel_A + middle


def read_particles_of(spec: DatasetSpec, name: str, layers: int, size: int) -> NDArray[np.float64]:
    """Return the places ``(n, 3)`` in voxels ``(z, y, x)`` of a class in a data set's middle."""
    specimen = spec.series[0].specimen
    table = read_particles(spec.folder.particles(specimen))
    places = table.select(table.class_name == name).centre_A[:, ::-1]
    centre = np.array(spec.geometry.volume_shape(specimen)) // 2
    pixel_A = spec.geometry.acquisition(specimen).pixel_size_A
    return places / pixel_A - centre + np.array([layers // 2, size // 2, size // 2])


def print_judgement(name: str, judge: str, judgement: Callable[[], Discrimination]) -> None:
    """Print accuracy and floor of one judge."""
    start = time.perf_counter()
    verdict = judgement()
    seconds = time.perf_counter() - start
    print(f"| {name} | {judge} | {verdict.accuracy:.2f} | {verdict.floor:.2f} | {seconds:.0f} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--modalities", nargs="+")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=64)
    parser.add_argument("--network", action="store_true")
    parser.add_argument("--sign", default="imod", choices=["imod", "warp"])
    parser.add_argument("--picks", type=Path)
    parser.add_argument("--least-score", type=float, default=0.4)
    parser.add_argument(
        "--picks-centre", type=float, nargs=3, default=[3260, 3140, 1500], metavar=("X", "Y", "Z")
    )
    parser.add_argument("--class", dest="species", default="ribosome")
    parser.add_argument("--radius", type=float, default=80.0, help="of the spheres, in Å")
    options = parser.parse_args()
    prepare_process(1)
    spec = DatasetSpec.read(options.dataset)
    acquisition = spec.geometry.acquisition(spec.series[0].name)
    theirs, their_masks, their_angles, pixel_A = read_recording(options.recording, options.sign, options.size)
    made = {
        name: read_dataset(spec, name, options.size)
        for name in options.modalities or spec.config.outputs.modalities
    }
    print(f"| | step | {' | '.join(f'{length:g} Å' for length in WAVELENGTHS_A)} |")
    print("|---" * (len(WAVELENGTHS_A) + 2) + "|")
    for name, (stack, masks) in made.items():
        print_coherence(f"`{name}`", stack, masks, acquisition.tilt_angles, acquisition.pixel_size_A)
    print_coherence("recording", theirs, their_masks, their_angles, pixel_A)
    nearest = np.array([int(np.argmin(np.abs(acquisition.tilt_angles - angle))) for angle in their_angles])
    ours, kept = np.unique(nearest, return_index=True)
    recorded = reconstruct_middle(theirs[kept], their_masks[kept], their_angles[kept], options.layers)
    tomograms = {"recording": recorded}
    print("\n| | judge | accuracy | within the recording | s |\n|---|---|---|---|---|")
    for name, (stack, masks) in made.items():
        tomogram = reconstruct_middle(stack[ours], masks[ours], acquisition.tilt_angles[ours], options.layers)
        tomograms[f"`{name}`"] = tomogram
        pair = tomogram, recorded
        print_judgement(f"`{name}`", "ring powers", lambda pair=pair: judge_ring_powers(*pair))
        print_judgement(f"`{name}`", "shapes", lambda pair=pair: judge_shapes(*pair))
        for seed in (0, 1) if options.network else ():
            print_judgement(
                f"`{name}`",
                f"network, seed {seed}",
                lambda pair=pair, seed=seed: judge_by_network(*pair, seeds=[seed])[0],
            )
    if options.picks is None:
        return
    ours_px = read_particles_of(spec, options.species, options.layers, options.size)
    places = dict.fromkeys(tomograms, ours_px) | {"recording": read_picks(options, pixel_A)}
    print("\n| | particles | contrast |\n|---|---|---|")
    for name, tomogram in tomograms.items():
        found = measure_particle_contrast(tomogram, places[name], options.radius / pixel_A)
        print(
            f"| {name} | {found.particles} | {found.contrast:.3f} ± {found.standard_error:.3f} |", flush=True
        )


if __name__ == "__main__":
    main()
