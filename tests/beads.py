"""Data sets with gold beads, and positions of the beads in a tomogram."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.runs import small_document

REACH_A = 80.0
"""Distance from the centre of a bead of 100 Å diameter within which it is measured."""

MARGIN_A = 150.0
"""Distance from the sides of the field of view that is left out: tilts show objects beyond the tomogram there."""


def bead_document(folder: Path, **reconstruction: Any) -> dict[str, Any]:
    """Make a run file with few objects but beads, and enough tilts to see them."""
    return small_document(
        folder,
        specimen={"count": 1, "species": [], "fiducials": {"count": 4}, "ice_texture": 0, "spacing_A": 100},
        acquisition={"tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 5}},
        references=[{"kind": "simulated", "name": "a"}],
        outputs={"modalities": ["noisy"]},
        reconstruction=reconstruction,
    )


def blob_centre(tomogram: np.ndarray, position: np.ndarray, voxel_size_A: float) -> np.ndarray:
    """Measure the centre of gravity ``(x, y, z)``, in voxels, of dark voxels around a position; NaN at the border."""
    reach = REACH_A / voxel_size_A
    first = np.ceil(position - reach).astype(int)
    last = np.floor(position + reach).astype(int) + 1
    at_side = min(position[0], tomogram.shape[2] - 1 - position[0]) < MARGIN_A / voxel_size_A
    if at_side or (first < 0).any() or (last > tomogram.shape[::-1]).any():
        return np.full(3, np.nan)
    box = tomogram[tuple(slice(a, b) for a, b in zip(first[::-1], last[::-1], strict=True))]
    mass = np.clip(-box - float(-box.min()) / 3, 0, None).astype(np.float64)
    grid = np.meshgrid(
        *(np.arange(a, b) for a, b in zip(first[::-1], last[::-1], strict=True)), indexing="ij"
    )
    return np.array([float((mass * axis).sum() / mass.sum()) for axis in reversed(grid)])


def bead_errors(tomogram: np.ndarray, positions: np.ndarray, voxel_size_A: float) -> np.ndarray:
    """Measure the largest distance along an axis, in voxels, of each bead inside the volume from its position."""
    errors = [
        np.abs(blob_centre(tomogram, position, voxel_size_A) - position).max() for position in positions
    ]
    return np.array([error for error in errors if np.isfinite(error)])
