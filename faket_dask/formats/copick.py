"""Read projects of copick: classes, and picks with orientations.

A configuration file names the folders of a project: `overlay_root`, which copick writes to, and `static_root`, which
it only reads. Each holds a tree ``ExperimentRuns/<run>/Picks/<user>_<session>_<object>.json``. Positions are in Å
from the corner voxel's centre, orientations 4 × 4 matrices from object to tomogram.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats.files import read_text
from faket_dask.formats.particle_list import (
    ParticleList,
    instance_number,
    join_scores,
    point_score,
    rotation_matrix,
)

RUNS = "ExperimentRuns"
"""Folder of the runs within a root."""

DEFAULT_SCORE = 1.0
"""Score of a point that nobody has given one."""

_ROOTS = ("overlay_root", "static_root")
_LOCAL_SCHEMES = ("", "local", "file")
_CONFIG_TYPES = ("filesystem", "cryoet_data_portal", "mlcroissant")


@dataclass(frozen=True)
class PickableObject:
    """Class of objects that a project has picks or segmentations of.

    Parameters
    ----------
    name
        Name; writing it replaces characters that copick does not allow by ``-``.
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


@dataclass(frozen=True)
class PickSet:
    """File of picks: those of one object in one run, by one user or program in one session."""

    user: str
    session: str
    object_name: str
    path: Path

    def __str__(self) -> str:
        return f"{self.object_name} by {self.user}/{self.session}"


@dataclass(frozen=True)
class CopickProject:
    """Configuration of a project on local disks.

    Parameters
    ----------
    config
        Configuration file.
    objects
        Classes of the project.
    roots
        Folders with runs, the overlay first.
    """

    config: Path
    objects: tuple[PickableObject, ...]
    roots: tuple[Path, ...]

    def runs(self) -> list[str]:
        """Return the names of the runs in all roots, sorted."""
        folders = [path for root in self.roots for path in _list_folder(root / RUNS)]
        return sorted({path.name for path in folders if path.is_dir() and not path.name.startswith(".")})

    def picks(self, run: str) -> list[PickSet]:
        """Return the sets of picks of a run, sorted; one that lies in both roots is taken from the overlay.

        Raises
        ------
        InputError
            If the project has no such run, or a file is not named by user, session and object.
        """
        if run not in self.runs():
            raise InputError(f"copick project {self.config} has no run {run!r}")
        sets: dict[tuple[str, str, str], PickSet] = {}
        for root in self.roots:
            for path in _list_folder(root / RUNS / run / "Picks"):
                if path.suffix != ".json" or path.name.startswith("."):
                    continue
                parts = path.stem.split("_")
                if len(parts) != 3:
                    raise InputError(
                        f"copick picks {path}: the name has {len(parts)} parts; rename it to USER_SESSION_OBJECT.json"
                    )
                user, session, name = parts
                other = sets.setdefault((user, session, name), PickSet(user, session, name, path))
                if other.path != path:
                    warnings.warn(
                        f"run {run} has picks of {other} in {other.path} and in {path}; the first, in overlay_root, "
                        "is read",
                        stacklevel=2,
                    )
        return [sets[key] for key in sorted(sets)]


def open_project(config: Path) -> CopickProject:
    """Read the configuration of a project and find its folders.

    Parameters
    ----------
    config
        Configuration file. Relative roots are looked for from its folder, then from the working directory, from where
        copick itself takes them.

    Raises
    ------
    InputError
        If the file is absent, not JSON, or does not list objects; if its roots lie on another machine, or none of
        them has runs.
    """
    document = _read_json(config, "copick configuration")
    with wrap_as_input_error(f"copick configuration {config}: its folders cannot be looked for"):
        roots = tuple(_find_roots(config, document))
    beside = config.absolute().parent
    if (beside / RUNS).is_dir() and not any(root.resolve() == beside.resolve() for root in roots):
        warnings.warn(
            f"{beside / RUNS} beside {config} is not read, since the configuration names "
            f"{' and '.join(map(str, roots))}",
            stacklevel=2,
        )
    return CopickProject(config, tuple(_read_objects(config, document)), roots)


def choose_picks(
    project: CopickProject,
    run: str,
    *,
    user: str | None = None,
    session: str | None = None,
    object_name: str | None = None,
) -> list[PickSet]:
    """Choose at most one set of picks of each object.

    Parameters
    ----------
    project, run
        Project and the name of the run.
    user, session, object_name
        Properties that the chosen sets have; any if ``None``.

    Raises
    ------
    InputError
        If there is no such run, no set is left, or several of one object are.
    """
    where = f"copick project {project.config}, run {run}"
    sets = project.picks(run)
    if not sets:
        raise InputError(f"{where}: there are no picks in {' or '.join(map(str, project.roots))}")
    requested = {"user": user, "session": session, "object_name": object_name}
    filters = {key: value for key, value in requested.items() if value is not None}
    chosen = [item for item in sets if all(getattr(item, key) == value for key, value in filters.items())]
    if not chosen:
        wrong = ", ".join(f"{key.removesuffix('_name')} {value!r}" for key, value in filters.items())
        raise InputError(f"{where}: no picks of {wrong}; there are {_enumerate(sets)}")
    names = [item.object_name for item in chosen]
    repeated = [item for item in chosen if names.count(item.object_name) > 1]
    if repeated:
        raise InputError(
            f"{where}: several sets of picks of one object, {_enumerate(repeated)}; choose by --user, --session or "
            "--object"
        )
    return chosen


def read_picks(project: CopickProject, sets: Sequence[PickSet]) -> ParticleList:
    """Read sets of picks.

    Parameters
    ----------
    project
        Project whose classes give the labels.
    sets
        Sets of one run, at least one. Orientations of a set that says that they are not to be trusted are the identity.

    Returns
    -------
    particles
        Particles in the order of the sets. They have scores where all points have one, unless that is 1 everywhere,
        which copick writes for picks without.

    Raises
    ------
    InputError
        If a file is absent or damaged, its positions are not in Å, or the project has no label, or not one of its own,
        for the object.
    """
    lists = [_read_set(item, _find_label(item, project)) for item in sets]
    instance = np.concatenate([part.instance for part in lists])
    if np.unique(instance).size < instance.size or 0 in instance:
        instance = np.arange(1, instance.size + 1, dtype=np.int64)
    return ParticleList(
        class_name=np.concatenate([part.class_name for part in lists]),
        class_id=np.concatenate([part.class_id for part in lists]),
        instance=instance,
        centre_A=np.concatenate([part.centre_A for part in lists]),
        rotation=np.concatenate([part.rotation for part in lists]),
        score=_join_sets([part.score for part in lists]),
    )


def safe_name(name: str) -> str:
    """Replace characters that copick's names cannot hold, such as spaces and underscores, which separate their parts.

    Raises
    ------
    InputError
        If nothing is left.

    Examples
    --------
    >>> safe_name("gold_bead 10 nm"), safe_name("_inner")
    ('gold-bead-10-nm', 'inner')
    """
    safe = re.sub(r"[^A-Za-z0-9.-]", "-", name).strip("-")
    if not safe:
        raise InputError(f"{name!r} has no letter or digit, so copick has no name for it; rename the class")
    return safe


def _read_objects(config: Path, document: dict[str, Any]) -> list[PickableObject]:
    with wrap_as_input_error(f"copick configuration {config}: pickable_objects cannot be read"):
        return [
            PickableObject(
                name=str(item["name"]),
                label=int(np.int64(int(item.get("label", 1)))),
                is_particle=bool(item["is_particle"]),
                radius_A=float(item.get("radius") or 0),
            )
            for item in document["pickable_objects"]
        ]


def _find_roots(config: Path, document: dict[str, Any]) -> list[Path]:
    """Return the folders with runs that a configuration names, the overlay first."""
    kind = document.get("config_type", "filesystem")
    if kind not in _CONFIG_TYPES:
        raise InputError(
            f"copick configuration {config}: config_type is {kind!r}; it must be one of {', '.join(_CONFIG_TYPES)}"
        )
    if kind != "filesystem":
        warnings.warn(
            f"{config} is a project of type {kind}: only the picks in its overlay_root are read; download the others",
            stacklevel=3,
        )
    urls = {key: document[key] for key in _ROOTS if document.get(key) is not None}
    if not urls:
        raise InputError(f"copick configuration {config} names no overlay_root; add the folder with {RUNS}")
    roots: dict[str, Path] = {}
    remote = {}
    for key, url in urls.items():
        if not isinstance(url, str):
            raise InputError(f"copick configuration {config}: {key} is {url!r}, not a folder")
        scheme, _, place = url.rpartition("://")
        if scheme in _LOCAL_SCHEMES:
            roots[key] = _resolve(config, key, place)
        else:
            remote[key] = url
    if remote:
        places = " and ".join(f"{key} {url}" for key, url in remote.items())
        advice = f"copy it to this machine and name the copy in {config}"
        if not roots:
            raise InputError(f"copick project at {places}, of which only local folders are read; {advice}")
        warnings.warn(f"no picks are read from {places}, which is not a local folder; {advice}", stacklevel=3)
    absent = {key: root for key, root in roots.items() if not (root / RUNS).is_dir()}
    if len(absent) == len(roots):
        places = " and ".join(f"{key} {root}" for key, root in absent.items())
        beside = config.absolute().parent
        place = str(beside) if (beside / RUNS).is_dir() else "the folder of the project"
        raise InputError(f"copick configuration {config} names {places}, without {RUNS}; set it to {place}")
    for key, root in absent.items():
        if not root.is_dir():
            warnings.warn(
                f"{config} names {key} {root}, which is not there; the other root is read", stacklevel=3
            )
    return list(dict.fromkeys(root for key, root in roots.items() if key not in absent))


def _resolve(config: Path, key: str, place: str) -> Path:
    folder = Path(place).expanduser()
    if folder.is_absolute():
        return folder
    beside, here = config.absolute().parent / folder, folder.absolute()
    if not (beside / RUNS).is_dir() and (here / RUNS).is_dir():
        return here
    if (here / RUNS).is_dir() and here.resolve() != beside.resolve():
        warnings.warn(
            f"{key} {place} of {config} is {beside} from its folder and {here} from the working directory; "
            "the first is read",
            stacklevel=4,
        )
    return beside


def _list_folder(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}; check its permissions") from None


def _enumerate(sets: Sequence[PickSet], most: int = 8) -> str:
    more = f" and {len(sets) - most} more" if len(sets) > most else ""
    return ", ".join(map(str, sets[:most])) + more


def _find_label(item: PickSet, project: CopickProject) -> int:
    labels = [known.label for known in project.objects if known.name == item.object_name]
    if not labels:
        raise InputError(
            f"copick picks {item.path}: no object {item.object_name!r} in {project.config}; add it to pickable_objects"
        )
    label = labels[0]
    names = [known.name for known in project.objects if known.label == label]
    if label == 0 or len(names) > 1:
        fault = (
            f"{' and '.join(names)} have one label, {label}"
            if label
            else f"{names[0]} has label 0, background's"
        )
        raise InputError(
            f"copick configuration {project.config}: {fault}; give each object a label of its own"
        )
    return label


def _read_set(item: PickSet, label: int) -> ParticleList:
    document = _read_json(item.path, "copick picks")
    names = {"user_id": item.user, "session_id": item.session, "pickable_object_name": item.object_name}
    for key, name in names.items():
        if str(document.get(key, name)) != name:
            warnings.warn(
                f"copick picks {item.path}: {key} is {document[key]!r}, and the file's name has {name!r}, which is "
                "believed, as copick does",
                stacklevel=3,
            )
    unit = document.get("unit", "angstrom")
    if unit != "angstrom":
        raise InputError(f"copick picks {item.path}: positions are in {unit!r}; convert them to angstrom")
    trusted = document.get("trust_orientation") is not False
    if not trusted:
        warnings.warn(
            f"copick picks {item.path}: trust_orientation is false, so its orientations are left out",
            stacklevel=3,
        )
    centres, rotations, instances, scores = [], [], [], []
    with wrap_as_input_error(f"copick picks {item.path} cannot be read"):
        for point in document.get("points") or ():
            centre = np.array([float(point["location"][axis]) for axis in "xyz"])
            matrix = np.array(point.get("transformation_") or np.eye(4).tolist(), dtype=np.float64)
            if matrix.shape != (4, 4) or not (np.isfinite(matrix).all() and np.isfinite(centre).all()):
                raise ValueError("a point needs a finite location and a 4 x 4 transformation")
            if not np.allclose(matrix[3], [0, 0, 0, 1]):
                raise ValueError("the last row of a transformation is 0, 0, 0, 1")
            centres.append(centre + matrix[:3, 3])
            rotations.append(rotation_matrix(matrix[:3, :3]) if trusted else np.eye(3))
            instances.append(instance_number(point))
            scores.append(point_score(point))
    return ParticleList(
        class_name=np.full(len(centres), item.object_name, dtype=f"<U{len(item.object_name)}"),
        class_id=np.full(len(centres), label, dtype=np.int64),
        instance=np.array(instances, dtype=np.int64),
        centre_A=np.array(centres, dtype=np.float64).reshape(-1, 3),
        rotation=np.array(rotations, dtype=np.float64).reshape(-1, 3, 3),
        score=join_scores(scores),
    )


def _join_sets(scores: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """Join the scores of several sets, ``None`` where one has none or all are copick's default."""
    known = [part for part in scores if part is not None]
    joined = np.concatenate(known) if known else np.empty(0)
    return joined if len(known) == len(scores) and (joined != DEFAULT_SCORE).any() else None


def _read_json(path: Path, what: str) -> dict[str, Any]:
    text = read_text(path, what)
    with wrap_as_input_error(f"{what} {path} is not JSON"):
        document = json.loads(text)
    if not isinstance(document, dict):
        raise InputError(f"{what} {path} does not hold an object")
    return document
