"""Agreement and hand of averages of planted phantoms, or of noise alone, from a start without features.

    python benchmarks/averaging.py --signal 0                                   # noise alone
    python benchmarks/averaging.py --phantom propeller --voxel-size-A 14 --edge 16 --count 30 --limit-A 50 --noise 1.5

Boxes lie side by side in a tomogram without what tilts of up to 60° do not measure; the noise is white, with the
standard deviation of the phantom over its box times `--noise`.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.fft

from faket_dask.averaging.run import average_particles
from faket_dask.formats.mrc import write_volume
from faket_dask.kernels.matching.template_filter import is_direction_sampled
from faket_dask.kernels.matching.turning import turn_density
from faket_dask.pipeline.tomogram_source import MrcTomogram
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import make_table
from faket_dask.specimen.sources import load_source
from faket_dask.specimen.template import Sampling, Template
from faket_dask.stages.averaging import AverageSettings
from faket_dask.stages.matching import Contrast

TILTS = (-60.0, 60.0)


def render(template: Template, rotation: np.ndarray, voxel_size_A: float, edge: int) -> np.ndarray:
    """Return the phantom in an orientation, about the middle of a box."""
    return turn_density(
        template.density, np.ascontiguousarray(rotation.T), voxel_size_A / template.voxel_size_A, edge
    )


def plant(
    template: Template, options: argparse.Namespace, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a tomogram ``(z, y, x)`` and the places ``(n, 3)``, ``(x, y, z)`` in Å, of the phantoms."""
    edge, columns = options.edge, math.ceil(math.sqrt(options.count))
    volume = np.zeros((edge, columns * edge, columns * edge))
    places = []
    for number, rotation in enumerate(uniform_rotations(options.count, rng)):
        row, column = divmod(number, columns)
        cell = np.s_[:, row * edge : (row + 1) * edge, column * edge : (column + 1) * edge]
        volume[cell] = options.signal * render(template, rotation, options.voxel_size_A, edge)
        places.append([column * edge + edge // 2, row * edge + edge // 2, edge // 2])
    spread = render(template, np.eye(3), options.voxel_size_A, edge).std()
    volume += rng.normal(0, options.noise * spread, volume.shape)
    kz, kx = np.fft.fftfreq(volume.shape[0])[:, None, None], np.fft.rfftfreq(volume.shape[2])
    seen = scipy.fft.rfftn(volume) * is_direction_sampled(kz, kx, TILTS)
    return scipy.fft.irfftn(seen, volume.shape).astype(np.float32), np.array(places) * options.voxel_size_A


def main() -> None:
    """Average and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phantom", default="coil")
    parser.add_argument("--voxel-size-A", type=float, default=25.0)
    parser.add_argument("--edge", type=int, default=20)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--limit-A", type=float, default=80.0)
    parser.add_argument("--step", type=float, default=30.0)
    parser.add_argument("--signal", type=float, default=1.0)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    voxel, edge = options.voxel_size_A, options.edge
    template = load_source(options.phantom, voxel, Sampling.AVERAGED, mean_potential_V=1.0)
    for seed in range(options.seeds):
        volume, places = plant(template, options, np.random.default_rng(seed))
        settings = AverageSettings(
            box_A=edge * voxel,
            limit_A=options.limit_A,
            tilt_angles=TILTS,
            step_deg=options.step,
            contrast=Contrast.BRIGHT,
            seed=seed,
        )
        orientations = np.tile(np.eye(3), (options.count, 1, 1))
        table = make_table([options.phantom] * options.count, [1] * options.count, places, orientations)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_volume(folder / "tomogram.mrc", volume, voxel)
            write_volume(folder / "structure.mrc", render(template, np.eye(3), voxel, edge), voxel)
            start = time.process_time()
            averaged = average_particles(
                MrcTomogram.open(folder / "tomogram.mrc"),
                table,
                folder / "average",
                settings,
                against=folder / "structure.mrc",
            )
        hands = averaged.hands
        assert hands is not None
        print(f"seed {seed}: {time.process_time() - start:.1f} s of processor time, hand {hands.hand.value}")
        print("  resolution, Å           ", averaged.halves.resolution_A.round(0))
        print("  half averages           ", averaged.halves.whole.round(2))
        print(
            f"  seen by the alignment    the first {averaged.halves.seen}, structure {hands.structure_score:.3f}"
        )
        print(f"                           mirrored {hands.mirrored_score:.3f}")
        print(
            f"  beyond                   structure {hands.beyond:.2f}, mirrored {hands.mirrored_beyond:.2f}"
        )


if __name__ == "__main__":
    main()
