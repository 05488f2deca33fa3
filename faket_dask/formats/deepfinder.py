"""Object lists of DeepFinder (Moebel et al., Nat. Methods 18, 2021).

Positions are in voxels from the corner voxel's centre. DeepFinder takes ``psi``, ``the`` and ``phi`` for the rotation
``Rz(psi) Rx(the) Rz(phi)`` from particle to tomogram, which is PyTom's.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from faket_dask.atomic import write_text
from faket_dask.formats.particle_list import Particles, euler_angles


def write_object_list(path: Path, particles: Particles, voxel_size_A: float, tomogram: int = 0) -> None:
    """Write the particles of a tomogram.

    Parameters
    ----------
    path
        File to write, by custom ``<tomogram>_objl.xml``; replaced whole.
    particles
        Particles in Å from the centre of the tomogram's corner voxel.
    voxel_size_A
        Edge of a voxel in Å.
    tomogram
        Index of the tomogram in its folder.
    """
    objects = ElementTree.Element("objlist")
    voxels = particles.centre_A / voxel_size_A
    angles = euler_angles(particles.rotation, "ZXZ")
    for row, class_id in enumerate(particles.class_id):
        numbers = dict(zip(("x", "y", "z", "psi", "the", "phi"), (*voxels[row], *angles[row]), strict=True))
        ElementTree.SubElement(
            objects,
            "object",
            {
                "tomo_idx": str(tomogram),
                "obj_id": str(int(particles.instance[row])),
                "class_label": str(int(class_id)),
                **{name: f"{value:z.3f}" for name, value in numbers.items()},
            },
        )
    ElementTree.indent(objects)
    write_text(path, ElementTree.tostring(objects, encoding="unicode") + "\n")
