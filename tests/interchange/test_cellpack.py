"""Results of cellPACK become specimens; the fixtures follow published results and their readers."""

import json
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.interchange.importers.base import ForeignSpecimen, SpecimenOptions
from faket_dask.interchange.importers.cellpack import CellpackImporter
from faket_dask.interchange.importers.specimens import import_specimen, recognise
from faket_dask.specimen.particles import read_particles
from tests.interchange.foreign_specimens import rotate
from tests.specimen.pdb import write_pdb

VOXEL_A = 8.0
OPTIONS = SpecimenOptions(voxel_size_A=VOXEL_A)
# Three arms of different lengths, which no mirror image matches; off the origin.
ARMS = np.array([40.0, -20.0, 10.0]) + np.array([[0.0, 0, 0], [60, 0, 0], [0, 40, 0], [0, 0, 25]])


def make_atoms() -> np.ndarray:
    """Make balls of carbon atoms at the ends of the arms, ``(n, 3)``."""
    rng = np.random.default_rng(0)
    ball = rng.normal(scale=5, size=(300, 3))
    return np.concatenate([arm + ball for arm in ARMS]).round(3)


def write_result(folder: Path, ingredient: dict, results: list, name: str = "arms") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_pdb(folder / "arms.pdb", [("C", *place) for place in make_atoms().tolist()])
    entry = {"name": name, "source": {"pdb": "arms.pdb", "bu": "AU"}, "results": results, **ingredient}
    document = {
        "recipe": {"name": "root", "version": "1.0"},
        "cytoplasme": {"ingredients": {}},
        "compartments": {"shell": {"interior": {"ingredients": {name: entry}}}},
    }
    path = folder / "model.json"
    path.write_text(json.dumps(document))
    return path


def make_poses(count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    quaternions = rng.normal(size=(count, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    return quaternions, np.array([[-100.0, 0, 40], [120, 90, -30], [10, -130, 0]])[:count]


def read_places(specimen: ForeignSpecimen) -> tuple[np.ndarray, np.ndarray]:
    """Read the masks: instances (z, y, x), and density."""
    height = specimen.density.shape[1]
    return specimen.instance_mask.rows(0, height), specimen.density.rows(0, height)


def assert_atoms_lie_in_density(specimen: ForeignSpecimen, atoms: list[np.ndarray]) -> None:
    """Assert that the atoms of each object, (n, 3) in the model, lie in its instance, up to one common shift."""
    instances, density = read_places(specimen)
    shift = specimen.table.centre_A.mean(axis=0) - np.mean([place.mean(axis=0) for place in atoms], axis=0)
    for number, place in enumerate(atoms, start=1):
        x, y, z = np.rint((place + shift) / VOXEL_A).astype(int).T
        assert (instances[z, y, x] == number).mean() > 0.6
        assert density[z, y, x].mean() > 5 * density.mean()


@pytest.mark.parametrize("legacy", [True, False])
def test_structures_lie_where_the_result_says(tmp_path: Path, legacy: bool) -> None:
    quaternions, shifts = make_poses()
    order = [0, 1, 2, 3] if legacy else [1, 2, 3, 0]
    results = [[s.tolist(), q[order].tolist()] for q, s in zip(quaternions, shifts, strict=True)]
    ingredient = {} if legacy else {"offset": [5, 0, 30], "principalAxis": [0, 1, 0]}
    path = write_result(tmp_path, ingredient, results)
    specimen = CellpackImporter().open(path, OPTIONS)
    atoms = make_atoms()
    if not legacy:
        atoms = atoms - atoms.mean(axis=0) + [5, 0, 30]
        atoms = atoms @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T  # y to z, about x
    expected = [rotate(q, atoms) + s for q, s in zip(quaternions, shifts, strict=True)]
    assert_atoms_lie_in_density(specimen, expected)
    assert specimen.table.counts() == {"arms": 3}


def test_matrices_are_rotations_from_particle_to_model(tmp_path: Path) -> None:
    quaternions, shifts = make_poses()
    matrices = [np.eye(4) for _ in quaternions]
    for matrix, quaternion in zip(matrices, quaternions, strict=True):
        matrix[:3, :3] = np.transpose(rotate(quaternion, np.eye(3)))
    results = [[s.tolist(), m.tolist()] for m, s in zip(matrices, shifts, strict=True)]
    specimen = CellpackImporter().open(write_result(tmp_path, {}, results), OPTIONS)
    expected = [rotate(q, make_atoms()) + s for q, s in zip(quaternions, shifts, strict=True)]
    assert_atoms_lie_in_density(specimen, expected)


def test_beads_stand_for_a_structure_that_is_absent(tmp_path: Path) -> None:
    quaternions, shifts = make_poses()
    results = [[s.tolist(), q.tolist()] for q, s in zip(quaternions, shifts, strict=True)]
    beads = {"positions": [{"coords": ARMS.ravel().tolist()}], "radii": [{"radii": [18] * 4}]}
    path = write_result(tmp_path, beads, results)
    (tmp_path / "arms.pdb").unlink()
    with pytest.warns(UserWarning, match=r"1 of 1 ingredients have no file .* made of beads, arms\.pdb"):
        specimen = CellpackImporter().open(path, OPTIONS)
    expected = [rotate(q, make_atoms()) + s for q, s in zip(quaternions, shifts, strict=True)]
    assert_atoms_lie_in_density(specimen, expected)


def test_result_becomes_a_specimen_on_disk(tmp_path: Path) -> None:
    path = write_result(tmp_path / "model", {}, [[[0, 0, 0], [1, 0, 0, 0]]])
    assert recognise(path) == "cellpack"
    written = list(import_specimen(path, tmp_path / "own", OPTIONS))
    assert [item.name for item in written] == [
        "density.mrc",
        "class_mask.mrc",
        "instance_mask.mrc",
        "particles.csv",
    ]
    assert read_particles(tmp_path / "own/particles.csv").counts() == {"arms": 1}


@pytest.mark.parametrize(
    ("results", "extra", "message"),
    [
        ([], {}, r"1 ingredients and no results; it may be a recipe"),
        ([[[0, 0], [1, 0, 0, 0]]], {}, r"'arms', result 1: position is '\[0, 0\]'; expected 3 numbers"),
        (
            [[[0, 0, 0], [1, 0, 0, 0]], [[0, 0, 0], [1, 1, 0, 0]]],
            {},
            r"result 2: rotation .* no unit quaternion",
        ),
        ([[[0, 0, 0], [[1, 0, 0], [0, 1, 0], [0, 0, -1]]]], {}, r"result 1: .* mirrors as well"),
        ([[[0, 0, 0]]], {}, "result 1 is .*; expected a position and a rotation"),
        ([[[0, 0, 9e9], [1, 0, 0, 0]]], {}, "result 1: position .* at most 1e"),
        (
            [[[0, 0, 0], [1, 0, 0, 0]], [[9e5, 0, 0], [1, 0, 0, 0]]],
            {},
            r"measures 9.*e\+05 x .* Å, and a volume has at most",
        ),
        (
            [[[0, 0, 0], [1, 0, 0, 0]]],
            {"source": {"pdb": "none.pdb"}},
            r"no beads, and its structure 'none\.pdb'",
        ),
        (
            [[[0, 0, 0], [1, 0, 0, 0]]],
            {"source": {"pdb": "arms.pdb", "selection": ":Q"}},
            "none of the chains Q",
        ),
        ([[[0, 0, 0], [1, 0, 0, 0]]], {"principalAxis": [0, 0, 0]}, "principalAxis has no length"),
        (
            [[[0, 0, 0], [1, 0, 0, 0]]],
            {"positions": [{"coords": [1, 2]}], "radii": [{"radii": [3]}]},
            "2 coordinates and 1 radii of beads",
        ),
    ],
)
def test_damaged_results_are_refused(tmp_path: Path, results: list, extra: dict, message: str) -> None:
    path = write_result(tmp_path, extra, results)
    with pytest.raises(InputError, match=message) as caught:
        CellpackImporter().open(path, OPTIONS)
    assert "model.json" in str(caught.value)


def test_cut_file_and_missing_voxel_size_are_refused(tmp_path: Path) -> None:
    path = write_result(tmp_path, {}, [[[0, 0, 0], [1, 0, 0, 0]]])
    with pytest.raises(InputError, match=r"model\.json has no voxels; give the size"):
        CellpackImporter().open(path, SpecimenOptions())
    path.write_text(path.read_text()[:-40])
    with pytest.raises(InputError, match=r"model\.json is not readable: .*; copy it again"):
        CellpackImporter().open(path, OPTIONS)


def test_small_classes_go_without_labels(tmp_path: Path) -> None:
    path = write_result(tmp_path, {}, [[[0, 0, 0], [1, 0, 0, 0]]])
    document = json.loads(path.read_text())
    document["cytoplasme"]["ingredients"]["bead"] = {
        "source": {"pdb": None},
        "positions": [{"coords": [0, 0, 0]}],
        "radii": [{"radii": [9]}],
        "results": [[[150, 0, 0], [1, 0, 0, 0]]],
    }
    path.write_text(json.dumps(document))
    with pytest.warns(UserWarning, match="1 of 2 classes are imaged and have no labels, 1 of them since"):
        specimen = CellpackImporter().open(path, SpecimenOptions(voxel_size_A=30.0))
    assert specimen.table.class_id.tolist() == [0, 1]
    assert specimen.table.labelled().counts() == {"arms": 1}
