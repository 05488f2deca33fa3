"""Read the results of cellPACK (Johnson et al., Nature Methods 12, 85, 2015).

A JSON file lists ingredients: those of the ``cytoplasme`` (or ``exteriorRecipe``, outside of all compartments), and
those on the ``surface`` and in the ``interior`` of each of the ``compartments``. An ingredient's ``results`` are a
position in Å and a rotation from particle to model each: four numbers or a matrix. Its ``source`` names a structure
file or an entry of the PDB; its beads, ``positions`` and ``radii``, are its shape in spheres.

Quaternions are ``(x, y, z, w)``, and structures about the mean of their atoms, where an ingredient has an ``offset``
or a ``principalAxis``, which is turned to z; they are ``(w, x, y, z)``, and structures as they stand, elsewhere.

Read from the readers of Mol* (extension ``cellpack``) and the writers of cellPACK 1.0, and from parts of published
models of *Mycoplasma*, HIV and an exosome, which are of either kind; matrices from a model of blood plasma.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text
from faket_dask.formats.particle_list import rotation_matrix

LARGEST_PLACE_A = 1e6
"""Largest coordinate in Å: 100 µm."""


@dataclass(frozen=True, eq=False)
class StructureSource:
    """Structure of an ingredient.

    Parameters
    ----------
    name
        File or entry of the PDB, empty for none.
    assembly
        Biological assembly; ``None`` for the coordinates as they stand.
    chains
        Chains that are taken; all if empty.
    model
        Place of the model in the file, from 1.
    centred
        True if the mean of the atoms comes to the origin.
    """

    name: str
    assembly: str | None
    chains: tuple[str, ...]
    model: int
    centred: bool


@dataclass(frozen=True, eq=False)
class Ingredient:
    """Kind of object with its places.

    Parameters
    ----------
    name
        Name.
    compartment
        Compartment and its part, such as ``envelope.surface``; empty outside of all.
    source
        Structure.
    beads
        ``(n, 4)``: ``(x, y, z)`` and radius in Å of spheres that make up its shape, in the frame of the structure.
    matrix, offset_A
        Rotation ``(3, 3)`` and offset ``(3,)`` that bring a structure, centred if its source says so, into the frame of
        the results: ``matrix @ (place + offset_A)``.
    position_A
        ``(n, 3)``: ``(x, y, z)`` in Å.
    rotation
        ``(n, 3, 3)`` matrices from the frame of the results to the model.
    """

    name: str
    compartment: str
    source: StructureSource
    beads: NDArray[np.float64]
    matrix: NDArray[np.float64]
    offset_A: NDArray[np.float64]
    position_A: NDArray[np.float64]
    rotation: NDArray[np.float64]


def is_packing(path: Path) -> bool:
    """Tell by its beginning whether a file is of cellPACK."""
    if path.suffix.lower() not in (".json", ".cpr") or not path.is_file():
        return False
    with open(path, "rb") as file:
        head = file.read(4096)
    return head.lstrip().startswith(b"{") and (b'"recipe"' in head or b'"cytoplasme"' in head)


def read_packing(path: Path) -> list[Ingredient]:
    """Read the ingredients that have results.

    Parameters
    ----------
    path
        Result, ``.json`` or ``.cpr``.

    Raises
    ------
    InputError
        If the file is absent, damaged, a recipe without results, or an ingredient's numbers are none; the ingredient
        and its result are named.
    """
    try:
        document = json.loads(read_text(path, "cellPACK result"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"cellPACK result {path} is not readable: {str(error)[:200]}; copy it again"
        ) from None
    if not isinstance(document, dict):
        raise InputError(
            f"cellPACK result {path} is a list or a number; expected an object with compartments"
        )
    ingredients = [
        _read_ingredient(
            str(name), compartment, entry, f"cellPACK result {path}: ingredient {str(name)[:80]!r}"
        )
        for compartment, entries in _list_recipes(document, path)
        for name, entry in entries.items()
    ]
    placed = [ingredient for ingredient in ingredients if len(ingredient.position_A)]
    if not placed:
        raise InputError(
            f"cellPACK result {path} has {len(ingredients)} ingredients and no results; it may be a recipe, which is "
            "yet to be packed"
        )
    return placed


def _list_recipes(document: dict[str, Any], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the ingredients of each part of the model under its name."""
    for key in ("cytoplasme", "exteriorRecipe"):
        yield "", _list_ingredients(document.get(key), path, key)
    for name, compartment in _section(document.get("compartments"), path, "compartments").items():
        where = str(name)[:80]
        parts = _section(compartment, path, where)
        for part, key in (("surface", "surfaceRecipe"), ("interior", "innerRecipe")):
            yield (
                f"{where}.{part}",
                _list_ingredients(parts.get(part, parts.get(key)), path, f"{where}.{part}"),
            )


def _list_ingredients(recipe: Any, path: Path, where: str) -> dict[str, Any]:
    section = _section(recipe, path, where)
    return (
        _section(section["ingredients"], path, f"{where}.ingredients")
        if "ingredients" in section
        else section
    )


def _section(value: Any, path: Path, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"cellPACK result {path}: {where} is {str(value)[:60]!r}; expected an object")
    return value


def _read_ingredient(name: str, compartment: str, entry: Any, where: str) -> Ingredient:
    if not isinstance(entry, dict):
        raise InputError(f"{where} is {str(entry)[:60]!r}; expected an object")
    results = entry.get("results") or []
    if not isinstance(results, list):
        raise InputError(f"{where}: results are {str(results)[:60]!r}; expected a list")
    is_centred = bool(entry.get("offset") or entry.get("principalAxis"))
    places, quaternions = np.zeros((len(results), 3)), np.zeros((len(results), 4))
    for number, result in enumerate(results):
        at = f"{where}, result {number + 1}"
        if not isinstance(result, list) or len(result) < 2:
            raise InputError(f"{at} is {str(result)[:60]!r}; expected a position and a rotation")
        places[number] = _numbers(result[0], 3, f"{at}: position")
        quaternions[number] = _read_rotation(result[1], is_centred, at)
    offset = _numbers(entry.get("offset") or [0, 0, 0], 3, f"{where}: offset")
    axis = _numbers(entry.get("principalAxis") or [0, 0, 1], 3, f"{where}: principalAxis")
    rotation = Rotation.from_quat(quaternions).as_matrix() if len(results) else np.zeros((0, 3, 3))
    return Ingredient(
        name,
        compartment,
        _read_source(entry.get("source"), is_centred, where),
        _read_beads(entry, where),
        _turn_to_z(axis, where) if is_centred else np.eye(3),
        offset if is_centred else np.zeros(3),
        places,
        rotation,
    )


def _numbers(values: Any, count: int, where: str) -> NDArray[np.float64]:
    """Return so many finite numbers of a JSON list, any if `count` is negative."""
    try:
        numbers = np.array([float(value) for value in values], np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.full(1, np.nan)
    if (count >= 0 and len(numbers) != count) or not (np.abs(numbers) <= LARGEST_PLACE_A).all():
        expected = f"{count} numbers" if count >= 0 else "numbers"
        raise InputError(
            f"{where} is {str(values)[:60]!r}; expected {expected} of at most {LARGEST_PLACE_A:g}"
        )
    return numbers


def _read_rotation(values: Any, is_centred: bool, where: str) -> NDArray[np.float64]:
    """Return a quaternion ``(x, y, z, w)``."""
    if isinstance(values, list) and values and isinstance(values[0], list):
        rows = [
            _numbers(row[:3], 3, f"{where}: row of the rotation")
            for row in values[:3]
            if isinstance(row, list)
        ]
        try:
            return Rotation.from_matrix(rotation_matrix(rows)).as_quat()
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None
    quaternion = _numbers(values, 4, f"{where}: rotation")
    if not 0.9 < np.linalg.norm(quaternion) < 1.1:
        raise InputError(f"{where}: rotation is {quaternion.tolist()}, no unit quaternion")
    return quaternion if is_centred else quaternion[[1, 2, 3, 0]]


def _turn_to_z(axis: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Return the shortest rotation that brings an axis to z."""
    length = float(np.linalg.norm(axis))
    if length < 1e-6:
        raise InputError(f"{where}: principalAxis has no length")
    x, y, z = axis / length
    if z < -1 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    # Rodrigues' formula for the cross product (y, -x, 0) of the axis and z.
    skew = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + z))


def _read_source(source: Any, is_centred: bool, where: str) -> StructureSource:
    if source is None:
        source = {}
    if not isinstance(source, dict):
        raise InputError(f"{where}: source is {str(source)[:60]!r}; expected an object")
    name = source.get("pdb")
    name = name.strip() if isinstance(name, str) and name.strip() not in ("None", "null") else ""
    assembly = str(source.get("bu") or "AU")
    selection = str(source.get("selection") or "").replace(":", " ").split()
    transform = source.get("transform")
    asks = isinstance(transform, dict) and bool(transform.get("center"))
    model = str(source.get("model") or "")
    return StructureSource(
        name,
        None if assembly in ("AU", "None") else assembly.removeprefix("BU"),
        tuple(chain for chain in selection if chain != "or"),
        max(1, int(model) + 1) if model.isascii() and model.isdigit() and len(model) < 6 else 1,
        is_centred or asks,
    )


def _read_beads(entry: dict[str, Any], where: str) -> NDArray[np.float64]:
    """Read the finest level of beads ``(n, 4)``; none if there are none, or they are written in another way."""
    levels, sizes = entry.get("positions"), entry.get("radii")
    if not (isinstance(levels, list) and isinstance(sizes, list) and levels and len(levels) == len(sizes)):
        return np.zeros((0, 4))
    level, size = levels[-1], sizes[-1]
    if not (isinstance(level, dict) and isinstance(size, dict)):
        return np.zeros((0, 4))
    coordinates = _numbers(level.get("coords") or [], -1, f"{where}: coords")
    radii = _numbers(size.get("radii") or [], -1, f"{where}: radii")
    if len(coordinates) != 3 * len(radii) or not (radii > 0).all():
        raise InputError(
            f"{where}: {len(coordinates)} coordinates and {len(radii)} radii of beads; expected three and one positive "
            "for each"
        )
    return np.column_stack((coordinates.reshape(-1, 3), radii))
