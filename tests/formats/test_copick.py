"""Projects of copick: details, and agreement with copick itself."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.formats import copick, copick_writing, ome_zarr
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
RIBOSOMES = "faketdask_0_big-ribosome-70S.json"


def particles(names: tuple[str, str] = ("big_ribosome 70S", "big_ribosome 70S")) -> ParticleList:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    return ParticleList(
        class_name=np.array(names),
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
    copick_writing.write_config(tmp_path, "small", OBJECTS)
    volumes = {"wbp": volume, "noise_free": volume}
    for run in ("a", "b"):
        copick_writing.write_run(tmp_path, run, 9.87654, volumes, labels, particles(), OBJECTS)
    return tmp_path


def write_picks(root: Path, name: str, x: float = 1, run: str = "a", **changes: Any) -> Path:
    """Write picks ``USER_SESSION_OBJECT`` of one point."""
    user, session, item = name.split("_")
    path = root / "ExperimentRuns" / run / "Picks" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {"pickable_object_name": item, "user_id": user, "session_id": session, "unit": "angstrom"}
    points = [{"location": {"x": x, "y": 2, "z": 3}}]
    path.write_text(json.dumps({**fields, "points": points, **changes}))
    return path


def write_config(folder: Path, **fields: Any) -> Path:
    """Write a configuration with the objects ribosome and proteasome."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = [
        {"name": name, "is_particle": True, "label": label}
        for label, name in enumerate(("ribosome", "proteasome"), start=1)
    ]
    path = folder / "copick.json"
    path.write_text(json.dumps({"pickable_objects": objects, **fields}))
    return path


def read_x(config: Path, run: str = "a", **choice: str) -> list[float]:
    project = copick.open_project(config)
    picks = copick.read_picks(project, copick.choose_picks(project, run, **choice))
    return picks.centre_A[:, 0].tolist()


def test_names_are_made_safe_for_copick_paths(project: Path) -> None:
    opened = copick.open_project(project / "copick.json")
    assert [item.name for item in opened.objects] == ["membrane", "big-ribosome-70S"]
    run = project / "ExperimentRuns/a"
    assert sorted(path.name for path in (run / "VoxelSpacing9.877").iterdir()) == [
        "noise-free.zarr",
        "wbp.zarr",
    ]
    assert [path.name for path in (run / "Picks").iterdir()] == [RIBOSOMES]
    [chosen] = copick.choose_picks(opened, "a")
    assert copick.read_picks(opened, [chosen]).class_name.tolist() == ["big-ribosome-70S"] * 2


@pytest.mark.parametrize("names", [("a_b", "a-b"), ("a", "_a"), ("a", "!")])
def test_classes_without_a_name_of_their_own_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    objects = [copick.PickableObject(name, label, True, 10) for label, name in enumerate(names, start=1)]
    with pytest.raises(InputError, match=r"copick has (one|no) name"):
        copick_writing.write_config(tmp_path, "small", objects)
    assert not list(tmp_path.iterdir())


def test_particles_are_picked_and_membranes_segmented(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (5, 70, 66)).astype(np.uint8)
    table = particles(("membrane", "big_ribosome 70S"))
    copick_writing.write_run(tmp_path, "a", 10, {}, labels, table, OBJECTS)
    run = tmp_path / "ExperimentRuns/a"
    assert [path.name for path in (run / "Picks").iterdir()] == [RIBOSOMES]
    assert sorted(path.name for path in (run / "Segmentations").iterdir()) == [
        "10.000_faketdask_0_labels-multilabel.zarr",
        "10.000_faketdask_0_membrane.zarr",
    ]
    membrane = ome_zarr.open_volume(run / "Segmentations/10.000_faketdask_0_membrane.zarr").data[...]
    assert membrane.dtype == np.uint8
    np.testing.assert_array_equal(membrane, labels == 1)
    attributes = json.loads(
        (run / "Segmentations/10.000_faketdask_0_labels-multilabel.zarr/.zattrs").read_text()
    )
    colours = {item["label-value"]: item["rgba"] for item in attributes["image-label"]["colors"]}
    copick_writing.write_config(tmp_path, "small", OBJECTS)
    config = json.loads((tmp_path / "copick.json").read_text())
    assert colours == {item["label"]: item["color"] for item in config["pickable_objects"]}


def test_octopi_finds_the_labels_of_all_classes(tmp_path: Path) -> None:
    path = copick_writing.write_octopi_targets(tmp_path, OBJECTS)
    assert path == tmp_path / "logs/targets-faketdask_0_labels.yaml"
    assert yaml.safe_load(path.read_text())["input"]["labels"] == {"membrane": 1, "big-ribosome-70S": 2}


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (None, "local://{written}"),
        ("/data/project", "local:///data/project"),
        ("elsewhere", "local://{here}/elsewhere"),
        ("s3://bucket/project", "s3://bucket/project"),
    ],
)
def test_configuration_names_the_place_of_the_project(
    tmp_path: Path, root: str | None, expected: str
) -> None:
    path = copick_writing.write_config(tmp_path / "out", "small", OBJECTS, root)
    overlay = json.loads(path.read_text())["overlay_root"]
    assert overlay == expected.format(written=tmp_path / "out", here=Path.cwd())


@pytest.mark.parametrize("scheme", ["", "local://", "file://"])
@pytest.mark.parametrize("place", ["absolute", "relative", "home"])
def test_picks_lie_where_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, place: str
) -> None:
    write_picks(tmp_path / "over", "u_s_ribosome", x=7)
    monkeypatch.setenv("HOME", str(tmp_path))
    roots = {"absolute": str(tmp_path / "over"), "relative": "../over", "home": "~/over"}
    config = write_config(tmp_path / "configs", overlay_root=scheme + roots[place])
    assert read_x(config) == [7]


def test_relative_root_is_of_the_configuration_before_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path / "configs", overlay_root="local://over")
    write_picks(tmp_path / "over", "u_s_ribosome", x=1)
    monkeypatch.chdir(tmp_path)
    assert read_x(config) == [1]
    write_picks(tmp_path / "configs/over", "u_s_ribosome", x=2)
    with pytest.warns(
        UserWarning, match="overlay_root over of .* is .*configs/over from its folder and .* the first"
    ):
        assert read_x(config) == [2]


def test_picks_of_both_roots_are_read(tmp_path: Path) -> None:
    write_picks(tmp_path / "static", "u_s_ribosome", x=1)
    write_picks(tmp_path / "static", "u_s_proteasome", x=2)
    write_picks(tmp_path / "static", "u_s_ribosome", x=2, run="b")
    config = write_config(tmp_path, overlay_root=str(tmp_path / "over"), static_root=str(tmp_path / "static"))
    with pytest.warns(UserWarning, match="names overlay_root .*over, which is not there"):
        assert read_x(config) == [2, 1]
    write_picks(tmp_path / "over", "u_s_ribosome", x=3)
    with pytest.warns(UserWarning, match=r"ribosome by u/s in .*over.* and in .*static.*; the first"):
        assert read_x(config) == [2, 3]
    assert copick.open_project(config).runs() == ["a", "b"]


def test_tree_beside_the_configuration_is_not_taken_for_the_one_it_names(tmp_path: Path) -> None:
    write_picks(tmp_path / "configs", "u_s_ribosome", x=1)
    config = write_config(tmp_path / "configs", overlay_root=str(tmp_path / "over"))
    with pytest.raises(
        InputError, match=r"overlay_root .*over, without ExperimentRuns; set it to .*configs$"
    ):
        copick.open_project(config)
    write_picks(tmp_path / "over", "u_s_ribosome", x=2)
    with pytest.warns(UserWarning, match=r"configs/ExperimentRuns beside .* is not read, .* names .*over"):
        assert read_x(config) == [2]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"overlay_root": "s3://bucket/p"},
            "overlay_root s3://bucket/p, of which only local folders are read",
        ),
        ({"overlay_root": "simplecache::s3://bucket/p"}, "only local folders are read; copy it"),
        ({}, "names no overlay_root"),
        ({"overlay_root": 3}, "overlay_root is 3, not a folder"),
        ({"overlay_root": "~nobody-of-that-name/x"}, "its folders cannot be looked for"),
        ({"overlay_root": "x", "config_type": "smb"}, "config_type is 'smb'; it must be one of filesystem"),
        ({"overlay_root": "x" * 5000}, "its folders cannot be looked for"),
    ],
)
def test_roots_that_cannot_be_read_are_refused(tmp_path: Path, fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        copick.open_project(write_config(tmp_path, **fields))


def test_remote_picks_are_not_left_out_silently(tmp_path: Path) -> None:
    write_picks(tmp_path / "over", "u_s_ribosome", x=1)
    config = write_config(tmp_path, overlay_root=str(tmp_path / "over"), static_root="ssh://host/p")
    with pytest.warns(UserWarning, match="no picks are read from static_root ssh://host/p"):
        assert read_x(config) == [1]
    config = write_config(tmp_path, overlay_root=str(tmp_path / "over"), config_type="cryoet_data_portal")
    with pytest.warns(UserWarning, match="only the picks in its overlay_root are read"):
        assert read_x(config) == [1]


def test_one_set_of_each_object_is_chosen(tmp_path: Path) -> None:
    for x, name in enumerate(
        ("faketdask_0_ribosome", "octopi_1_ribosome", "octopi_1_proteasome", "octopi_2_ribosome")
    ):
        write_picks(tmp_path, name, x=x)
    config = write_config(tmp_path, overlay_root=str(tmp_path))
    several = r"several sets .*, ribosome by faketdask/0, ribosome by octopi/1, ribosome by octopi/2; choose by --user"
    with pytest.raises(InputError, match=several):
        read_x(config)
    assert read_x(config, user="faketdask") == [0]
    assert read_x(config, user="octopi", session="1") == [2, 1]
    assert read_x(config, object_name="proteasome") == [2]
    with pytest.raises(InputError, match="ribosome by octopi/1, ribosome by octopi/2; choose"):
        read_x(config, user="octopi", object_name="ribosome")
    with pytest.raises(
        InputError,
        match=r"no picks of user 'nobody'; there are ribosome by faketdask/0, proteasome by octopi/1",
    ):
        read_x(config, user="nobody")


class FewPicks(copick.CopickProject):
    """Project with given sets of picks, which need no files."""

    def __init__(self, sets: list[copick.PickSet]) -> None:
        super().__init__(Path("copick.json"), (), (Path("over"),))
        object.__setattr__(self, "sets", sets)

    def picks(self, run: str) -> list[copick.PickSet]:
        return self.sets


PICK_SETS = st.builds(
    copick.PickSet,
    st.sampled_from(["u", "v"]),
    st.sampled_from(["0", "1"]),
    st.sampled_from(["a", "b", "c"]),
    st.just(Path("a.json")),
)


@given(
    st.lists(PICK_SETS, unique=True),
    st.fixed_dictionaries(
        {}, optional={"user": st.just("u"), "session": st.just("1"), "object_name": st.just("a")}
    ),
)
def test_chosen_sets_are_all_that_match_or_an_error(
    sets: list[copick.PickSet], choice: dict[str, str]
) -> None:
    match = [item for item in sets if all(getattr(item, key) == value for key, value in choice.items())]
    objects = [item.object_name for item in match]
    if match and len(set(objects)) == len(objects):
        assert copick.choose_picks(FewPicks(sets), "a", **choice) == match
    else:
        with pytest.raises(
            InputError, match="no picks" if not match else "several sets of picks of one object"
        ):
            copick.choose_picks(FewPicks(sets), "a", **choice)


def test_shift_in_transformation_moves_the_position(project: Path) -> None:
    path = project / "ExperimentRuns/a/Picks" / RIBOSOMES
    document = json.loads(path.read_text())
    document["points"][0]["transformation_"][0][3] = 2.5
    document["points"][1]["transformation_"] = None
    path.write_text(json.dumps(document))
    opened = copick.open_project(project / "copick.json")
    result = copick.read_picks(opened, copick.choose_picks(opened, "a"))
    assert result.centre_A.tolist() == [[12.5, 20, 30], [42, 5, 6.5]]
    np.testing.assert_array_equal(result.rotation[1], np.eye(3))
    assert result.instance.tolist() == [3, 4]


def test_orientations_that_are_not_to_be_trusted_are_left_out(project: Path) -> None:
    path = project / "ExperimentRuns/a/Picks" / RIBOSOMES
    path.write_text(path.read_text().replace('"trust_orientation": true', '"trust_orientation": false'))
    opened = copick.open_project(project / "copick.json")
    with pytest.warns(UserWarning, match="trust_orientation is false"):
        result = copick.read_picks(opened, copick.choose_picks(opened, "a"))
    np.testing.assert_array_equal(result.rotation, [np.eye(3)] * 2)
    assert result.centre_A.tolist() == [[10, 20, 30], [42, 5, 6.5]]


def test_file_name_is_believed_and_its_contradiction_said(tmp_path: Path) -> None:
    config = write_config(tmp_path, overlay_root=str(tmp_path))
    write_picks(tmp_path, "u_s_ribosome", pickable_object_name="proteasome")
    opened = copick.open_project(config)
    with pytest.warns(
        UserWarning, match="pickable_object_name is 'proteasome', and the file's name has 'ribosome'"
    ):
        result = copick.read_picks(opened, copick.choose_picks(opened, "a"))
    assert (result.class_name.tolist(), result.class_id.tolist()) == (["ribosome"], [1])


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("u_s_ribosome", {"unit": "pixel"}, "positions are in 'pixel'; convert them to angstrom"),
        ("u_s_ribosome", {"points": [{"location": {"x": 1, "y": 2}}]}, "cannot be read"),
        (
            "u_s_ribosome",
            {"points": [{"location": {"x": 1, "y": 2, "z": 3}, "transformation_": [[2, 0, 0, 0]] * 4}]},
            "last row",
        ),
        ("u_s_actin", {}, "no object 'actin' in .*copick.json; add it to pickable_objects"),
    ],
)
def test_unusable_picks_are_refused(tmp_path: Path, name: str, changes: dict, message: str) -> None:
    config = write_config(tmp_path, overlay_root=str(tmp_path))
    write_picks(tmp_path, name, **changes)
    with pytest.raises(InputError, match=message):
        read_x(config)


def test_unusable_projects_are_refused(project: Path) -> None:
    config = project / "copick.json"
    with pytest.raises(InputError, match="has no run 'c'"):
        read_x(config, run="c")
    os.rename(
        project / "ExperimentRuns/a/Picks" / RIBOSOMES, project / "ExperimentRuns/a/Picks/ribosome.json"
    )
    with pytest.raises(
        InputError, match=r"ribosome.json: the name has 1 parts; rename it to USER_SESSION_OBJECT"
    ):
        read_x(config)
    os.remove(project / "ExperimentRuns/a/Picks/ribosome.json")
    with pytest.raises(InputError, match="run a: there are no picks in"):
        read_x(config)
    document = json.loads(config.read_text())
    document["pickable_objects"][0]["label"] = 2
    config.write_text(json.dumps(document))
    with pytest.raises(InputError, match="membrane and big-ribosome-70S have one label, 2"):
        read_x(config, run="b")
    config.write_text(json.dumps({"overlay_root": str(project)}))
    with pytest.raises(InputError, match="pickable_objects cannot be read"):
        copick.open_project(config)


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
    assert not run["segmentations"]["membrane"]["multilabel"]
    assert (labels["dtype"], labels["shape"]) == ("uint8", [12, 70, 66])
    for levels in result["ome_zarr"].values():
        assert levels["shapes"] == [[12, 70, 66], [6, 35, 33], [3, 18, 17]]
        np.testing.assert_allclose(levels["scales"], [[9.87654 * 2**level] * 3 for level in range(3)])
        assert levels["units"] == ["angstrom"] * 3
    assert len(result["ome_zarr"]) == 4  # names of both runs


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
    copick_writing.write_config(tmp_path, "phantom", objects)
    volume = reconstruction(phantom.stack, phantom.geometry, shape[0])
    copick_writing.write_run(tmp_path, "p", VOXEL_A, {"wbp": volume}, phantom.class_mask, table, objects)
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
