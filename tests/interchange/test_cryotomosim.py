"""Models of CryoTomoSim become specimens; the fixtures follow the source of the program."""

from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_volume
from faket_dask.interchange.importers.specimens import import_specimen, recognise
from faket_dask.specimen.particles import read_particles
from tests.interchange.foreign_specimens import VOXEL_A, Scene, make_scene, write_cryotomosim, write_mrc


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene()


def test_model_becomes_a_specimen_without_orientations(scene: Scene, tmp_path: Path) -> None:
    write_cryotomosim(tmp_path / "model", scene)
    assert recognise(tmp_path / "model") == "cryotomosim"
    with pytest.warns(
        UserWarning, match="records no orientations; the rotations in the table are the identity"
    ):
        list(import_specimen(tmp_path / "model", tmp_path / "own"))
    table = read_particles(tmp_path / "own/particles.csv")
    assert table.counts() == {"one": 2, "two": 3, "beads": 1}
    order = np.argsort(scene.labels, kind="stable")
    np.testing.assert_allclose(table.centre_A[:5], scene.centres[order] * VOXEL_A)
    np.testing.assert_allclose(table.centre_A[5], np.array([31.5, 47.5, 11.5]) * VOXEL_A)
    np.testing.assert_array_equal(table.rotation, np.tile(np.eye(3), (6, 1, 1)))
    instances = open_volume(tmp_path / "own/instance_mask.mrc").rows(0, 90)
    expected = np.concatenate(([0], np.argsort(order) + 1))[scene.instances]
    assert (instances == expected)[scene.instances > 0].mean() > 0.99


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("zcoords_one.csv", "1,2\n", r"zcoords_one\.csv, line 1: expected x,y,z, found '1,2'"),
        ("zcoords_one.csv", "29,31,14\n29,nan,13\n", r"zcoords_one\.csv, line 2: expected x,y,z"),
        (
            "zcoords_one.csv",
            "29,31,14\n12,14,12\n",
            "1 of 5 particles of the list lie further than 10 voxels",
        ),
        ("zcoords_three.csv", "1,1,1\n", "positions of 'three', which is none of one, two, beads"),
        (
            "sim_dose_60/Atlas.txt",
            "background\none\ntwo\n",
            r"have 64 voxels of 3, and the list has nothing of it",
        ),
        ("sim_dose_60/Atlas.txt", "one\none\n", "2 lines; expected the background and up to 255 classes"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*no orientations")
def test_files_that_disagree_are_refused(
    scene: Scene, tmp_path: Path, file: str, text: str, message: str
) -> None:
    write_cryotomosim(tmp_path, scene)
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError, match=message):
        list(import_specimen(tmp_path, tmp_path / "own"))
    assert not (tmp_path / "own").exists()


def test_model_needs_one_density_and_one_atlas(scene: Scene, tmp_path: Path) -> None:
    write_cryotomosim(tmp_path, scene)
    write_mrc(tmp_path / "sim_dose_60/Atlas.mrc", scene.classes[1:])
    with pytest.raises(InputError, match=r"Atlas\.mrc has the shape .*; they must agree"):
        list(import_specimen(tmp_path, tmp_path / "own"))
    write_mrc(tmp_path / "sim_dose_90/Atlas_b.mrc", scene.classes)
    with pytest.raises(InputError, match="an atlas in sim_dose_60, sim_dose_90; name one by --name"):
        list(import_specimen(tmp_path, tmp_path / "own"))
    for path in tmp_path.glob("*/Atlas*.mrc"):
        path.unlink()
    with pytest.raises(InputError, match=r"no Atlas\*\.mrc, here or in a folder of it"):
        list(import_specimen(tmp_path, tmp_path / "own"))
