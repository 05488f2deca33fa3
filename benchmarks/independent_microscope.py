"""Tilt-series of known truth by a microscope that shares no code with faket_dask: the formulae, written out.

    python benchmarks/independent_microscope.py OUT --structures FOLDER [--defocus 1.5 3 5] [--dose 2]
        [--angles -40 -9 -6 -3 0 3 6 9 40] [--size 256] [--number 40] [--slices 100] [--seed 0]

Atoms of PDB files (with the biological assembly that REMARK 350 gives) become projected potentials: every atom has the
integral ``h² f(0) / 2π m e`` (electron scattering factors at zero angle, International Tables C, table 4.3.1), the
hydrogens that files leave out are added to the carbons at 1.58 each, and the ice that is displaced is taken off at
1.21 Å³ and 4.53 V per dalton and Å³. They lie at random places and orientations without overlap in a slab, and are
imaged by multislice (Kirkland, *Advanced Computing in Electron Microscopy*, 2010, sections 6.2 to 6.4; ``--slices 0``
for one thin object), an objective lens with defocus, Cs and amplitude contrast, exposure damage (Grant & Grigorieff,
eLife 4, e06980, 2015), an energy filter, Poisson counts and a detector's modulation transfer.

For each defocus, OUT receives ``truth_<defocus>um.mrc`` (counts), its ``.tlt`` and ``.json``, and
``truth_<defocus>um.npz``: the noiseless projections in V·voxel, negative where there is matter, and for every class
projections of a single particle in six orientations. ``benchmarks/particle_signal.py`` reads them.
"""

from __future__ import annotations

import argparse
import json
import math
import struct
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PIXEL_A = 10.0
FINE = 4
"""Cells per pixel that atoms are counted in, so that a pixel integrates over its area."""

BLUR_A = 1.5
"""Standard deviation of an atom with its thermal motion, in Å."""

THICKNESS_A = 1500.0
ICE_V = 0.2
"""Standard deviation of the potential of ice in voxels of a pixel's edge."""

KILOVOLT, CS_MM, AMPLITUDE_CONTRAST = 300.0, 2.7, 0.08
MEAN_FREE_PATH_A = 3100.0
EFFICIENCY, MODULATION_AT_NYQUIST = 0.9, 0.85

PLANCK, ELECTRON_MASS, CHARGE, LIGHT = 6.62607015e-34, 9.1093837e-31, 1.602176634e-19, 2.99792458e8
SCATTERING_A = {"H": 0.529, "C": 2.509, "N": 2.211, "O": 1.983, "P": 5.488, "S": 5.161}
DALTONS = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "P": 30.974, "S": 32.06}
HYDROGENS_PER_CARBON = 1.58
DISPLACED_V_A3_PER_DALTON = 1.21 * 4.53
ANGLES = (-40.0, -9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 40.0)
"""Six pairs of neighbours, so that what tilts have in common can be measured."""

ORIENTATIONS = 48
"""Random orientations of a class: with few, a flat particle's mean energy is a matter of chance."""

CLASSES = ("1bxn", "3cf3", "1qvr", "2cg9", "1s3x")


def read_atoms(path: Path) -> tuple[Floats, Floats]:
    """Return positions ``(atom, 3)`` in Å about their centre, and integrals of the potential in V·Å³ over ice."""
    volts = PLANCK**2 / (2 * math.pi * ELECTRON_MASS * CHARGE) * 1e20
    places, weights, operators = [], [], []
    in_first_assembly, model = False, 0
    for line in path.read_text().splitlines():
        if line.startswith("REMARK 350 BIOMOLECULE"):
            in_first_assembly = line.split(":")[1].strip() == "1"
        elif line.startswith("REMARK 350   BIOMT") and in_first_assembly:
            operators.append([float(word) for word in line.split()[4:8]])
        elif line.startswith("MODEL"):
            model += 1
        elif line.startswith("ATOM") and model <= 1 and line[16] in " A":
            element = (line[76:78].strip() or line[12:14].strip())[:1]
            if element == "H" or element not in SCATTERING_A:
                continue
            hydrogens = HYDROGENS_PER_CARBON if element == "C" else 0.0
            mass = DALTONS[element] + hydrogens * DALTONS["H"]
            factor = SCATTERING_A[element] + hydrogens * SCATTERING_A["H"]
            places.append([float(line[start : start + 8]) for start in (30, 38, 46)])
            weights.append(volts * factor - DISPLACED_V_A3_PER_DALTON * mass)
    unit, rows = np.array(places), np.array(operators or np.eye(3, 4)).reshape(-1, 3, 4)
    copies = np.concatenate([unit @ row[:, :3].T + row[:, 3] for row in rows])
    values = np.tile(weights, len(rows))
    return copies - np.average(copies, axis=0), values


def random_rotation(rng: np.random.Generator) -> Floats:
    """Return a rotation matrix by Gram-Schmidt on a matrix of normal numbers."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return np.asarray(q if np.linalg.det(q) > 0 else q[:, ::-1])


def place_particles(
    radii: Floats, number: int, box: Floats, rng: np.random.Generator
) -> list[tuple[int, Floats]]:
    """Place spheres of every class at random without overlap, large ones first; those that find no place are left."""
    placed: list[tuple[int, Floats]] = []
    centres, extents = np.empty((0, 3)), np.empty(0)
    for kind in np.argsort(-radii):
        for _ in range(number):
            for _ in range(200):
                centre = rng.uniform(-0.5, 0.5, 3) * (box - [0, 0, 2 * radii[kind]])
                if np.all(np.linalg.norm(centres - centre, axis=1) > extents + radii[kind]):
                    placed.append((int(kind), centre))
                    centres = np.vstack([centres, centre])
                    extents = np.append(extents, radii[kind])
                    break
    return placed


def count_atoms(columns: Floats, rows: Floats, weights: Floats, size: int) -> Floats:
    """Return the potential projected on ``size`` × ``size`` pixels about the centre of pixel ``size // 2``, in V·Å."""
    cells = size * FINE
    column, row = (
        np.floor((place / PIXEL_A + size // 2 + 0.5) * FINE).astype(int) for place in (columns, rows)
    )
    inside = (column >= 0) & (column < cells) & (row >= 0) & (row < cells)
    counted = np.bincount(row[inside] * cells + column[inside], weights[inside], cells * cells)
    return counted.reshape(size, FINE, size, FINE).sum(axis=(1, 3)) / PIXEL_A**2


def square_frequencies(size: int) -> Floats:
    """Return k² in Å⁻² of every coefficient."""
    k = np.fft.fftfreq(size, PIXEL_A)
    return np.asarray(k[:, None] ** 2 + k[None, :] ** 2)


def filter_image(image: NDArray[np.generic], transfer: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.asarray(np.fft.ifft2(np.fft.fft2(image) * transfer))


def electron() -> tuple[float, float]:
    """Return wavelength in Å and interaction constant in radians per V·Å."""
    energy = KILOVOLT * 1e3 * CHARGE
    length = PLANCK / math.sqrt(2 * ELECTRON_MASS * energy * (1 + energy / (2 * ELECTRON_MASS * LIGHT**2)))
    mass = ELECTRON_MASS + energy / LIGHT**2
    return length * 1e10, 2 * math.pi * mass * CHARGE * length / PLANCK**2 * 1e-10


def damage(size: int, before: float, dose: float) -> Floats:
    """Return the amplitude left, mean over the exposure of ``exp(−N / 2 N_c(k))``."""
    k = np.sqrt(np.maximum(square_frequencies(size), 1e-12))
    critical = 0.24499 * k**-1.6649 + 2.8141
    left = (
        2 * critical * (np.exp(-before / (2 * critical)) - np.exp(-(before + dose) / (2 * critical))) / dose
    )
    return np.asarray(left)


def image_slices(slices: list[Floats], depths: list[float], defocus_um: float) -> Floats:
    """Return the intensity behind slices ``(y, x)`` in V·Å at depths in Å, the first entered first."""
    wavelength, sigma = electron()
    k2 = square_frequencies(len(slices[0]))
    wave = np.ones_like(slices[0], dtype=complex)
    place = depths[0]
    absorption = AMPLITUDE_CONTRAST / math.sqrt(1 - AMPLITUDE_CONTRAST**2)
    phase = sigma * math.sqrt(1 - AMPLITUDE_CONTRAST**2)
    for potential, depth in zip(slices, depths, strict=True):
        wave = filter_image(wave, np.exp(-1j * math.pi * wavelength * k2 * (place - depth)))
        wave = wave * np.exp((1j - absorption) * phase * potential)
        place = depth
    chi = math.pi * wavelength * k2 * (1e4 * defocus_um - 0.5e7 * CS_MM * wavelength**2 * k2)
    wave = filter_image(wave, np.exp(1j * chi - 1j * math.pi * wavelength * k2 * place))
    return np.abs(wave) ** 2


def detect(electrons: Floats, rng: np.random.Generator) -> Floats:
    """Return counts, blurred with their noise by a Gaussian modulation transfer."""
    nyquist = 0.5 / PIXEL_A
    modulation = MODULATION_AT_NYQUIST ** (square_frequencies(len(electrons)) / nyquist**2)
    counts = rng.poisson(EFFICIENCY * np.maximum(electrons, 0)).astype(float)
    return np.asarray(filter_image(counts, modulation).real)


def write_mrc(path: Path, stack: NDArray[np.float32]) -> None:
    """Write an MRC stack of mode 2."""
    tilts, rows, columns = stack.shape
    header = bytearray(1024)
    struct.pack_into("<10i", header, 0, columns, rows, tilts, 2, 0, 0, 0, columns, rows, tilts)
    struct.pack_into("<6f", header, 40, columns * PIXEL_A, rows * PIXEL_A, tilts * PIXEL_A, 90, 90, 90)
    struct.pack_into("<3i3f", header, 64, 1, 2, 3, stack.min(), stack.max(), stack.mean())
    header[208:216] = b"MAP \x44\x44\x00\x00"
    path.write_bytes(bytes(header) + stack.astype("<f4").tobytes())


def simulate(options: argparse.Namespace, defocus_um: float) -> None:
    """Make one truth series and write its files."""
    rng = np.random.default_rng(options.seed)
    size, pad = options.size, 32
    wide = size + 2 * pad
    atoms = [read_atoms(options.structures / f"{name}.pdb") for name in CLASSES]
    radii = np.array([np.linalg.norm(places, axis=1).max() for places, _ in atoms])
    steepest = math.radians(max(abs(angle) for angle in options.angles))
    width = wide * PIXEL_A / math.cos(steepest) + THICKNESS_A * math.tan(steepest)
    box = np.array([width, wide * PIXEL_A, THICKNESS_A])
    # As many in the field of view at 0° as asked for.
    number = round(options.number * box[0] * box[1] / (size * PIXEL_A) ** 2)
    placed = [
        (kind, centre, random_rotation(rng)) for kind, centre in place_particles(radii, number, box, rng)
    ]
    stack, noiseless, signal = [], [], []
    order = np.argsort(np.argsort(np.abs(options.angles), kind="stable"))
    for angle, rank in zip(options.angles, order, strict=True):
        theta, before = math.radians(angle), options.dose * float(rank)
        reach = 0.5 * (box[0] * abs(math.sin(theta)) + THICKNESS_A * math.cos(theta))
        thickness = options.slices or 2 * reach + 1
        levels = math.ceil(2 * reach / thickness)
        depths = [reach - thickness * (level + 0.5) for level in range(levels)] if options.slices else [0.0]
        slices = [np.zeros((wide, wide)) for _ in depths]
        parts: list[list[tuple[Floats, Floats, Floats]]] = [[] for _ in depths]
        for kind, centre, rotation in placed:
            x, y, z = (atoms[kind][0] @ rotation.T + centre).T
            s, u = x * math.cos(theta) - z * math.sin(theta), x * math.sin(theta) + z * math.cos(theta)
            if s.min() > 0.5 * wide * PIXEL_A or s.max() < -0.5 * wide * PIXEL_A:
                continue
            level = np.clip(((reach - u) / thickness).astype(int), 0, len(depths) - 1)
            for index in np.unique(level):
                here = level == index
                parts[index].append((s[here], y[here], atoms[kind][1][here]))
        k2 = square_frequencies(wide)
        blur = np.exp(-2 * math.pi**2 * BLUR_A**2 * k2)
        for index, pieces in enumerate(parts):
            if pieces:
                s, y, weights = (np.concatenate(values) for values in zip(*pieces, strict=True))
                slices[index] = filter_image(count_atoms(s, y, weights, wide), blur).real
        noiseless.append(-sum(slices)[pad:-pad, pad:-pad] / PIXEL_A)
        envelope = damage(wide, before, options.dose)
        slices = [filter_image(potential, envelope).real for potential in slices]
        path = THICKNESS_A / math.cos(theta)
        electrons = options.dose * PIXEL_A**2 * math.exp(-path / MEAN_FREE_PATH_A)
        signal.append((electrons * image_slices(slices, depths, defocus_um))[pad:-pad, pad:-pad])
        ice = ICE_V * PIXEL_A * math.sqrt(path / PIXEL_A / len(slices))
        slices = [potential + rng.normal(0, ice, potential.shape) for potential in slices]
        counts = detect(electrons * image_slices(slices, depths, defocus_um), rng)
        stack.append(counts[pad:-pad, pad:-pad])
    name = str(options.out / f"truth_{defocus_um:g}um")
    write_mrc(Path(name + ".mrc"), np.array(stack, dtype=np.float32))
    # IMOD counts angles the other way round.
    Path(name + ".tlt").write_text("".join(f"{-angle:.2f}\n" for angle in options.angles))
    description = {
        "pixel_size_A": PIXEL_A,
        "tilt_angles_deg": options.angles,
        "defocus_um": defocus_um,
        "dose_e_per_A2": options.dose,
        "voltage_kV": KILOVOLT,
        "spherical_aberration_mm": CS_MM,
        "amplitude_contrast": AMPLITUDE_CONTRAST,
        "ice_V": ICE_V,
        "thickness_A": THICKNESS_A,
        "inelastic_mean_free_path_A": MEAN_FREE_PATH_A,
        "detector_efficiency": EFFICIENCY,
        "modulation_at_nyquist": MODULATION_AT_NYQUIST,
        "density_per_um3": {
            name: 1e12 * sum(kind == index for kind, _, _ in placed) / float(np.prod(box))
            for index, name in enumerate(CLASSES)
        },
    }
    Path(name + ".json").write_text(json.dumps(description, indent=1) + "\n")
    single = {
        CLASSES[kind]: np.stack(
            [
                filter_image(
                    count_atoms(*(places @ random_rotation(rng).T).T[:2], weights, 64),
                    np.exp(-2 * math.pi**2 * BLUR_A**2 * square_frequencies(64)),
                ).real
                / -PIXEL_A
                for _ in range(ORIENTATIONS)
            ]
        )
        for kind, (places, weights) in enumerate(atoms)
    }
    np.savez_compressed(
        Path(name + ".npz"),
        noiseless=np.array(noiseless, dtype=np.float32),
        signal=np.array(signal, dtype=np.float32),
        **{f"class_{key}": value.astype(np.float32) for key, value in single.items()},
    )


def main() -> None:
    """Parse the command line and simulate every defocus."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--structures", type=Path, required=True, help="folder of PDB files")
    parser.add_argument("--defocus", type=float, nargs="+", default=[1.5, 3.0, 5.0])
    parser.add_argument("--dose", type=float, default=2.0, help="e/Å² per tilt")
    parser.add_argument("--angles", type=float, nargs="+", default=list(ANGLES))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--number", type=int, default=40, help="particles of each class in the field at 0°")
    parser.add_argument("--slices", type=float, default=100.0, help="thickness in Å; 0: one thin object")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.angles.sort()
    options.out.mkdir(parents=True, exist_ok=True)
    for defocus_um in options.defocus:
        start = time.perf_counter()
        simulate(options, defocus_um)
        print(f"{defocus_um:g} µm: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
