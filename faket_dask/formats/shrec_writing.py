"""Write the folder layout of the SHREC 2021 data set; the conventions are those of `shrec`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.particle_list import Particles, euler_angles
from faket_dask.formats.shrec import ALIGNMENT, ALIGNMENT_FILE, VOLUMES, class_ids
from faket_dask.geometry import TiltGeometry

_UNITS = ("px", "px", "degrees", "degrees", "", "")


def write_model(
    folder: Path,
    geometry: TiltGeometry,
    particles: Particles,
    volumes: Mapping[str, ArrayLike3D],
    stacks: Mapping[str, tuple[tuple[int, int, int], Iterable[NDArray[Any]]]],
) -> None:
    """Write one ``model_N`` folder.

    Parameters
    ----------
    folder
        Folder to write to; made where it does not exist.
    geometry
        Tilt angles and pixel size, which is that of the voxels too.
    particles
        Labelled particles, in Å from the corner voxel of `volumes`; they are numbered anew from 1 in the order of
        their instances. Positions are rounded to whole voxels, as the format has it.
    volumes
        ``(z, y, x)`` arrays of one shape, in memory or on disk, any of ``grandmodel``, ``class_mask``,
        ``occupancy_mask`` and ``reconstruction``; at most as deep as they are wide. They are stored as cubes with
        layer ``Z // 2`` at ``N // 2``, masks as uint16. Class ids become SHREC's; instances that are not among
        the particles become 0.
    stacks
        Shape and tilts of each modality; ``projections_<modality>.mrc`` is written, or ``projections.mrc`` for
        an empty name.

    Raises
    ------
    ValueError
        If a volume is deeper than wide, or the volumes differ in shape.
    """
    shapes = {tuple(volume.shape) for volume in volumes.values()}
    if len(shapes) != 1:
        raise ValueError(f"the volumes of a SHREC model must have one shape, got {sorted(shapes)}")
    (shape,) = shapes
    depth, _, width = shape
    if depth > width:
        raise ValueError(
            f"SHREC volumes are cubes; a volume of {depth} layers is deeper than its width {width}"
        )
    below = width // 2 - depth // 2
    order = np.argsort(particles.instance, kind="stable")
    names = [str(name) for name in particles.class_name[order]]
    ids = class_ids(names)
    tables = {
        "class_mask": _lookup(particles.class_id[order], np.array([ids[name] for name in names], dtype=int)),
        "occupancy_mask": _lookup(particles.instance[order], np.arange(1, order.size + 1)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, volume in volumes.items():
        if name not in VOLUMES:
            raise ValueError(f"a SHREC model has no volume {name!r}; it has {', '.join(VOLUMES)}")
        write_volume(folder / f"{name}.mrc", _Cube(volume, tables.get(name)), geometry.pixel_size_A)
    for modality, (size, tilts) in stacks.items():
        path = folder / f"projections{'_' if modality else ''}{modality}.mrc"
        write_stack(path, tilts, size, geometry.pixel_size_A)
    voxels = np.rint(particles.centre_A[order] / geometry.pixel_size_A).astype(int)
    voxels[:, 2] += below
    angles = euler_angles(particles.rotation[order], "ZXZ")
    lines = []
    for name, voxel, row in zip(names, voxels, angles, strict=True):
        oriented = " ".join("NaN" if name == "vesicle" else f"{angle:z.4f}" for angle in row)
        lines.append(f"{name} {voxel[0]} {voxel[1]} {voxel[2]} {oriented}\n")
    write_text(folder / "particle_locations.txt", "".join(lines))
    table = "".join(f"{name} {number}\n" for name, number in ids.items())
    write_text(folder / "class_conversion_table.txt", f"background 0\n{table}")
    header = "".join(
        f"# {name} {f'({unit})' if unit else ''}".rstrip() + "\n"
        for name, unit in zip(ALIGNMENT, _UNITS, strict=True)
    )
    rows = "".join(
        f"{0:12.5f} {0:12.5f} {angle:z12.5f} {0:12.5f} {1:12.5f} projection_{number:03d}.mrc\n"
        for number, angle in enumerate(geometry.tilt_angles)
    )
    write_text(folder / ALIGNMENT_FILE, header + rows)


class _Cube:
    """Slab as a cube with empty layers around it, its labels exchanged by a table."""

    def __init__(self, slab: ArrayLike3D, table: NDArray[np.uint16] | None) -> None:
        depth, height, width = slab.shape
        self._slab, self._table, self._below = slab, table, width // 2 - depth // 2
        self.shape = (width, height, width)
        self.dtype = np.dtype(np.float32 if table is None else np.uint16)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        block = np.asarray(self._slab[key])
        if self._table is not None:
            known = np.clip(block, 0, self._table.size - 1).astype(np.int64)
            block = np.where(known == block, self._table[known], 0)
        cube = np.zeros((self.shape[0], *block.shape[1:]), dtype=self.dtype)
        cube[self._below : self._below + block.shape[0]] = block
        return cube


def _lookup(old: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Make a table of new labels by old label, 0 for labels that are not listed."""
    table = np.zeros(int(old.max(initial=0)) + 1, dtype=np.uint16)
    table[old] = new
    table[0] = 0
    return table
