"""Object lists of DeepFinder."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.spatial.transform import Rotation

from faket_dask.formats.deepfinder import write_object_list
from faket_dask.formats.particle_list import ParticleList


def test_object_list_holds_voxels_labels_and_angles(tmp_path: Path) -> None:
    rotation = Rotation.from_euler("ZXZ", [[20, 35, -50], [0, 0, 0]], degrees=True).as_matrix()
    particles = ParticleList(
        class_name=np.array(["boot", "ring"]),
        class_id=np.array([2, 5]),
        instance=np.array([7, 9]),
        centre_A=np.array([[100.0, 50, 25], [0, -1e-5, 0]]),
        rotation=rotation,
    )
    write_object_list(tmp_path / "a_objl.xml", particles, 20.0, tomogram=3)
    root = ElementTree.parse(tmp_path / "a_objl.xml").getroot()
    assert root.tag == "objlist"
    first, second = root
    assert first.attrib == {
        **{"tomo_idx": "3", "obj_id": "7", "class_label": "2", "x": "5.000", "y": "2.500", "z": "1.250"},
        **{"psi": "20.000", "the": "35.000", "phi": "-50.000"},
    }
    assert second.get("y") == second.get("phi") == "0.000"
