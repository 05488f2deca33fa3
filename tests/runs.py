"""Run file of a data set that takes seconds, and helpers to copy and compare data sets."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

SHALLOW_LAYERS = {1: 256.0, 6: 64.0}
"""Shallow two of the published style layers: what runs do with units is the same, and the deep ones take most time."""


def small_document(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return a run file as a mapping; changes extend its sections that are mappings, and replace others."""
    sections: dict[str, Any] = {
        "dataset": {"folder": str(folder), "seed": 11},
        "specimen": {
            "count": 2,
            "thickness_A": 600,
            "width_factor": 1.5,
            "species": [{"name": "propeller", "count": 4}, {"name": "boot", "count": [2, 6]}],
            "fiducials": {"count": 2},
        },
        "acquisition": {
            "tilt_angles": {"start_deg": -40, "stop_deg": 40, "step_deg": 20},
            "pixel_size_A": 10,
            "detector_px": [96, 80],
        },
        "references": [{"kind": "simulated", "name": "a"}, {"kind": "simulated", "name": "b"}],
        "style": {
            "preset": "published",
            "weights": "random",
            "random_seed": 5,
            "style_layers": dict(SHALLOW_LAYERS),
        },
        "outputs": {"modalities": ["faket", "noisy", "content", "baseline", "benchmark"], "report": False},
        "cluster": {"workers": 2},
    }
    for name, change in changes.items():
        old = sections.get(name)
        sections[name] = {**old, **change} if isinstance(old, dict) and isinstance(change, dict) else change
    return sections


def checksum_results(dataset: Path) -> dict[str, str]:
    """Return the checksum of every file that holds data: all but progress, configuration and reports."""
    summaries = ("report.html", "realism.json", "manifest.csv", "config.yaml")
    return {
        str(file.relative_to(dataset)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(dataset.rglob("*"))
        if file.is_file() and "progress" not in file.parts and file.name not in summaries
    }


def copy_without(dataset: Path, folder: Path, *undone: str) -> Path:
    """Copy a data set to ``folder/data`` without the markers of some batches, such as ``"project/specimen-000"``."""
    copy = folder / "data"
    shutil.copytree(dataset, copy)
    for batch in undone:
        shutil.rmtree(copy / "progress" / batch)
    return copy
