"""Distances of transferred tilts to references of other microscopes, with unchanged settings.

    python benchmarks/microscopes.py [--size 384] [--presets published matched] [--angles 0 40]

References are simulated by the microscope model of the project, from particles in ice, and differ from the first in
one property each: pixel size, dose, defocus, detector, shape, number of tilts, number type, or defects. A data set
takes the style of their left halves, as any run does; distances are to the right halves, which it never reads. The
output lists the six distances of `kernels.similarity.texture_similarity` relative to those of the left half, their
mean and largest.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from dask.distributed import Client
from numpy.typing import NDArray

import faket_dask
from faket_dask.config import parse
from faket_dask.formats.mrc import write_stack
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.detector import Detector
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope, simulate_tilt
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.kernels.similarity.texture_similarity import GRAM_LAYERS, sample_texture, texture_distances
from faket_dask.kernels.style.network import Network
from faket_dask.references.resampling import resample_image
from faket_dask.stages.networks import load_network
from faket_dask.stages.process import prepare_process

PIXEL_SIZE_A = 10.0
"""Pixel size of the synthetic specimens."""

AMPLITUDE_CONTRAST = 0.07
"""Amplitude contrast of the simulated references, fixed so that tables stay comparable."""

ANGLES = (-40.0, 0.0, 40.0)
PARTICLE_RADII_A = (30.0, 60.0, 110.0)
PARTICLES_PER_A2 = 4e-6
PROTEIN_V = 1.0
"""Potential above that of ice. Balls are solid and proteins are not; this value gives the signal of EMPIAR-10499."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Tilt-series, the left half of which is a reference.

    Attributes
    ----------
    stack
        ``(tilt, y, x)`` in any unit and number type.
    settings
        Further keys of the reference in the run file, besides name and path.
    """

    name: str
    stack: NDArray[np.generic]
    tilt_angles: Sequence[float]
    pixel_size_A: float = PIXEL_SIZE_A
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def half(self) -> int:
        """Width of a half in pixels."""
        return self.stack.shape[2] // 2

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the left half and return its section of the run file."""
        used = self.stack[:, :, : self.half]
        path = folder / f"{self.name}.mrc"
        write_stack(path, iter(used), used.shape, self.pixel_size_A)
        return {
            "name": self.name,
            "stack": str(path),
            "tilt_angles": list(self.tilt_angles),
            **self.settings,
        }

    def halves(self, angle: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return used and held-out half, ``(y, x)``, of the tilt nearest an angle, in pixels of the data set."""
        tilt = self.stack[int(np.argmin(np.abs(np.array(self.tilt_angles) - angle)))].astype(np.float32)
        factor = self.pixel_size_A / PIXEL_SIZE_A
        left, right = (resample_image(part, factor) for part in (tilt[:, : self.half], tilt[:, -self.half :]))
        return left, right


def particles(shape: tuple[int, int], pixel_size_A: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the projected potential above that of ice, ``(y, x)`` in V·Å: balls of protein at random positions."""
    y, x = (np.fft.fftfreq(extent, 1 / extent) * pixel_size_A for extent in shape)
    distance = np.hypot(y[:, None], x)
    spectrum = np.zeros(shape, dtype=np.complex128)
    for radius in PARTICLE_RADII_A:
        places = rng.poisson(PARTICLES_PER_A2 * pixel_size_A**2, shape)
        ball = 2 * PROTEIN_V * np.sqrt(np.maximum(radius**2 - distance**2, 0))
        spectrum += np.fft.fft2(places) * np.fft.fft2(ball)
    return np.fft.ifft2(spectrum).real


def record(
    shape: tuple[int, int],
    pixel_size_A: float = PIXEL_SIZE_A,
    tilt_angles: Sequence[float] = ANGLES,
    defocus: Defocus = Defocus(3.0),
    dose_e_per_A2: float = 3.0,
    **detector: Any,
) -> NDArray[np.float32]:
    """Simulate a series, ``(tilt, y, x)`` in electrons, with different particles in every tilt."""
    rng = np.random.default_rng(0)
    return np.stack(
        [
            simulate_tilt(
                particles(shape, pixel_size_A, rng),
                pixel_size_A,
                Microscope(Optics(amplitude_contrast=AMPLITUDE_CONTRAST), Detector(pixel_size_A, **detector)),
                Exposure(angle, defocus, dose_e_per_A2, 20.0),
                rng,
            )
            for angle in tilt_angles
        ]
    )


def recordings(side: int, angles: Sequence[float] = ANGLES) -> Iterator[Recording]:
    """Iterate over references at these angles, with two halves of about ``side`` × ``side`` pixels each."""
    shape = (side, 2 * side)

    def take(shape: tuple[int, int] = shape, **changes: Any) -> NDArray[np.float32]:
        return record(shape, **{"tilt_angles": angles, **changes})

    plain = take()
    series: dict[str, NDArray[Any]] = {
        "plain": plain,
        "near-focus": take(defocus=Defocus(0.8)),
        "far-from-focus": take(defocus=Defocus(9)),
        "astigmatic": take(defocus=Defocus(4, astigmatism_um=2.5, astigmatism_angle=30)),
        "blurring-detector": take(dqe_nyquist=0.1, mtf_nyquist=0.08),
        "few-counts": np.rint(take(dose_e_per_A2=0.1)).astype(np.int16),
        "many-counts": np.rint(take(dose_e_per_A2=30)).astype(np.int16),
        "narrow": take((side * 3 // 2, side)),
    }
    y, x = np.ogrid[:side, : 2 * side]
    ramp = 0.4 + y / side + x / (2 * side)
    mean = plain.mean((1, 2), keepdims=True)
    series["gradient"] = (mean * ramp + (plain - mean) * np.sqrt(ramp)).astype(np.float32)
    hot = np.random.default_rng(1).random(plain.shape) < 5e-4
    series["hot-pixels"] = np.where(hot, 30 * plain.max(), plain)
    series["hot-pixels"][:, :, side // 3] = 0
    for name, stack in series.items():
        yield Recording(name, stack, angles)
    finer = take((2 * side, 4 * side), pixel_size_A=5)
    yield Recording("finer-pixels", finer, angles, 5, {"resample": True})
    yield Recording("coarser-pixels", take(pixel_size_A=15), angles, 15, {"resample": True})
    for name, few in (("two-tilts", (-50, 20)), ("micrograph", (0,))):
        yield Recording(name, take(tilt_angles=few), few)


def document(
    folder: Path, references: Sequence[Recording], size: int, angles: Sequence[float], style: dict[str, Any]
) -> dict[str, Any]:
    """Return the run file of a specimen in the style of each of the references."""
    return {
        "dataset": {"folder": str(folder / "data"), "seed": 7},
        "specimen": {
            "thickness_A": 1500,
            "species": [
                {"name": name, "count": max(1, size**2 // 3000)} for name in ("comma", "propeller", "lantern")
            ],
        },
        "acquisition": {
            "tilt_angles": list(angles),
            "pixel_size_A": PIXEL_SIZE_A,
            "detector_px": [size, size],
        },
        "references": [recording.write(folder) for recording in references],
        "pairing": "all",
        "noise": {"statistics": "unpaired", "fit_over": "own_reference"},
        "style": style,
        "outputs": {"modalities": ["faket", "noisy", "spectral"], "report": False},
    }


def relative_distances(
    dataset: faket_dask.Dataset,
    recording: Recording,
    modality: str,
    angle: float,
    network: Network,
    layers: Sequence[int] = GRAM_LAYERS,
) -> NDArray[np.float64]:
    """Return distances of a tilt to the held-out half relative to the intra-reference distances.

    The first is that of the log spectrum; those of the Gram matrices follow in the order of the layers.
    """
    images = (_made(dataset, recording, modality, angle), *recording.halves(angle))
    ours, used, theirs = ([sample_texture(image, ~artefact_mask(image), network, layers)] for image in images)
    distances, intra = texture_distances(ours, theirs), texture_distances(used, theirs)
    ratios = [distances.log_spectrum / intra.log_spectrum]
    return np.array([*ratios, *(distances.gram[layer] / intra.gram[layer] for layer in layers)])


def correlation(dataset: faket_dask.Dataset, recording: Recording, modality: str, angle: float) -> float:
    """Return the correlation of a tilt with its noiseless projection."""
    made, noiseless = (_made(dataset, recording, name, angle).ravel() for name in (modality, "noiseless"))
    return float(np.corrcoef(made, noiseless)[0, 1])


def _made(
    dataset: faket_dask.Dataset, recording: Recording, modality: str, angle: float
) -> NDArray[np.float32]:
    return dataset.open(f"specimen-000__{recording.name}")[modality].sel(tilt_angle=angle).values


def main() -> None:
    """Print the table of all references and presets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--presets", nargs="+", default=["published", "matched"])
    parser.add_argument("--angles", type=float, nargs="+", default=[0, 40])
    parser.add_argument("--weights", default="vgg19-normalised")
    parser.add_argument("--names", nargs="+", help="names of references; default: all")
    options = parser.parse_args()
    prepare_process(1)
    references = [
        recording
        for recording in recordings(options.size)
        if recording.name in (options.names or recording.name)
    ]
    print("| reference | tilt | | log spectrum | Gram 1 | 6 | 11 | 20 | 29 | mean | largest | signal |")
    print("|---" * 12 + "|")
    for preset in options.presets:
        with (
            tempfile.TemporaryDirectory() as folder,
            Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client,
        ):
            style = {"preset": preset, "weights": options.weights}
            run_file = document(Path(folder), references, options.size, options.angles, style)
            dataset = faket_dask.run(parse(run_file, Path(folder)), client)
            section = dataset.spec.config.style
            network = load_network(section, dataset.spec.inputs.weights_checksum)
            shown = {"faket": preset}
            if preset == options.presets[0]:
                shown = {"noisy": "noisy", "spectral": "spectral", **shown}
            for recording in references:
                for angle in options.angles:
                    for modality, name in shown.items():
                        ratios = relative_distances(dataset, recording, modality, angle, network)
                        numbers = " | ".join(
                            f"{value:.2f}" for value in (*ratios, ratios.mean(), ratios.max())
                        )
                        signal = correlation(dataset, recording, modality, angle)
                        print(
                            f"| {recording.name} | {angle:g}° | `{name}` | {numbers} | {signal:.4f} |",
                            flush=True,
                        )


if __name__ == "__main__":
    main()
