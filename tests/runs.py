"""A data set that takes seconds, and how tests compare data sets."""

import hashlib
import shutil
from pathlib import Path
from typing import Any


def small_document(folder: Path, **changes: Any) -> dict[str, Any]:
    """A run file as a mapping; sections given here extend its own, or replace what is no mapping."""
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
        "style": {"weights": "random", "random_seed": 5},
        "outputs": {"modalities": ["faket", "noisy", "content", "baseline", "benchmark"], "report": False},
        "cluster": {"workers": 2},
    }
    for name, change in changes.items():
        old = sections.get(name)
        sections[name] = {**old, **change} if isinstance(old, dict) and isinstance(change, dict) else change
    return sections


def bytes_of(dataset: Path) -> dict[str, str]:
    """Checksum of every file of a data set that is data: all but progress and what is told about it."""
    told = ("report.html", "realism.json", "manifest.csv", "config.yaml")
    return {
        str(file.relative_to(dataset)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(dataset.rglob("*"))
        if file.is_file() and "progress" not in file.parts and file.name not in told
    }


def begun(dataset: Path, folder: Path, *undone: str) -> Path:
    """A copy of a data set in which some stages, or items of stages, are not done."""
    copy = folder / "data"
    shutil.copytree(dataset, copy)
    for stage in undone:
        shutil.rmtree(copy / "progress" / stage)
    return copy
