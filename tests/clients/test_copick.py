"""`copick` on exported projects, and its own picks in this package."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import faket_dask
from faket_dask.interchange.export import export
from faket_dask.interchange.importers.particles import ParticleOptions, import_particles
from faket_dask.specimen.particles import ParticleTable, read_particles
from tests.clients.environments import Client

pytestmark = pytest.mark.clients

VOXEL_A = 20.0

READ = """
import json, sys, copick, numpy
root = copick.from_file(sys.argv[1])
runs = {}
for run in root.runs:
    [every] = run.get_segmentations(name="labels", is_multilabel=True)
    [vesicle] = run.get_segmentations(name="vesicle", is_multilabel=False)
    labels = {item.name: item.label for item in root.pickable_objects}
    runs[run.name] = {
        "tomograms": {
            f"{tomogram.tomo_type}@{spacing.voxel_size}": list(tomogram.numpy().shape)
            for spacing in run.voxel_spacings for tomogram in spacing.tomograms
        },
        "labels": list(every.numpy().shape),
        "vesicle_agrees": bool((vesicle.numpy() == (every.numpy() == labels["vesicle"])).all()),
        "vesicle_voxels": int(vesicle.numpy().sum()),
        "picks": {
            picks.pickable_object_name: [array.tolist() for array in picks.numpy()] for picks in run.picks
        },
    }
objects = {item.name: item.is_particle for item in root.pickable_objects}
print(json.dumps({"objects": objects, "runs": runs}))
"""

PICK = """
import json, sys, copick, numpy
root = copick.from_file(sys.argv[1])
run = root.new_run("own")
for user, shift in (("first", 0.0), ("second", 5.0)):
    picks = run.new_picks(object_name="boot", user_id=user, session_id="1")
    transforms = numpy.tile(numpy.eye(4), (2, 1, 1))
    transforms[0, :2, :2] = [[0, -1], [1, 0]]
    transforms[1, :3, 3] = [1, 2, 3]
    picks.from_numpy(numpy.array([[10.0, 20, 30], [40, 50, 60]]) + shift, transforms)
print(json.dumps([run.name for run in root.runs]))
"""


def own_particles(exported: Path, specimen: str) -> ParticleTable:
    """Read the exported table of a specimen's particles; the tomograms have voxels of two of its pixels."""
    return read_particles(exported / f"mrc/{specimen}_particles.csv")


def test_project_holds_tomograms_labels_and_oriented_picks(
    install: Callable[..., Client], exported: Path
) -> None:
    result = install("copick").run(READ, exported / "copick/copick.json")
    assert result["objects"] == {"propeller": True, "boot": True, "vesicle": False, "fiducial": True}
    assert len(result["runs"]) == 2
    for name, run in result["runs"].items():
        assert run["tomograms"] == {f"faket@{VOXEL_A}": run["labels"]}
        assert run["vesicle_agrees"]
        assert run["vesicle_voxels"] > 100
        assert set(run["picks"]) == {"propeller", "boot", "fiducial"}
        table = own_particles(exported, name.split("__")[0])
        for kind, (places, matrices) in run["picks"].items():
            # Orientations name the particles, whose places are given from another corner.
            for place, matrix in zip(places, matrices, strict=True):
                rotation = np.array(matrix)[:3, :3]
                distances = np.abs(table.rotation - rotation).max(axis=(1, 2))
                same = (table.class_name == kind) & (distances < 1e-6)
                offsets = np.abs(table.centre_A[same] - place)
                assert offsets.size
                assert (offsets.max(axis=1) <= VOXEL_A).any()


def test_project_may_move_when_its_root_is_said(
    install: Callable[..., Client], binned_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    client = install("copick")
    moved = tmp_path / "moved"
    list(export(binned_dataset, ["copick"], tmp_path / "out", ["faket"], root=str(moved)))
    (tmp_path / "out/copick").rename(moved)
    runs = client.run(READ, moved / "copick.json")["runs"]
    assert len(runs) == 2
    assert all(run["picks"] for run in runs.values())


def test_picks_by_copick_itself_are_imported(
    install: Callable[..., Client], exported: Path, tmp_path: Path
) -> None:
    """The runs of the export are static, copick's own picks lie in an overlay elsewhere."""
    config = json.loads((exported / "copick/copick.json").read_text())
    config |= {"static_root": config["overlay_root"], "overlay_root": f"local://{tmp_path / 'over'}"}
    path = tmp_path / "configs/project.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))
    runs = install("copick").run(PICK, path)
    assert len(runs) == 3
    with pytest.raises(
        faket_dask.errors.InputError, match="boot by first/1, boot by second/1; choose by --user"
    ):
        import_particles(path, ParticleOptions(name="own"))
    table = import_particles(path, ParticleOptions(name="own", user="second"))
    assert table.centre_A.tolist() == [[15, 25, 35], [46, 57, 68]]
    np.testing.assert_array_equal(table.rotation[0], [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    for run in (exported / "copick/ExperimentRuns").iterdir():
        whole = import_particles(path, ParticleOptions(name=run.name))
        assert set(whole.class_name) == {"propeller", "boot", "fiducial"}
    shutil.rmtree(tmp_path / "over")
    with pytest.warns(UserWarning, match="overlay_root .*, which is not there"):
        assert len(import_particles(path, ParticleOptions(name=run.name))) == len(whole)
