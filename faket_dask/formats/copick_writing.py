"""Write projects of copick: tomograms, picks with orientations, and segmentations of many runs in one folder.

A project is a configuration file and a tree ``ExperimentRuns/<run>`` (copick's overlay on a file system); the
conventions are those of `copick`. Label 0 is background.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats import ome_zarr
from faket_dask.formats.copick import DEFAULT_SCORE, RUNS, PickableObject, safe_name
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.ome_zarr import LabelClass
from faket_dask.formats.particle_list import Particles

USER, SESSION = "faketdask", "0"
SEGMENTATION = "labels"
"""Name of the segmentation of all classes."""

_COLOURS = (
    *((230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48), (145, 30, 180)),
    *((70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212), (0, 128, 128), (220, 190, 255)),
    *((170, 110, 40), (255, 250, 200), (128, 0, 0), (170, 255, 195), (128, 128, 0), (255, 215, 180)),
)


def write_config(folder: Path, name: str, objects: Sequence[PickableObject], root: str | None = None) -> Path:
    """Write ``copick.json``, through which copick opens the project.

    Parameters
    ----------
    folder
        Folder of the project; made where it does not exist.
    name
        Name of the project.
    objects
        Classes of all runs.
    root
        Place of the folder for copick, a path or a URL, where it is to be moved there; copick takes relative paths
        from the working directory, so the configuration holds an absolute one.

    Returns
    -------
    path
        Path of the configuration file.

    Raises
    ------
    InputError
        If two classes have one name in copick, or a class has none.
    """
    names = [safe_name(item.name) for item in objects]
    for item, safe in zip(objects, names, strict=True):
        if names.count(safe) > 1:
            same = [other.name for other, name in zip(objects, names, strict=True) if name == safe]
            raise InputError(f"copick has one name, {safe!r}, for the classes {same}; rename {item.name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "config_type": "filesystem",
        "name": name,
        "description": "Synthetic tilt-series with complete labels",
        "version": "1.0.0",
        "pickable_objects": [
            {
                "name": safe,
                "is_particle": item.is_particle,
                "label": item.label,
                "color": [*_colour(item.label), 255],
                "radius": item.radius_A,
            }
            for item, safe in zip(objects, names, strict=True)
        ],
        "overlay_root": _format_root(folder if root is None else root),
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
    objects: Sequence[PickableObject],
) -> None:
    """Write one run: tomograms, a segmentation of all classes, and each class as picks or as a segmentation of its own.

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
        Labelled particles, in Å from the centre of the corner voxel. Those of classes that are no particles have no
        picks.
    objects
        Classes of the project.
    """
    run_folder = folder / RUNS / run
    spacing = f"{voxel_size_A:.3f}"
    for kind, volume in tomograms.items():
        path = run_folder / f"VoxelSpacing{spacing}" / f"{safe_name(kind)}.zarr"
        ome_zarr.write_volume(path, volume, voxel_size_A)
    if class_mask is not None:
        stem = f"Segmentations/{spacing}_{USER}_{SESSION}"
        classes = [LabelClass(item.label, safe_name(item.name), _colour(item.label)) for item in objects]
        path = run_folder / f"{stem}_{SEGMENTATION}-multilabel.zarr"
        ome_zarr.write_volume(path, class_mask, voxel_size_A, labels=classes)
        for item in objects:
            if not item.is_particle:
                path = run_folder / f"{stem}_{safe_name(item.name)}.zarr"
                label = LabelClass(1, safe_name(item.name), _colour(item.label))
                ome_zarr.write_volume(path, _Selected(class_mask, item.label), voxel_size_A, labels=[label])
    segmented = {item.name for item in objects if not item.is_particle}
    (run_folder / "Picks").mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(str(name) for name in particles.class_name):
        if name not in segmented:
            picks = _describe_picks(run, voxel_size_A, particles, name)
            path = run_folder / "Picks" / f"{USER}_{SESSION}_{safe_name(name)}.json"
            write_text(path, json.dumps(picks, indent=1) + "\n")


def write_octopi_targets(folder: Path, objects: Sequence[PickableObject]) -> Path:
    """Write the file by which octopi trains on the segmentation of all classes, like one beside targets of its own.

    Parameters
    ----------
    folder
        Folder of the project.
    objects
        Classes of the project, with labels from 1 without a gap: octopi counts the classes and takes that as the
        largest label.
    """
    labels = {safe_name(item.name): item.label for item in objects}
    targets = {name: {"user_id": USER, "session_id": SESSION} for name in labels}
    path = folder / "logs" / f"targets-{USER}_{SESSION}_{SEGMENTATION}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, yaml.safe_dump({"input": {"labels": labels, "targets": targets}}, sort_keys=False))
    return path


def _describe_picks(run: str, voxel_size_A: float, particles: Particles, name: str) -> dict[str, Any]:
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
                "score": DEFAULT_SCORE if particles.score is None else float(particles.score[row]),
            }
        )
    return {
        "pickable_object_name": safe_name(name),
        "user_id": USER,
        "session_id": SESSION,
        "run_name": run,
        "voxel_spacing": voxel_size_A,
        "unit": "angstrom",
        "points": points,
        "trust_orientation": True,
    }


def _colour(label: int) -> tuple[int, int, int]:
    return _COLOURS[(label - 1) % len(_COLOURS)]


def _format_root(root: Path | str) -> str:
    return (
        root if isinstance(root, str) and "://" in root else f"local://{Path(root).expanduser().absolute()}"
    )


@dataclass(frozen=True)
class _Selected:
    """Mask of one label, 0 and 1, read lazily where it is sliced."""

    labels: ArrayLike3D
    label: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        return np.dtype(np.uint8)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        return (np.asarray(self.labels[key]) == self.label).astype(np.uint8)
