"""Signal of single particles in synthetic tilts, against the physics modality and against an independent microscope.

    python benchmarks/particle_signal.py physics --structures FOLDER [--defocus 1.5 3 5] [--dose 0.5 1 2 4]
    python benchmarks/particle_signal.py crowding --structures FOLDER [--defocus 3] [--dose 2]
    python benchmarks/particle_signal.py independent TRUTH... --structures FOLDER
        (TRUTH: files ``truth_*.npz`` of ``benchmarks/independent_microscope.py``; the mean of all of one defocus)

`physics` makes a data set in the style of images that the microscope model takes of another specimen of the same
recipe, and images its own specimen by that model, too: the truth. `crowding` takes the style of a SHREC-like
specimen for a sparse, a SHREC-like and a crowded one. `independent` takes the style of series that another program
made, with as many particles in a µm³, and with the lens and the detector that its files name.

Columns: d′ of one particle in one tilt, for five classes, over that of the truth; the contrast of a particle (root mean
square of its image in standard deviations of the noise) likewise, the mean over the classes with its extremes; the
correlation r of a tilt with its signal, and that of the truth. `independent` prints r over its truth, and the mean of
every figure over the series of one defocus ± its standard error. Gain and noise are measured from the noiseless tilts;
the image of ice counts as noise. `--update FILE` merges sections into the run file.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from dask.distributed import Client
from numpy.typing import NDArray

import faket_dask
from faket_dask.config import parse
from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.formats.mrc import open_stack, write_stack
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.noise.spectra import ring_numbers
from faket_dask.kernels.similarity.detectability import (
    ParticleEnergy,
    contrast_to_noise,
    detectability,
    measure_particle_energy,
)
from faket_dask.kernels.similarity.signal_gain import SignalGain, measure_signal_gain
from faket_dask.specimen.ice import ice_fluctuation
from faket_dask.specimen.particle_projections import project_particle
from faket_dask.specimen.sources import load_template
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Sampling
from faket_dask.stages.process import prepare_process

PIXEL_SIZE_A = 10.0
THICKNESS_A = 1500.0
ALL = ("4v94", "4cr2", "5mrc", "1bxn", "1qvr", "1s3x", "1u6g", "2cg9", "3cf3", "3d2f", "3gl1", "3h84", "3qm1")
SHOWN = ("5mrc", "4v94", "1bxn", "2cg9", "1s3x")
INDEPENDENT = ("1bxn", "3cf3", "1qvr", "2cg9", "1s3x")
COUNTS = {"sparse": 2, "shrec": 45, "crowd": 170}
"""Particles of each of the 13 classes for a field of 256 × 256 pixels."""

MODALITIES = ("noisy", "spectral")
ANGLES = (-40.0, -9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 40.0)
"""Six pairs of neighbours, which tell what tilts share, and two tilts far from them."""
MICROSCOPE = (
    "voltage_kV",
    "spherical_aberration_mm",
    "amplitude_contrast",
    "inelastic_mean_free_path_A",
    "defocus_um",
    "dose_e_per_A2",
)
"""Keys of a truth series that are also those of the run file's section."""


@dataclass(frozen=True)
class Strength:
    """Signal of a series: d′ and contrast by class, and the correlation with its signal."""

    detectability: dict[str, float]
    contrast: dict[str, float]
    correlation: float


def find_source(folder: Path, name: str) -> Path:
    """Return the structure or, where there is none, the density map of a class."""
    structure = folder / f"{name}.pdb"
    return structure if structure.exists() else folder / f"{name}.mrc"


def measure_strength(
    images: Iterable[NDArray[np.floating]],
    noiseless: Iterable[NDArray[np.floating]],
    energies: Mapping[str, ParticleEnergy],
    ice_power: float,
) -> Strength:
    """Measure the signal of a series whose noiseless tilts are known."""
    scaled, known = [standardise(image) for image in images], list(noiseless)
    gain = measure_signal_gain(scaled, known, ice_power=ice_power)
    return Strength(
        {name: detectability(gain, energy) for name, energy in energies.items()},
        {name: contrast_to_noise(gain, energy) for name, energy in energies.items()},
        _correlate(gain, scaled[0].shape, ice_power),
    )


def _correlate(gain: SignalGain, shape: tuple[int, ...], ice_power: float) -> float:
    """Return the root of the share of the variance that is the image of the specimen without its ice."""
    ring, count = ring_numbers(shape, gain.gain.size)
    number = np.bincount(ring.ravel(), np.broadcast_to(count, ring.shape).ravel())[1 : gain.gain.size + 1]
    signal = gain.gain**2 * np.maximum(gain.signal - ice_power, 0)
    return float(np.sqrt(np.sum(number * signal) / np.sum(number * (signal + gain.noise))))


def make_dataset(
    folder: Path,
    options: argparse.Namespace,
    amounts: Mapping[str, Mapping[str, float]],
    reference: dict[str, Any],
    microscope: Mapping[str, Any],
    angles: Iterable[float],
    seed: int,
    **sections: Any,
) -> DatasetSpec:
    """Make a data set with one specimen in the style of one reference."""
    document = {
        "dataset": {"folder": str(folder), "seed": seed},
        "specimen": {
            "thickness_A": THICKNESS_A,
            "species": [
                {"name": name, "source": str(find_source(options.structures, name)), **amount}
                for name, amount in amounts.items()
            ],
        },
        "acquisition": {
            "tilt_angles": [float(angle) for angle in angles],
            "pixel_size_A": PIXEL_SIZE_A,
            "detector_px": [options.size, options.size],
        },
        "microscope": dict(microscope),
        "references": [reference],
        "outputs": {"modalities": [*MODALITIES, "benchmark"], "report": False},
        **sections,
    }
    if options.update:
        for key, values in yaml.safe_load(options.update.read_text()).items():
            document[key] = {**document.get(key, {}), **values} if isinstance(values, dict) else values
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        return faket_dask.run(parse(document, folder.parent), client).spec


def count_particles(options: argparse.Namespace, crowding: str) -> dict[str, dict[str, float]]:
    """Return how many particles of every class a specimen has."""
    count = max(1, round(COUNTS[crowding] * (options.size / 256) ** 2))
    return {name: {"count": count} for name in ALL}


def read_stack(spec: DatasetSpec, modality: str) -> list[NDArray[np.float32]]:
    """Read all tilts of a modality of the data set's series."""
    [series] = spec.series
    if modality == "noiseless":
        group = spec.folder.specimen_tilts(series.specimen)
    else:
        group = stack_group(spec.folder, owning_item(series, modality), modality)
    tilts = spec.geometry.acquisition(series.name).tilt_angles.size
    return [read_tilt(group, modality, tilt) for tilt in range(tilts)]


def measure_dataset(spec: DatasetSpec, energies: Mapping[str, ParticleEnergy]) -> dict[str, Strength]:
    """Measure the signal of all modalities of a data set."""
    angles = np.deg2rad(spec.geometry.acquisition(spec.series[0].name).tilt_angles)
    layers = spec.geometry.volume_shape(spec.series[0].specimen)[0]
    ice_power = ice_fluctuation(PIXEL_SIZE_A) ** 2 * layers * float(np.mean(1 / np.cos(angles)))
    noiseless = read_stack(spec, "noiseless")
    return {
        name: measure_strength(read_stack(spec, name), noiseless, energies, ice_power)
        for name in (*MODALITIES, "benchmark")
    }


def measure_templates(options: argparse.Namespace, classes: Iterable[str]) -> dict[str, ParticleEnergy]:
    """Return the energy of a particle of each class."""
    energies = {}
    for name in classes:
        species = Species(name, source=str(find_source(options.structures, name)), count=1)
        # As the particles of a data set, whose tilts are projected onto pixels.
        template = load_template(species, 0, PIXEL_SIZE_A, Sampling.AVERAGED)
        energies[name] = measure_particle_energy(project_particle(template, PIXEL_SIZE_A))
    return energies


def print_head(classes: Iterable[str]) -> None:
    columns = [*classes, "contrast (least, greatest)", "r", "true r"]
    print(f"| | | d′ of {' | '.join(columns)} |")
    print("|---" * (len(columns) + 2) + "|")


def print_row(title: str, name: str, ours: Strength, truth: Strength) -> None:
    """Print ratios to the truth."""
    ratios = [ours.detectability[key] / truth.detectability[key] for key in truth.detectability]
    contrasts = [ours.contrast[key] / truth.contrast[key] for key in truth.contrast]
    cells = [
        *(f"{ratio:.2f}" for ratio in ratios),
        f"{np.mean(contrasts):.2f} ({min(contrasts):.2f}, {max(contrasts):.2f})",
        f"{ours.correlation:.3f}",
        f"{truth.correlation:.3f}",
    ]
    print(f"| {title} | `{name}` | {' | '.join(cells)} |", flush=True)


def compare_with_physics(options: argparse.Namespace) -> None:
    """Print the table of defoci and doses."""
    energies = measure_templates(options, SHOWN)
    print_head(SHOWN)
    for defocus_um in options.defocus:
        for dose in options.dose:
            with tempfile.TemporaryDirectory() as folder:
                reference = {"kind": "simulated", "name": "truth"}
                microscope = {"defocus_um": defocus_um, "dose_e_per_A2": dose}
                conditions = (reference, microscope, options.angles, options.seed)
                amounts = count_particles(options, options.crowding)
                spec = make_dataset(Path(folder) / "data", options, amounts, *conditions)
                strengths = measure_dataset(spec, energies)
            for name in MODALITIES:
                title = f"{defocus_um:g} µm, {dose:g} e/Å²"
                print_row(title, name, strengths[name], strengths["benchmark"])


def compare_crowding(options: argparse.Namespace) -> None:
    """Print the table of specimens that differ in crowding from their reference."""
    energies = measure_templates(options, SHOWN)
    print_head(SHOWN)
    for defocus_um in options.defocus:
        for dose in options.dose:
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                own = {"kind": "simulated", "name": "own"}
                conditions = ({"defocus_um": defocus_um, "dose_e_per_A2": dose}, options.angles)
                amounts = count_particles(options, "shrec")
                spec = make_dataset(root / "other", options, amounts, own, *conditions, seed=options.seed + 1)
                reference = write_reference(root / "truth.mrc", read_stack(spec, "benchmark"), options.angles)
                for crowding in COUNTS:
                    spec = make_dataset(
                        root / crowding,
                        options,
                        count_particles(options, crowding),
                        reference,
                        *conditions,
                        seed=options.seed,
                        signal={"ctf": {"defocus_um": defocus_um}},
                    )
                    strengths = measure_dataset(spec, energies)
                    for name in MODALITIES:
                        print_row(f"{crowding} from shrec", name, strengths[name], strengths["benchmark"])


def compare_with_independent(options: argparse.Namespace) -> None:
    """Print the table of truth series that another program made."""
    energies = measure_templates(options, INDEPENDENT)
    ratios: dict[tuple[str, str], list[NDArray[np.float64]]] = defaultdict(list)
    for path in options.truth:
        description = json.loads(path.with_suffix(".json").read_text())
        known = np.load(path)
        stack = open_stack(path.with_suffix(".mrc"), pixel_size_A=description["pixel_size_A"])
        counts = [stack.tilt(tilt) for tilt in range(stack.shape[0])]
        own = {name: measure_particle_energy(known[f"class_{name}"]) for name in INDEPENDENT}
        truth = measure_strength(counts, known["noiseless"], own, 0.0)
        with tempfile.TemporaryDirectory() as folder:
            angles = description["tilt_angles_deg"]
            reference = write_reference(Path(folder) / "truth.mrc", counts, angles)
            spec = make_dataset(
                Path(folder) / "data",
                options,
                {name: {"density_per_um3": description["density_per_um3"][name]} for name in INDEPENDENT},
                reference,
                describe_microscope(description),
                angles,
                options.seed,
                signal={"ctf": {"defocus_um": description["defocus_um"]}},
            )
            strengths = measure_dataset(spec, energies)
        title = f"{description['defocus_um']:g} µm, {description['dose_e_per_A2']:g} e/Å²"
        for name in (*MODALITIES, "benchmark"):
            ratios[title, name].append(list_ratios(strengths[name], truth))
    print(f"| | | d′ of {' | '.join(INDEPENDENT)} | contrast | r |")
    print("|---" * (len(INDEPENDENT) + 4) + "|")
    for (title, name), rows in ratios.items():
        cells = [f"{value:.2f}" for value in np.mean(rows, axis=0)]
        if len(rows) > 1:
            errors = np.std(rows, axis=0, ddof=1) / math.sqrt(len(rows))
            cells = [f"{cell} ± {error:.2f}" for cell, error in zip(cells, errors, strict=True)]
        print(f"| {title} | `{name}` | {' | '.join(cells)} |", flush=True)


def describe_microscope(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section of the run file for a truth series' microscope, in which ice takes no contrast."""
    efficiency = description["detector_efficiency"]
    return {
        "plural_scattering": False,
        "detector": {
            "pixel_size_A": description["pixel_size_A"],
            "mtf_nyquist": description["modulation_at_nyquist"],
            "dqe_zero": efficiency,
            "dqe_nyquist": efficiency,
        },
        **{key: description[key] for key in MICROSCOPE},
    }


def list_ratios(ours: Strength, truth: Strength) -> NDArray[np.float64]:
    """Return d′ of every class, the mean contrast, and r, over the truth's."""
    ratios = [ours.detectability[key] / truth.detectability[key] for key in truth.detectability]
    contrast = np.mean([ours.contrast[key] / truth.contrast[key] for key in truth.contrast])
    return np.array([*ratios, contrast, ours.correlation / truth.correlation])


def write_reference(path: Path, tilts: list[NDArray[np.float32]], angles: Iterable[float]) -> dict[str, Any]:
    """Write a stack of aligned tilts and return its section of the run file."""
    write_stack(path, iter(tilts), (len(tilts), *tilts[0].shape), PIXEL_SIZE_A)
    return {
        "name": "truth",
        "stack": str(path),
        "tilt_angles": [float(angle) for angle in angles],
        "aligned": True,
    }


def main() -> None:
    """Parse the command line and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("physics", "crowding", "independent"):
        command = commands.add_parser(name)
        if name == "independent":
            command.add_argument("truth", type=Path, nargs="+")
        else:
            command.add_argument("--angles", type=float, nargs="+", default=ANGLES)
            command.add_argument("--defocus", type=float, nargs="+", default=[3.0])
            command.add_argument("--dose", type=float, nargs="+", default=[2.0])
        command.add_argument("--structures", type=Path, required=True)
        command.add_argument("--size", type=int, default=256)
        if name == "physics":
            command.add_argument("--crowding", choices=COUNTS, default="shrec")
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--update", type=Path, help="YAML file to merge into the run file")
    options = parser.parse_args()
    prepare_process(1)
    run = {
        "physics": compare_with_physics,
        "crowding": compare_crowding,
        "independent": compare_with_independent,
    }
    run[options.command](options)


if __name__ == "__main__":
    main()
