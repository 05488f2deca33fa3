"""Tilt-series as Warp 2 (WarpTools) and M keep them, `.xml`: alignment, doses and rejected tilts.

Meaning of the fields, from the source of WarpLib (``TiltSeries.cs``: loading of metadata, positions in tilts): angles
and tilt-axis angles are those of a `.tomostar`, `LevelAngleY` is added to every angle, ``AxisOffsetX`` and
``AxisOffsetY`` are in Å and move the image as `TiltGeometry.shift_A` does, and the movement grids are taken away from
them. Warp reads a `.tomostar` only where there is no `.xml`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.ctf_table import CtfTable, DefocusUnit, make_table
from faket_dask.formats.files import read_text
from faket_dask.formats.tomostar import WarpTilts

LARGEST_XML = 64 * 2**20
"""Most characters of a file: those of Warp have a few hundred thousand."""


@dataclass(frozen=True, eq=False)
class WarpSeries(WarpTilts):
    """Tilt-series in an `.xml` of Warp.

    Parameters
    ----------
    path, angles, axis_angles, shift_A, exposure_before_e_per_A2, movies
        As for `WarpTilts`.
    is_used
        ``(tilt,)`` False for tilts that were rejected.
    data_folder
        Folder of the `.tomostar`; empty if the file does not say.
    level_angle_deg
        Angle to add to every tilt angle so that the specimen lies flat.
    image_size_A
        ``(x, y)`` size of the images, if known.
    unapplied
        Parts of the alignment that are not read, one sentence each.
    ctf
        Contrast transfer of the tilts, unchecked, if it was estimated.
    """

    is_used: NDArray[np.bool_]
    data_folder: str
    level_angle_deg: float
    image_size_A: tuple[float, float] | None
    unapplied: tuple[str, ...]
    ctf: CtfTable | None = None


def read_warp_xml(path: Path) -> WarpSeries:
    """Read the `.xml` of a tilt-series from Warp.

    Parameters
    ----------
    path
        File to read.

    Raises
    ------
    InputError
        If the file is absent, no XML, too large, not of a tilt-series, or a field is damaged.
    """
    root = _parse(path)
    if root.tag != "TiltSeries":
        raise InputError(f"{path} is an .xml of {root.tag!r}; one of a tilt-series of Warp is expected")
    angles = _values(path, root, "Angles", _number, None)
    if angles is None:
        raise InputError(
            f"{path} has no angles (<Angles>); name the .xml of a tilt-series that Warp has imported"
        )
    tilts = angles.size

    def column(tag: str, default: float = 0.0) -> NDArray[np.float64]:
        values = _values(path, root, tag, _number, tilts)
        return np.full(tilts, default) if values is None else values

    used = _values(path, root, "UseTilt", _boolean, tilts)
    shift = np.stack([column("AxisOffsetX"), column("AxisOffsetY")], axis=1)
    unapplied = []
    for axis, letter in enumerate("XY"):
        movement = _read_movement(path, root.find(f"GridMovement{letter}"), tilts)
        shift[:, axis] -= 0 if movement is None else movement
        if movement is None:
            unapplied.append(f"{path} has local movement (GridMovement{letter}), which is not applied")
    warps = [letter for letter in "XYZ" if _nodes(path, root.find(f"GridVolumeWarp{letter}")).any()]
    if warps:
        unapplied.append(
            f"{path} has a deformation of the volume (GridVolumeWarp{warps[0]}), which is not applied"
        )
    if level := _attribute(path, root, "LevelAngleX"):
        unapplied.append(
            f"{path} turns the specimen by {level:g}° about x (LevelAngleX), which is not applied"
        )
    if (correction := root.get("MagnificationCorrection", "")) and not _is_identity(correction):
        unapplied.append(
            f"{path} corrects the magnification of the images (MagnificationCorrection is {correction!r}), which is "
            "not applied"
        )
    movies = tuple(line.strip() for line in (root.findtext("MoviePath") or "").splitlines() if line.strip())
    if len(movies) not in (0, tilts):
        raise InputError(f"{path} has {len(movies)} movies (<MoviePath>) and {tilts} angles; they must agree")
    return WarpSeries(
        path=path,
        angles=angles,
        axis_angles=column("AxisAngle"),
        shift_A=shift,
        is_used=np.ones(tilts, dtype=np.bool_) if used is None else used.astype(np.bool_),
        exposure_before_e_per_A2=_values(path, root, "Dose", _number, tilts),
        movies=movies,
        data_folder=root.get("DataDirectory", ""),
        level_angle_deg=_attribute(path, root, "LevelAngleY"),
        image_size_A=_image_size(root.get("ImageDimensionsAngstrom", "")),
        unapplied=tuple(unapplied),
        ctf=_read_ctf(path, root, angles),
    )


def _read_ctf(path: Path, root: ElementTree.Element, angles: NDArray[np.float64]) -> CtfTable | None:
    """Read the grids of the CTF, a node for each tilt or one for all, or else the element ``CTF``."""
    constants = _parameters(root.find("CTF"))
    tilts = angles.size

    def column(tag: str, name: str) -> NDArray[np.float64]:
        values = _node_by_tilt(path, root.find(tag), tilts)
        return np.full(tilts, constants.get(name, 0.0)) if values is None else values

    defocus = column("GridCTF", "Defocus")
    if not np.nan_to_num(defocus).any():
        return None
    delta = column("GridCTFDefocusDelta", "DefocusDelta")
    table = make_table(
        path,
        DefocusUnit.MICROMETRE,
        [f"tilt {number}" for number in range(1, tilts + 1)],
        defocus + delta / 2,
        defocus - delta / 2,
        column("GridCTFDefocusAngle", "DefocusAngle"),
        180 * column("GridCTFPhase", "PhaseShift"),
    )
    return replace(
        table,
        tilt_angles=angles,
        voltage_kV=constants.get("Voltage"),
        spherical_aberration_mm=constants.get("Cs"),
        amplitude_contrast=constants.get("Amplitude"),
    )


def _parameters(element: ElementTree.Element | None) -> dict[str, float]:
    """Read those parameters of an element that are numbers."""
    values = {}
    for node in () if element is None else element.findall("Param"):
        try:
            values[node.get("Name", "")] = _number(node.get("Value", ""))
        except ValueError:
            continue
    return values


def _node_by_tilt(path: Path, grid: ElementTree.Element | None, tilts: int) -> NDArray[np.float64] | None:
    """Read the node of each tilt, NaN where it is missing; ``None`` without a grid.

    A grid of one node is the same in all tilts; of one that varies over the image, the mean is taken.
    """
    nodes = _nodes(path, grid)
    if grid is None or not nodes.size:
        return None
    if nodes.size == 1:
        return np.full(tilts, nodes[0])
    layers = np.array([_layer(path, node) for node in grid.findall("Node")])
    return np.array(
        [nodes[layers == tilt].mean() if (layers == tilt).any() else np.nan for tilt in range(tilts)]
    )


def _layer(path: Path, node: ElementTree.Element) -> int:
    word = node.get("Z", "0")
    if not word.isdecimal():
        raise InputError(f"{path}: a node of the CTF has the layer Z={word[:40]!r}, which is no number")
    return int(word)


def read_import_folders(path: Path) -> tuple[str, str]:
    """Read the folders of `.tomostar` and `.xml` files from a settings file of WarpTools.

    Parameters
    ----------
    path
        File such as ``warp_tiltseries.settings``.

    Returns
    -------
    data_folder, processing_folder
        Folders as the file has them, relative to it; empty where it does not say.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    root = _parse(path)
    values = {node.get("Name"): node.get("Value") or "" for node in root.findall("./Import/Param")}
    return values.get("DataFolder", ""), values.get("ProcessingFolder", "")


def _parse(path: Path) -> ElementTree.Element:
    text = read_text(path, "Warp's file")
    if len(text) > LARGEST_XML:
        raise InputError(f"Warp's file {path} has {len(text) / 2**20:.0f} MiB; it is not of a tilt-series")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"Warp's file {path} declares a document type, which Warp does not; it is not read")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        line, column = error.position
        raise InputError(
            f"Warp's file {path}, line {line}, column {column}: no valid XML; write it anew"
        ) from None
    except ValueError:  # an encoding other than that of the text
        raise InputError(f"Warp's file {path} is no XML in UTF-8; write it anew") from None


def _values(
    path: Path, root: ElementTree.Element, tag: str, convert: Callable[[str], float], count: int | None
) -> NDArray[np.float64] | None:
    """Read the values of an element, one for each tilt; ``None`` where there is none."""
    words = (root.findtext(tag) or "").split()
    if not words:
        return None
    if count is not None and len(words) != count:
        raise InputError(f"{path} has {len(words)} values in <{tag}> and {count} angles; they must agree")
    values = []
    for number, word in enumerate(words, start=1):
        try:
            values.append(convert(word))
        except ValueError:
            raise InputError(f"{path}, <{tag}>, value {number}: {word[:40]!r} cannot be read") from None
    return np.array(values, dtype=np.float64)


def _number(word: str) -> float:
    value = float(word)
    if not np.isfinite(value):
        raise ValueError(word)
    return value


def _boolean(word: str) -> float:
    return float(("false", "true").index(word.lower()))


def _attribute(path: Path, root: ElementTree.Element, name: str) -> float:
    word = root.get(name, "0")
    try:
        return _number(word)
    except ValueError:
        raise InputError(f"{path}: {name} is {word[:40]!r}, which is no number") from None


def _is_identity(correction: str) -> bool:
    """Tell whether a correction is none: a matrix by rows (Warp 2), or two factors and an angle (Warp 1)."""
    words = [word.strip() for word in correction.split(",")]
    return [float(word) if word.replace(".", "", 1).isdecimal() else None for word in words] in (
        [1.0, 0.0, 0.0, 1.0],
        [1.0, 1.0, 0.0],
    )


def _image_size(text: str) -> tuple[float, float] | None:
    try:
        x, y = (float(word) for word in text.split(","))
    except ValueError:
        return None
    return (x, y) if x > 0 and y > 0 else None


def _nodes(path: Path, grid: ElementTree.Element | None) -> NDArray[np.float64]:
    """Read the values of a grid, in the order of the file."""
    words = [] if grid is None else [node.get("Value", "") for node in grid.findall("Node")]
    try:
        return np.array([_number(word) for word in words], dtype=np.float64)
    except ValueError:
        assert grid is not None
        raise InputError(f"{path}: a value of <{grid.tag}> is no number") from None


def _read_movement(
    path: Path, grid: ElementTree.Element | None, tilts: int
) -> NDArray[np.float64] | float | None:
    """Read a grid of movement in Å that is the same all over each image; ``None`` where it is not."""
    values = _nodes(path, grid)
    if not values.any():
        return 0.0
    assert grid is not None
    whole = grid.get("Width", "1") == grid.get("Height", "1") == "1"
    if whole and values.size == 1:
        return float(values[0])
    if whole and values.size == tilts:
        order = np.argsort([int(node.get("Z", "0")) for node in grid.findall("Node")], kind="stable")
        return values[order]
    return None
