"""Chiral phantom whose beads and orientations show any error of a format."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from faket_dask.formats.particle_list import ParticleList
from faket_dask.geometry import TiltGeometry, acquisition_order
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.filters import filter_tilt, ramp_filter
from faket_dask.kernels.projection import project

collect_ignore = ["alignment_reader.py", "copick_reader.py"]
"""Scripts for an interpreter with other packages, which this one cannot import."""

VOXEL_A = 10.0
WITHIN_VOXELS = 0.1
WITHIN_DEG = 1.0
INSTALLING_S = 1800
"""Of tests that install an environment."""
# Beads of a particle in its own frame, in Å: three arms of different lengths, which no mirror image matches.
ARMS_A = np.array([[0.0, 0, 0], [110, 0, 0], [0, 140, 0], [0, 0, 90]])


@dataclass(frozen=True)
class Phantom:
    """Volume of beads, its tilt-series, masks and particles."""

    geometry: TiltGeometry
    volume: np.ndarray
    class_mask: np.ndarray
    instance_mask: np.ndarray
    stack: np.ndarray
    particles: ParticleList

    def tilts(self) -> Iterator[np.ndarray]:
        return iter(self.stack)


def make_phantom(shape: tuple[int, int, int], tilt_axis: float = 0.0) -> Phantom:
    rng = np.random.default_rng(4)
    corner = np.array([[24.0, 20, 18], [66, 50, 16], [40, 80, 21]]) * VOXEL_A
    rotation = Rotation.from_euler(
        "ZYZ", [[20, 35, -50], [-100, 60, 50], [75, 140, 60]], degrees=True
    ).as_matrix()
    particles = ParticleList(
        class_name=np.array(["1BXN", "4V94", "1BXN"]),
        class_id=np.array([4, 1, 4]),
        instance=np.array([1, 2, 3]),
        centre_A=corner,
        rotation=rotation,
    )
    z, y, x = np.indices(shape) * VOXEL_A
    volume = np.zeros(shape, dtype=np.float32)
    classes, instances = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint16)
    for row in range(3):
        for place in beads(particles)[row]:
            distance = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2
            volume += np.exp(-distance / (2 * (1.5 * VOXEL_A) ** 2)).astype(np.float32)
            inside = distance < (2 * VOXEL_A) ** 2
            classes[inside], instances[inside] = particles.class_id[row], particles.instance[row]
    angles = np.arange(-57.0, 61, 3)
    geometry = TiltGeometry(
        angles,
        VOXEL_A,
        tilt_axis_angle_deg=tilt_axis,
        exposure_e_per_A2=rng.uniform(2, 3, angles.size).round(3),
        acquisition_order=acquisition_order(angles, "dose_symmetric"),
    )
    return Phantom(geometry, volume, classes, instances, project(volume, angles), particles)


def beads(particles: ParticleList) -> np.ndarray:
    """Compute positions (particle, bead, xyz) in Å from the corner voxel's centre, from the particle list."""
    return particles.centre_A[:, None] + np.einsum("nij,bj->nbi", particles.rotation, ARMS_A)


@pytest.fixture(scope="session", params=[(40, 100, 90), (41, 101, 91)], ids=["even", "odd"])
def phantom(request: pytest.FixtureRequest) -> Phantom:
    return make_phantom(request.param)


@dataclass(frozen=True)
class Others:
    """Interpreter with other programs, which need other versions of our dependencies."""

    python: Path

    def run(self, script: str, *arguments: object) -> dict:
        """Return the last line that a script beside this file prints, as JSON."""
        ended = subprocess.run(
            [self.python, Path(__file__).with_name(script), *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": ""},
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Others:
    """Install other programs in their own environment, since copick needs zarr < 3."""
    folder = tmp_path_factory.mktemp("others")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin/python"
    packages = ["copick>=1.31", "ome-zarr", "cryoet-alignment>=0.2"]
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True
    )
    if installed.returncode:
        pytest.skip(f"{', '.join(packages)} cannot be installed here: {installed.stderr.strip()[-200:]}")
    return Others(python)


def reconstruction(stack: np.ndarray, geometry: TiltGeometry, depth: int) -> np.ndarray:
    filtered = np.stack([filter_tilt(tilt, ramp_filter(*tilt.shape, hann=0.5)) for tilt in stack])
    return back_project(filtered, geometry.tilt_angles, depth)


def locate_bead(volume: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Locate the dark spot (x, y, z) in voxels within three voxels of a position; infinite if there is none."""
    first = [max(1, round(p) - 3) for p in place[::-1]]
    box = volume[tuple(slice(f, f + 7) for f in first)]
    if box.min() > 0.2 * volume.min():
        return np.full(3, np.inf)
    index = [int(i) + f for i, f in zip(np.unravel_index(np.argmin(box), box.shape), first, strict=True)]
    measured = []
    for axis, i in enumerate(index):
        at = list(index)
        line = []
        for step in (-1, 0, 1):
            at[axis] = i + step
            line.append(np.log(max(-float(volume[tuple(at)]), 1e-30)))
        measured.append(i + 0.5 * (line[0] - line[2]) / (line[0] - 2 * line[1] + line[2]))
    return np.array(measured[::-1])


def measure_beads(volume: np.ndarray, particles: ParticleList) -> np.ndarray:
    """Measure positions (particle, bead, xyz) in voxels of the reconstructed beads near those of the particle list."""
    expected = beads(particles) / VOXEL_A
    return np.array([locate_bead(volume, place) for place in expected.reshape(-1, 3)]).reshape(expected.shape)


def registration_error(volume: np.ndarray, particles: ParticleList) -> float:
    """Measure the largest distance along an axis, in voxels, of a reconstructed bead from the particle list."""
    return float(np.abs(measure_beads(volume, particles) - beads(particles) / VOXEL_A).max())


def measured_orientation_error(volume: np.ndarray, particles: ParticleList) -> float:
    """Measure the largest angle, in degrees, between listed orientations and those of the reconstructed beads."""
    measured = measure_beads(volume, particles)
    arms = ARMS_A - ARMS_A.mean(axis=0)
    orientations = [
        Rotation.align_vectors(places - places.mean(axis=0), arms)[0].as_matrix() for places in measured
    ]
    difference = np.swapaxes(np.array(orientations), 1, 2) @ particles.rotation
    return float(np.rad2deg(Rotation.from_matrix(difference).magnitude()).max())


def assert_registered(volume: np.ndarray, particles: ParticleList) -> None:
    """Assert that beads lie on their labels and particles have their listed orientations."""
    assert registration_error(volume, particles) < WITHIN_VOXELS
    assert measured_orientation_error(volume, particles) < WITHIN_DEG


def orientation_error(measured: ParticleList, expected: ParticleList) -> float:
    """Measure the largest angle in degrees between listed orientations."""
    difference = np.swapaxes(expected.rotation, 1, 2) @ measured.rotation
    return float(np.rad2deg(Rotation.from_matrix(difference).magnitude()).max())
