"""Share of a recording's common matter that the specimens of data sets explain, by wavelength.

    python benchmarks/specimen_share.py DATASET…

Matter of a recording is the power spectrum that its neighbouring tilts have in common, over the transfer and over what
a slab loses between two angles (docs/signal.md); that of a specimen is the spectrum of its noiseless tilts without gold
beads. The share is one over the other before any random background is added. It counts power and not whether the power
lies in the right shapes; above 1 a specimen has more than the recording. A row is a series.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.kernels.noise.spectra import count_coefficients, ring_frequencies
from faket_dask.kernels.similarity.tilt_coherence import centred_bands
from faket_dask.pipeline.matter import fit_matter, measure_specimen_matter
from faket_dask.stages.process import prepare_process

WAVELENGTHS_A = np.array([640.0, 320.0, 213.0, 142.0, 91.0, 61.0, 41.0, 25.0])


def average_bands(power: NDArray[np.float64], pixel_A: float) -> NDArray[np.float64]:
    """Return the mean power about each wavelength, by the coefficients of the rings."""
    frequency = ring_frequencies(power.size)
    number = count_coefficients((2 * power.size, 2 * power.size), power.size)
    edges = centred_bands(pixel_A / WAVELENGTHS_A)
    bands = [number * ((frequency >= low) & (frequency < high)) for low, high in edges]
    return np.array([power @ band / band.sum() for band in bands])


def main() -> None:
    """Print one row for each series."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", type=Path, nargs="+")
    options = parser.parse_args()
    prepare_process(1)
    print(f"| series | {' | '.join(f'{length:g} Å' for length in WAVELENGTHS_A)} |")
    print("|---" * (WAVELENGTHS_A.size + 1) + "|")
    for path in options.datasets:
        spec = DatasetSpec.read(path)
        for series in spec.series:
            pixel_A = spec.geometry.acquisition(series.name).pixel_size_A
            specimen = average_bands(measure_specimen_matter(spec, series.specimen), pixel_A)
            recording = average_bands(fit_matter(spec, series.name), pixel_A)
            cells = " | ".join(f"{share:.2f}" for share in specimen / recording)
            print(f"| {path.name}/{series.name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
