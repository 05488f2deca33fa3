"""Projects of copick: tomograms, picks with orientations, and segmentations of many runs in one folder.

A project is a configuration file and a tree ``ExperimentRuns/<run>`` (copick's overlay on a file system). Positions
are in Å from the corner voxel's centre, orientations 4 × 4 matrices from object to tomogram. Label 0 is
background.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats import ome_zarr
from faket_dask.formats.files import read_text
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.particle_list import ParticleList, Particles, instance_number, rotation_matrix

USER, SESSION = "faketdask", "0"
SEGMENTATION = "labels"

_COLOURS = (
    *((230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48), (145, 30, 180)),
    *((70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212), (0, 128, 128), (220, 190, 255)),
    *((170, 110, 40), (255, 250, 200), (128, 0, 0), (170, 255, 195), (128, 128, 0), (255, 215, 180)),
)


@dataclass(frozen=True)
class PickableObject:
    """Class of objects that a project has picks or segmentations of.

    Parameters
    ----------
    name
        Name of letters, digits, ``-`` and ``.``; others are written as ``-``.
    label
        Value in the segmentation, from 1.
    is_particle
        True if it is picked as points, false if it is only segmented, like a membrane.
    radius_A
        Radius for display, in Å.
    """

    name: str
    label: int
    is_particle: bool
    radius_A: float


def write_config(folder: Path, name: str, objects: list[PickableObject]) -> Path:
    """Write ``copick.json``, through which copick opens the project.

    Parameters
    ----------
    folder
        Folder of the project; made where it does not exist.
    name
        Name of the project.
    objects
        Classes of all runs.

    Returns
    -------
    path
        Path of the configuration file, which holds the folder's absolute path: after moving it, write it again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = f"local://{folder.absolute()}"
    config = {
        "config_type": "filesystem",
        "name": name,
        "description": "Synthetic tilt-series with complete labels",
        "version": "1.0.0",
        "pickable_objects": [
            {
                "name": safe_name(item.name),
                "is_particle": item.is_particle,
                "label": item.label,
                "color": [*_COLOURS[(item.label - 1) % len(_COLOURS)], 255],
                "radius": item.radius_A,
            }
            for item in objects
        ],
        "overlay_root": root,
        "overlay_fs_args": {"auto_mkdir": True},
    }
    path = folder / "copick.json"
    write_text(path, json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    return path


def write_run(
    folder: Path,
    run: str,
    voxel_size_A: float,
    tomograms: Mapping[str, ArrayLike3D],
    class_mask: ArrayLike3D | None,
    particles: Particles,
) -> None:
    """Write one run: its tomograms, a multilabel segmentation and the picks of each class.

    Parameters
    ----------
    folder
        Folder of the project.
    run
        Name of the run.
    voxel_size_A
        Edge of a voxel of tomograms and mask in Å.
    tomograms
        ``(z, y, x)`` arrays by tomogram type, such as ``wbp`` or ``faket``.
    class_mask
        ``(z, y, x)`` class ids, or ``None`` for no segmentation.
    particles
        Labelled particles, in Å from the centre of the corner voxel.
    """
    run_folder = folder / "ExperimentRuns" / run
    spacing = f"{voxel_size_A:.3f}"
    for kind, volume in tomograms.items():
        path = run_folder / f"VoxelSpacing{spacing}" / f"{safe_name(kind)}.zarr"
        ome_zarr.write_volume(path, volume, voxel_size_A)
    if class_mask is not None:
        path = run_folder / "Segmentations" / f"{spacing}_{USER}_{SESSION}_{SEGMENTATION}-multilabel.zarr"
        ome_zarr.write_volume(path, class_mask, voxel_size_A, labels=True)
    (run_folder / "Picks").mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(str(name) for name in particles.class_name):
        points = []
        for row in np.nonzero(particles.class_name == name)[0]:
            matrix = np.eye(4)
            matrix[:3, :3] = particles.rotation[row]
            x, y, z = (float(value) for value in particles.centre_A[row])
            points.append(
                {
                    "location": {"x": x, "y": y, "z": z},
                    "transformation_": matrix.tolist(),
                    "instance_id": int(particles.instance[row]),
                    "score": 1.0,
                }
            )
        picks = {
            "pickable_object_name": safe_name(name),
            "user_id": USER,
            "session_id": SESSION,
            "run_name": run,
            "voxel_spacing": voxel_size_A,
            "unit": "angstrom",
            "points": points,
            "trust_orientation": True,
        }
        path = run_folder / "Picks" / f"{USER}_{SESSION}_{safe_name(name)}.json"
        write_text(path, json.dumps(picks, indent=1) + "\n")


def read_objects(config: Path) -> list[PickableObject]:
    """Read the classes of a project.

    Parameters
    ----------
    config
        Configuration file of the project.

    Raises
    ------
    InputError
        If the file is absent, not JSON, or does not list objects with names and labels.
    """
    document = _read_json(config, "copick configuration")
    with wrap_as_input_error(f"copick configuration {config}: pickable_objects cannot be read"):
        return [
            PickableObject(
                name=str(item["name"]),
                label=int(np.int64(int(item["label"]))),
                is_particle=bool(item["is_particle"]),
                radius_A=float(item.get("radius") or 0),
            )
            for item in document["pickable_objects"]
        ]


def read_picks(folder: Path, run: str, objects: list[PickableObject]) -> ParticleList:
    """Read all picks of a run, of all users and sessions.

    Parameters
    ----------
    folder
        Folder of the project (the overlay's root).
    run
        Name of the run.
    objects
        Classes of the project; picks of other objects are an error.

    Raises
    ------
    InputError
        If the run is absent, or a file of picks is damaged or of an unknown object.
    """
    run_folder = folder / "ExperimentRuns" / run
    if not run_folder.is_dir():
        raise InputError(f"copick project {folder} has no run {run!r}")
    labels = {item.name: item.label for item in objects}
    names, instances, centres, rotations = [], [], [], []
    for path in sorted((run_folder / "Picks").glob("*.json")):
        document = _read_json(path, "copick picks")
        with wrap_as_input_error(f"copick picks {path} cannot be read"):
            name = str(document["pickable_object_name"])
            if name not in labels:
                raise InputError(f"copick picks {path}: no object {name!r} in the project's configuration")
            for point in document["points"] or ():
                centre = [float(point["location"][axis]) for axis in "xyz"]
                matrix = np.array(point.get("transformation_", np.eye(4)), dtype=np.float64)
                if matrix.shape != (4, 4) or not (np.isfinite(matrix).all() and np.isfinite(centre).all()):
                    raise ValueError("a point needs a finite location and a 4 x 4 transformation")
                centres.append(np.array(centre) + matrix[:3, 3])
                rotations.append(rotation_matrix(matrix[:3, :3]))
                names.append(name)
                instances.append(instance_number(point))
    if len(set(instances)) < len(instances) or 0 in instances:
        instances = list(range(1, len(names) + 1))
    return ParticleList(
        class_name=np.array(names, dtype=np.str_),
        class_id=np.array([labels[name] for name in names], dtype=np.int64),
        instance=np.array(instances, dtype=np.int64),
        centre_A=np.array(centres, dtype=np.float64).reshape(-1, 3),
        rotation=np.array(rotations, dtype=np.float64).reshape(-1, 3, 3),
    )


def safe_name(name: str) -> str:
    """Replace characters that copick's paths cannot hold, such as spaces and underscores, which separate their parts.

    Examples
    --------
    >>> safe_name("gold_bead 10 nm")
    'gold-bead-10-nm'
    """
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)


def _read_json(path: Path, what: str) -> dict[str, Any]:
    text = read_text(path, what)
    with wrap_as_input_error(f"{what} {path} is not JSON"):
        document = json.loads(text)
    if not isinstance(document, dict):
        raise InputError(f"{what} {path} does not hold an object")
    return document
