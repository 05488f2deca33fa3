"""Gains of CTF correction, dose weighting and weights of unevenly spaced tilts, on specimens that are known.

    python benchmarks/restoration.py [ctf | gradient | dose | spacing | scale]

A slab of small blobs is projected, seen through the microscope's lens (and damage, where dose weighting is measured),
given white noise, and reconstructed. The tables list the correlation of the tomogram with the slab by shells of spatial
frequency, within the directions that were recorded, and over all of these; negative where contrast is inverted.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from faket_dask.geometry import acquisition_order, exposure_before
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.ctf_correction import CorrectionMethod, CtfCorrection, PhaseFlip, Wiener
from faket_dask.kernels.dose_weighting import DoseWeighting
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.kernels.projection import project
from faket_dask.kernels.signal_transfer import transfer_signal
from faket_dask.stages.reconstruction import Restoration, density_scale, prepare_tilt

ANGLES = np.arange(-60.0, 61, 3)
DEPTH = 48
EDGES = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Edges of shells in cycles per voxel."""


def make_slab(rows: int, columns: int, seed: int = 0, blobs_per_voxel: float = 2e-3) -> np.ndarray:
    """Return a slab ``(z, y, x)`` of blobs of 0.8 voxels' width, twice as wide as the tilts."""
    rng = np.random.default_rng(seed)
    points = rng.random((DEPTH, rows, 2 * columns)) < blobs_per_voxel
    return gaussian_filter(points.astype(np.float32), 0.8) * 30


def shells(tomogram: np.ndarray, slab: np.ndarray, angles: np.ndarray) -> list[float]:
    """Return correlations of a tomogram with a density, which is bright where the tomogram is dark."""
    inner = tuple(slice(size // 8, size - size // 8) for size in tomogram.shape)
    window = np.ones(tomogram[inner].shape)
    for axis, size in enumerate(window.shape):
        shape = [1, 1, 1]
        shape[axis] = size
        window = window * np.hanning(size).reshape(shape)
    first, second = (
        np.fft.fftn((volume[inner] - volume[inner].mean()) * window) for volume in (tomogram, -slab)
    )
    fz, fy, fx = np.meshgrid(*(np.fft.fftfreq(size) for size in window.shape), indexing="ij")
    radius = np.sqrt(fz**2 + fy**2 + fx**2)
    # A tilt by θ holds the frequencies with fz = −fx tan θ.
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.degrees(np.arctan(-fz / fx))
    recorded = (angle >= angles.min()) & (angle <= angles.max())
    masks = [recorded & (radius >= low) & (radius < high) for low, high in pairwise(EDGES)]
    masks.append(recorded & (radius >= EDGES[0]) & (radius < EDGES[-1]))
    return [
        float(
            (first[mask] * second[mask].conj()).real.sum()
            / np.sqrt((np.abs(first[mask]) ** 2).sum() * (np.abs(second[mask]) ** 2).sum())
        )
        for mask in masks
    ]


def reconstruct(
    stack: Iterable[np.ndarray],
    angles: np.ndarray = ANGLES,
    kind: str = "hann",
    restoration: Restoration | None = None,
    depth: int = DEPTH,
) -> np.ndarray:
    ready = [
        prepare_tilt(
            tilt=tilt,
            kind=kind,
            tilt_angles=angles,
            index=index,
            thickness_px=DEPTH,
            restoration=restoration,
        )
        for index, tilt in enumerate(stack)
    ]
    return back_project(np.stack(ready), angles, depth)


def show(name: str, values: list[float]) -> None:
    print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


def show_header(what: str, pixel_size_A: float) -> None:
    shown = [f"{pixel_size_A / high:.0f} Å" for high in EDGES[1:]]
    print(f"| {what} | to " + " | ".join(shown) + " | all |\n|" + "---|" * (len(shown) + 2))


def image(
    slab: np.ndarray, columns: int, pixel_size_A: float, exposures: list[Exposure], damage: bool, noise: float
) -> list[np.ndarray]:
    """Return tilts through the microscope, with white noise in units of the projections' deviation."""
    rng = np.random.default_rng(1)
    clean = project(slab, np.array([exposure.tilt_angle for exposure in exposures]), columns)
    microscope = Microscope(damage=damage)
    strength = noise * clean.std()
    return [
        transfer_signal(tilt, pixel_size_A, microscope, exposure)
        + strength * rng.standard_normal(tilt.shape).astype(np.float32)
        for tilt, exposure in zip(clean, exposures, strict=True)
    ]


def measure_ctf() -> None:
    rows, columns, pixel_size_A, optics = 96, 192, 5.0, Optics()
    slab = make_slab(rows, columns)
    truth = slab[:, :, columns // 2 : columns // 2 + columns]
    for defocus_um in (1.5, 3.0, 5.0):
        focus = Defocus(defocus_um)
        for noise in (0.3, 3.0):
            tilts = image(
                slab, columns, pixel_size_A, [Exposure(a, focus, 2.0) for a in ANGLES], False, noise
            )
            show_header(f"{defocus_um:g} µm, noise {noise:g}", pixel_size_A)
            methods: dict[str, CorrectionMethod | None] = {"none": None, "phase_flip": PhaseFlip()}
            methods |= {f"wiener, SNR {ratio:g}": Wiener(ratio) for ratio in (1.0, 10.0, 100.0)}
            for name, method in methods.items():
                ctf = method and CtfCorrection(method, optics, (focus,) * ANGLES.size)
                tomogram = reconstruct(tilts, restoration=Restoration(pixel_size_A, ctf))
                show(name, shells(tomogram, truth, ANGLES))


def measure_gradient() -> None:
    rows, columns, pixel_size_A = 32, 1536, 5.0
    slab = make_slab(rows, columns)
    focus, optics = Defocus(3.0), Optics()
    tilts = image(slab, columns, pixel_size_A, [Exposure(a, focus, 2.0) for a in ANGLES], False, 0.3)
    show_header(f"{columns} columns, outer eighths", pixel_size_A)
    ctf = CtfCorrection(PhaseFlip(), optics, (focus,) * ANGLES.size)
    level = [ctf.apply(tilt, pixel_size_A, 0.0, index) for index, tilt in enumerate(tilts)]
    start = time.process_time()
    strips = [
        ctf.apply(tilt, pixel_size_A, angle, index)
        for index, (tilt, angle) in enumerate(zip(tilts, ANGLES, strict=True))
    ]
    seconds = (time.process_time() - start) / ANGLES.size
    for name, stack in {"none": tilts, "one defocus": level, "strips": strips}.items():
        tomogram = reconstruct(stack)
        parts = [
            shells(
                tomogram[:, :, part],
                slab[:, :, columns // 2 + part.start : columns // 2 + part.stop],
                ANGLES,
            )
            for part in (slice(0, columns // 8), slice(columns - columns // 8, columns))
        ]
        show(name, np.mean(parts, axis=0).tolist())
    print(f"{seconds:.2f} s a tilt of {rows} x {columns} in strips")


def measure_dose() -> None:
    rows, columns, pixel_size_A, dose = 96, 192, 5.0, 3.0
    slab = make_slab(rows, columns)
    truth = slab[:, :, columns // 2 : columns // 2 + columns]
    before = exposure_before(acquisition_order(ANGLES, "dose_symmetric"), dose)
    exposures = [Exposure(a, Defocus(3.0), dose, float(b)) for a, b in zip(ANGLES, before, strict=True)]
    ctf = CtfCorrection(PhaseFlip(), Optics(), (Defocus(3.0),) * ANGLES.size)
    weighting = DoseWeighting(300.0, tuple(before.tolist()), (dose,) * ANGLES.size)
    for noise in (1.0, 3.0):
        tilts = image(slab, columns, pixel_size_A, exposures, True, noise)
        show_header(f"phase_flip, {dose:g} e/Å² a tilt, noise {noise:g}", pixel_size_A)
        for name, dose_weighting in {"unweighted": None, "dose_weighting": weighting}.items():
            tomogram = reconstruct(tilts, restoration=Restoration(pixel_size_A, ctf, dose_weighting))
            show(name, shells(tomogram, truth, ANGLES))


def measure_spacing() -> None:
    rows, columns = 16, 256
    slab = make_slab(rows, columns)
    truth = slab[:, :, columns // 2 : columns // 2 + columns]
    uneven = np.concatenate((np.arange(-60.0, 0, 2), np.arange(0.0, 61, 6)))
    clean = project(slab, uneven, columns)
    print("| filter | all tilts alike | by span |\n|---|---|---|")
    for kind in ("ramp", "crowther", "hann", "exact", "shrec"):
        even = np.linspace(uneven[0], uneven[-1], uneven.size)
        alike = [
            prepare_tilt(tilt=tilt, kind=kind, tilt_angles=even, index=i, thickness_px=DEPTH)
            for i, tilt in enumerate(clean)
        ]
        before = f"{correlate(back_project(np.stack(alike), uneven, DEPTH), truth):.3f}"
        before = "–" if kind == "exact" else before
        print(f"| {kind} | {before} | {correlate(reconstruct(clean, uneven, kind), truth):.3f} |")


def correlate(tomogram: np.ndarray, truth: np.ndarray) -> float:
    """Return the correlation of a tomogram with a density, without their sides."""
    side = slice(truth.shape[2] // 8, -truth.shape[2] // 8)
    return float(np.corrcoef(tomogram[:, :, side].ravel(), -truth[:, :, side].ravel())[0, 1])


def measure_scale() -> None:
    """Measure the density scale: amplitudes of tomogram and slab at low frequencies in recorded directions."""
    depth, rows, columns = 192, 16, 256
    z, y, x = (
        np.indices((depth, rows, columns))
        - np.array([depth // 2, rows // 2, columns // 2])[:, None, None, None]
    )
    blob = np.exp(-(z**2 + y**2 + x**2) / (2 * 3.0**2)).astype(np.float32)
    print("| filter, tilts | stated | measured |\n|---|---|---|")
    for angles in (np.arange(-90.0, 90, 1), ANGLES):
        clean = project(blob, angles)
        for kind in ("ramp", "crowther", "hann", "exact", "shrec"):
            tomogram = reconstruct(clean, angles, kind, depth=depth)
            spectra = [np.fft.fftn(volume) for volume in (-tomogram, blob)]
            ratio = np.mean([(spectra[0][0, 0, k] / spectra[1][0, 0, k]).real for k in (8, 12, 16)])
            stated = density_scale(kind, (rows, columns), angles)
            print(f"| {kind}, {angles[0]:g} … {angles[-1]:g}° | {stated:.2f} | {ratio:.2f} |")


MEASUREMENTS: dict[str, Callable[[], None]] = {
    "ctf": measure_ctf,
    "gradient": measure_gradient,
    "dose": measure_dose,
    "spacing": measure_spacing,
    "scale": measure_scale,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", choices=[[], *MEASUREMENTS], default=[])
    for name in parser.parse_args().which or MEASUREMENTS:
        print(f"\n{name}\n")
        MEASUREMENTS[name]()


if __name__ == "__main__":
    main()
