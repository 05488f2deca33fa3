"""Specification of an average: tomogram, particles, start and settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.averaging.particles import ParticlesInTomogram
from faket_dask.averaging.start import StartKind
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.specification import digest_inputs
from faket_dask.kernels.averaging.pose_search import Poses
from faket_dask.pipeline.tomogram_source import GivenTomogram
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.stages.averaging import AverageSettings, BoxAlignment, HalfSet, split_halves

KERNEL_VERSION = 2
"""Raised whenever averages change, so that old and new are never mixed."""

GROUP = 64
"""Particles of one unit."""


@dataclass(frozen=True, eq=False)
class AverageSpec:
    """Specification of an average.

    Parameters
    ----------
    root
        Folder of the units' files.
    source
        Tomogram.
    particles
        Particles in it.
    settings
        Settings.
    start
        Kind of the first reference.
    first_map
        ``(edge, edge, edge)`` first reference, if it is a map.
    """

    root: Path
    source: GivenTomogram
    particles: ParticlesInTomogram
    settings: AverageSettings
    start: StartKind = StartKind.FEATURELESS
    first_map: NDArray[np.float32] | None = None

    threads_per_task = 1
    device = "cpu"
    description_files = frozenset[str]()

    @property
    def folder(self) -> RunFolder:
        """Paths of the run."""
        return RunFolder(self.root)

    @property
    def title(self) -> str:
        """One line for displays."""
        return f"average of {len(self.particles)} particles of {self.source.title}"

    @property
    def store(self) -> Path:
        """Zarr store of boxes, poses and sums."""
        return self.root / "averages.zarr"

    @cached_property
    def alignment(self) -> BoxAlignment:
        """Settings in voxels."""
        return BoxAlignment(self.settings, self.source.voxel_size_A)

    @cached_property
    def halves(self) -> dict[HalfSet, NDArray[np.intp]]:
        """Particles of each half-set."""
        return split_halves(len(self.particles), self.settings.seed)

    @property
    def rounds(self) -> range:
        """Numbers of the rounds, the start included as round 0."""
        return range(self.search_rounds + self.settings.local_rounds + 1)

    @property
    def search_rounds(self) -> int:
        """Number of rounds that search all orientations; a list of orientations is refined only."""
        return 0 if self.start is StartKind.ORIENTATIONS else self.settings.rounds

    def first_poses(self, half: HalfSet) -> Poses:
        """Return the poses that a half-set starts from, without scores."""
        rows = self.halves[half]
        offset, score = self.particles.offset[rows], np.zeros(len(rows))
        if self.start is StartKind.ORIENTATIONS:
            return Poses(self.particles.table.rotation[rows], offset, score)
        rng = np.random.default_rng([self.settings.seed, 2, list(HalfSet).index(half)])
        return Poses(uniform_rotations(len(rows), rng), offset, score)

    @cached_property
    def result_inputs(self) -> dict[str, Any]:
        """Contents of the fingerprint."""
        table = self.particles.table
        picks = hashlib.sha256(table.centre_A.tobytes() + table.rotation.tobytes()).hexdigest()
        first = None if self.first_map is None else hashlib.sha256(self.first_map.tobytes()).hexdigest()
        return {
            "tomogram": self.source.identity,
            "voxel_size_A": self.source.voxel_size_A,
            "particles": picks,
            "settings": describe_settings(self.settings),
            "start": [self.start.value, first],
            "kernel_version": KERNEL_VERSION,
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of tomogram, particles and settings."""
        return digest_inputs(self.result_inputs)

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts for the record of a run."""
        return {"kernel_version": KERNEL_VERSION, "seed": self.settings.seed}

    def relocate(self, root: Path) -> AverageSpec:
        """Return the same specification for another folder."""
        return replace(self, root=root)

    def write(self) -> None:
        """Store the description of the run."""
        from faket_dask.averaging.units import AVERAGING

        self.root.mkdir(parents=True, exist_ok=True)
        write_text(self.folder.description, json.dumps(AVERAGING.describe(self)) + "\n")


def describe_settings(settings: AverageSettings) -> dict[str, Any]:
    """Return settings as plain JSON data."""
    return {
        **asdict(settings),
        "contrast": settings.contrast.value,
        "tilt_angles": list(settings.tilt_angles),
    }
