"""Projects of copick: details, and agreement with copick itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats import copick
from faket_dask.formats.particle_list import ParticleList
from tests.formats.conftest import (
    INSTALLING_S,
    VOXEL_A,
    Others,
    assert_registered,
    make_phantom,
    reconstruction,
)

OBJECTS = [
    copick.PickableObject("membrane", 1, False, 10),
    copick.PickableObject("big_ribosome 70S", 2, True, 150),
]


def particles() -> ParticleList:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    return ParticleList(
        class_name=np.array(["big_ribosome 70S"] * 2),
        class_id=np.array([2, 2]),
        instance=np.array([3, 4]),
        centre_A=np.array([[10.0, 20, 30], [42, 5, 6.5]]),
        rotation=np.array([turn, turn.T]),
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    volume = rng.standard_normal((12, 70, 66)).astype(np.float32)
    labels = rng.integers(0, 3, (12, 70, 66)).astype(np.uint8)
    copick.write_config(tmp_path, "small", OBJECTS)
    for run in ("a", "b"):
        copick.write_run(tmp_path, run, 9.87654, {"wbp": volume, "noise_free": volume}, labels, particles())
    return tmp_path


def test_names_are_made_safe_for_copick_paths(project: Path) -> None:
    objects = copick.read_objects(project / "copick.json")
    assert [item.name for item in objects] == ["membrane", "big-ribosome-70S"]
    run = project / "ExperimentRuns/a"
    assert sorted(path.name for path in (run / "VoxelSpacing9.877").iterdir()) == [
        "noise-free.zarr",
        "wbp.zarr",
    ]
    assert [path.name for path in (run / "Picks").iterdir()] == ["faketdask_0_big-ribosome-70S.json"]
    assert copick.read_picks(project, "a", objects).class_name.tolist() == ["big-ribosome-70S"] * 2


def test_shift_in_transformation_moves_the_position(project: Path) -> None:
    path = project / "ExperimentRuns/a/Picks/faketdask_0_big-ribosome-70S.json"
    document = json.loads(path.read_text())
    document["points"][0]["transformation_"][0][3] = 2.5
    del document["points"][1]["transformation_"]
    path.write_text(json.dumps(document))
    result = copick.read_picks(project, "a", copick.read_objects(project / "copick.json"))
    assert result.centre_A.tolist() == [[12.5, 20, 30], [42, 5, 6.5]]
    np.testing.assert_array_equal(result.rotation[1], np.eye(3))
    assert result.instance.tolist() == [3, 4]


def test_unusable_projects_are_refused(project: Path) -> None:
    objects = copick.read_objects(project / "copick.json")
    with pytest.raises(InputError, match="has no run 'c'"):
        copick.read_picks(project, "c", objects)
    with pytest.raises(InputError, match="no object 'big-ribosome-70S' in the project's configuration"):
        copick.read_picks(project, "a", objects[:1])
    (project / "copick.json").write_text("{}")
    with pytest.raises(InputError, match="pickable_objects cannot be read"):
        copick.read_objects(project / "copick.json")


@pytest.mark.slow
@pytest.mark.timeout(INSTALLING_S)
def test_copick_and_ome_zarr_read_written_project(project: Path, others: Others) -> None:
    result = others.run("copick_reader.py", project / "copick.json")
    assert result["objects"] == [["membrane", 1, False, 10], ["big-ribosome-70S", 2, True, 150]]
    assert set(result["runs"]) == {"a", "b"}
    run = result["runs"]["a"]
    assert set(run["volumes"]) == {"wbp", "noise-free"}
    assert run["volumes"]["wbp"]["spacing"] == 9.877
    assert run["volumes"]["wbp"]["shape"] == [12, 70, 66]
    volume = np.random.default_rng(0).standard_normal((12, 70, 66)).astype(np.float32)
    np.testing.assert_array_equal(np.load(project / "a_wbp.npy"), volume)
    [picks] = run["picks"].values()
    np.testing.assert_allclose(picks["places"], particles().centre_A)
    np.testing.assert_allclose(np.array(picks["matrices"])[:, :3, :3], particles().rotation)
    labels = run["segmentations"]["labels"]
    assert labels["multilabel"]
    assert (labels["dtype"], labels["shape"]) == ("uint8", [12, 70, 66])
    for levels in result["ome_zarr"].values():
        assert levels["shapes"] == [[12, 70, 66], [6, 35, 33], [3, 18, 17]]
        np.testing.assert_allclose(levels["scales"], [[9.87654 * 2**level] * 3 for level in range(3)])
        assert levels["units"] == ["angstrom"] * 3
    assert len(result["ome_zarr"]) == 3  # names of both runs


@pytest.mark.slow
@pytest.mark.timeout(INSTALLING_S)
@pytest.mark.parametrize("shape", [(40, 100, 90), (41, 101, 91)])
def test_copick_picks_lie_on_their_labels(
    shape: tuple[int, int, int], tmp_path: Path, others: Others
) -> None:
    """In the tomogram, the picks and the segmentation as copick itself reads them."""
    phantom = make_phantom(shape)
    table = phantom.particles
    objects = [copick.PickableObject("4V94", 1, True, 150), copick.PickableObject("1BXN", 4, True, 80)]
    copick.write_config(tmp_path, "phantom", objects)
    volume = reconstruction(phantom.stack, phantom.geometry, shape[0])
    copick.write_run(tmp_path, "p", VOXEL_A, {"wbp": volume}, phantom.class_mask, table)
    result = others.run("copick_reader.py", tmp_path / "copick.json")["runs"]["p"]["picks"]
    names = [name for name, picks in result.items() for _ in picks["places"]]
    labels = {item.name: item.label for item in objects}
    picks = ParticleList(
        class_name=np.array(names),
        class_id=np.array([labels[name] for name in names]),
        instance=np.arange(1, len(names) + 1),
        centre_A=np.concatenate([picks["places"] for picks in result.values()]),
        rotation=np.concatenate([picks["matrices"] for picks in result.values()])[:, :3, :3],
    )
    assert len(picks) == len(table)
    assert_registered(np.load(tmp_path / "p_wbp.npy"), picks)
    x, y, z = (picks.centre_A / VOXEL_A).round().astype(int).T
    assert np.load(tmp_path / "p_labels.npy")[z, y, x].tolist() == picks.class_id.tolist()
