"""`faket-dask score`: lists of all formats, agreement of names and frames, and the three scorers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.cli.console import BAD_INPUT
from faket_dask.formats import copick_writing, portal
from faket_dask.formats.copick import PickableObject
from faket_dask.formats.mrc import write_volume
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram
from faket_dask.formats.relion5_writing import write_project
from faket_dask.geometry import TiltGeometry
from faket_dask.interchange.export import export
from faket_dask.specimen.particles import ParticleTable, make_table

VOXEL_A = 10.0
SHAPE = (40, 80, 80)
NAMES = ("ribosome", "boot")


def make_truth(count: int = 24, seed: int = 0) -> ParticleTable:
    """Place particles of two classes on a lattice of 160 Å, which no two balls of 60 Å share."""
    rng = np.random.default_rng(seed)
    lattice = np.stack(np.meshgrid(*[np.arange(5)] * 2, [1], indexing="ij"), axis=-1).reshape(-1, 3)
    centres = lattice[rng.permutation(len(lattice))[:count]] * 160.0 + [60, 60, 40]
    ids = 1 + np.arange(count) % 2
    table = make_table([NAMES[number - 1] for number in ids], ids, centres, np.tile(np.eye(3), (count, 1, 1)))
    return replace(table, radius_A=np.full(count, 60.0))


def make_picks(truth: ParticleTable, shift_A: float = 10.0) -> ParticleTable:
    """Return picks beside all particles but the last, the better the earlier, the first one of a wrong class."""
    table = truth.select(np.arange(len(truth) - 1))
    names = table.class_name.copy()
    names[0] = "boot"
    return replace(
        table,
        class_name=names,
        centre_A=table.centre_A + np.array([shift_A, 0, 0]),
        score=np.linspace(1, 0.1, len(table)),
    )


def call(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["score", *map(str, arguments)])


def score(*arguments: object, folder: Path, warning: str | None = None) -> dict[str, Any]:
    """Run the command, and return what it writes."""
    result = call(*arguments, "--json", folder / "score.json")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == (0 if warning is None else 1), lines
    assert warning is None or warning in lines[0]
    return json.loads((folder / "score.json").read_text())


def fail(*arguments: object) -> str:
    """Run the command with bad input; return its only line."""
    result = call(*arguments)
    assert result.exit_code == BAD_INPUT, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    return line.removeprefix("error: ")


@pytest.fixture
def lists(tmp_path: Path) -> tuple[Path, Path]:
    """Write picks and truth as tables."""
    truth = make_truth()
    truth.write_csv(tmp_path / "truth.csv")
    make_picks(truth).write_csv(tmp_path / "picks.csv")
    return tmp_path / "picks.csv", tmp_path / "truth.csv"


def test_tables_are_scored_one_to_one(lists: tuple[Path, Path], tmp_path: Path) -> None:
    result = score(*lists, folder=tmp_path)
    ribosome, boot = result["classes"]
    assert (ribosome["hits"], ribosome["false"], ribosome["missed"]) == (11, 0, 1)
    assert (boot["hits"], boot["false"], boot["missed"]) == (11, 1, 1)
    assert result["confusion"] == {
        "names": ["background", "ribosome", "boot"],
        "matrix": [[0, 0, 0], [0, 11, 1], [1, 0, 11]],
    }
    assert result["summary"]["localisation_recall"] == pytest.approx(23 / 24)
    assert ribosome["median_distance_A"] == pytest.approx(10)
    assert ribosome["average_precision"] == pytest.approx(11 / 12)
    assert result["scorer"] == "one-to-one"
    printed = call(*lists).stdout
    assert "ribosome  11   0   1      1.000   0.917  0.957" in printed
    assert "localisation f1: 0.9787" in printed


def test_radius_is_the_largest_distance(lists: tuple[Path, Path], tmp_path: Path) -> None:
    assert score(*lists, "--radius-A", 9.5, folder=tmp_path)["summary"]["localisation_recall"] == 0


def test_ignored_class_is_neither_hit_nor_missed_nor_false(lists: tuple[Path, Path], tmp_path: Path) -> None:
    result = score(*lists, "--ignore", "boot", folder=tmp_path)
    assert [row["name"] for row in result["classes"]] == ["ribosome"]
    assert (result["summary"]["picks"], result["summary"]["particles"]) == (11, 12)
    assert "no class 'boat' to ignore; the classes are ribosome, boot" in fail(*lists, "--ignore", "boat")
    assert "all particles" in fail(*lists, "--ignore", "boot", "--ignore", "ribosome")


@pytest.mark.parametrize("kind", ["relion", "copick", "portal", "dynamo", "shrec"])
def test_every_format_scores_alike(kind: str, lists: tuple[Path, Path], tmp_path: Path) -> None:
    expected = score(*lists, folder=tmp_path)
    picks = make_picks(make_truth())
    options: list[object]
    if kind == "relion":
        tomogram = RelionTomogram(
            name="a",
            geometry=TiltGeometry(np.array([0.0, 10.0]), VOXEL_A),
            optics=RelionOptics(300, 2.7, 0.1),
            stacks=("a.mrc",) * 2,
            sections=(0, 1),
            shape=SHAPE,
        )
        own = replace(picks, class_id=np.where(picks.class_name == "boot", 2, 1))
        write_project(tmp_path, [tomogram], {"a": own})
        options = [tmp_path / "particles.star", "--rename", "class1=ribosome", "--rename", "class2=boot"]
    elif kind == "copick":
        objects = [
            PickableObject(name, label, True, 60.0) for label, name in enumerate(("ribosome", "boot"), 1)
        ]
        copick_writing.write_config(tmp_path, "p", objects)
        copick_writing.write_run(tmp_path, "a", VOXEL_A, {}, None, picks, objects)
        options = [tmp_path / "copick.json"]
    elif kind == "portal":
        portal.write_points(tmp_path / "boot.ndjson", picks, "boot", VOXEL_A)
        options = [tmp_path / "boot.ndjson", "--voxel-size-A", VOXEL_A]
    elif kind == "dynamo":
        write_dynamo(tmp_path / "a.tbl", picks)
        names = ["--rename", "a_1=ribosome", "--rename", "a_2=boot"]
        options = [tmp_path / "a.tbl", "--voxel-size-A", VOXEL_A, *names]
    else:
        write_submission(tmp_path / "picks.txt", picks)
        options = [tmp_path / "picks.txt", "--voxel-size-A", VOXEL_A]
    result = score(*options[:1], lists[1], *options[1:], folder=tmp_path)
    rows = {row["name"]: row for row in result["classes"]}
    for row in expected["classes"][1 if kind == "portal" else 0 :]:
        if kind == "shrec":
            row["average_precision"] = None
        assert rows[row["name"]] == pytest.approx(row)


def write_dynamo(path: Path, picks: ParticleTable) -> None:
    lines = []
    for number, (name, centre) in enumerate(zip(picks.class_name, picks.centre_A / VOXEL_A + 1, strict=True)):
        words = [number + 1, 1, 1, *[0] * 6, picks.score[number], *[0] * 9, 1, 0, 1 + (name == "boot"), 0]
        lines.append(" ".join(map(str, [*words, *centre])))
    path.write_text("\n".join(lines) + "\n")


def write_submission(path: Path, picks: ParticleTable) -> None:
    voxels = picks.centre_A / VOXEL_A
    rows = zip(picks.class_name, voxels, strict=True)
    path.write_text("".join(f"{name} {x} {y} {z}\n" for name, (x, y, z) in rows))


def test_copick_set_is_scored_against_that_of_another_user(tmp_path: Path) -> None:
    objects = [PickableObject(name, label, True, 60.0) for label, name in enumerate(NAMES, 1)]
    copick_writing.write_config(tmp_path, "p", objects)
    truth = make_truth()
    copick_writing.write_run(tmp_path, "a", VOXEL_A, {}, None, truth, objects)
    folder = tmp_path / "ExperimentRuns/a/Picks"
    for name in NAMES:
        picks = json.loads((folder / f"faketdask_0_{name}.json").read_text())
        del picks["points"][0]
        (folder / f"net_1_{name}.json").write_text(json.dumps(picks | {"user_id": "net", "session_id": "1"}))
    config = tmp_path / "copick.json"
    users = ["--user", "net", "--truth-user", "faketdask"]
    result = score(config, config, *users, folder=tmp_path)
    assert [row["recall"] for row in result["classes"]] == [pytest.approx(11 / 12)] * 2
    assert result["summary"]["mean_average_precision"] is None


def test_names_that_differ_in_case_alone_are_one(lists: tuple[Path, Path], tmp_path: Path) -> None:
    picks = make_picks(make_truth())
    replace(picks, class_name=np.char.upper(picks.class_name)).write_csv(lists[0])
    result = score(*lists, folder=tmp_path, warning="BOOT for boot, RIBOSOME for ribosome")
    assert [row["hits"] for row in result["classes"]] == [11, 11]


def test_lists_without_a_common_class_are_refused(lists: tuple[Path, Path], tmp_path: Path) -> None:
    picks = make_picks(make_truth())
    replace(picks, class_name=np.full(len(picks), "class1")).write_csv(lists[0])
    message = fail(*lists)
    assert "share no class: the picks are class1, and there are boot, ribosome" in message
    assert "--rename OLD=NEW" in message
    assert score(*lists, "--rename", "class1=boot", folder=tmp_path)["summary"]["picks"] == 23
    assert "no class 'x' to rename" in fail(*lists, "--rename", "x=boot")
    for pair in ("boot", "=boot", "boot="):
        assert "give OLD=NEW" in fail(*lists, "--rename", pair)


def test_picks_of_another_frame_are_told(lists: tuple[Path, Path], tmp_path: Path) -> None:
    picks = make_picks(make_truth())
    shifted = picks.centre_A.copy()
    shifted[:6] += [0, 0, 2000.0]
    replace(picks, centre_A=shifted).write_csv(lists[0])
    score(*lists, folder=tmp_path, warning="6 of 23 picks of")
    replace(picks, centre_A=picks.centre_A + np.array([0, 0, 2000.0])).write_csv(lists[0])
    message = fail(*lists)
    assert "23 of 23 picks" in message
    assert "--voxel-size-A" in message


def test_data_set_tells_the_size_of_its_volume(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    [series, *_] = tiny_dataset.series
    layout = tiny_dataset.spec.folder
    specimen = tiny_dataset.spec.series_by_name[series].specimen
    table = tiny_dataset.particles(series).labelled()
    picks = replace(table, centre_A=table.centre_A + np.array([1e4, 0, 0]))
    picks.write_csv(tmp_path / "picks.csv")
    assert "lie outside the frame" in fail(tmp_path / "picks.csv", layout.particles(specimen))
    table.write_csv(tmp_path / "same.csv")
    result = score(tmp_path / "same.csv", layout.particles(specimen), folder=tmp_path)
    assert result["summary"]["macro_f1"] == 1


def test_empty_lists_are_told(lists: tuple[Path, Path], tmp_path: Path) -> None:
    make_truth().select(np.arange(0)).write_csv(lists[0])
    result = score(*lists, folder=tmp_path, warning="lists no picks, so all particles are missed")
    assert result["summary"]["localisation_f1"] == 0
    assert [row["missed"] for row in result["classes"]] == [12, 12]
    assert "lists no particles to find" in fail(lists[1], lists[0])


def test_radii_that_nobody_knows_are_asked_for(lists: tuple[Path, Path]) -> None:
    truth = make_truth()
    replace(truth, radius_A=np.zeros(len(truth))).write_csv(lists[1])
    assert "no radius of ribosome; give the largest distance of a hit by --radius-A" in fail(*lists)
    assert "no radius of boot; give that of the particles" in fail(
        *lists, "--scorer", "czii2024", "--rename", "ribosome=ribosome"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scorer", "shrec2020"], "it is one of one-to-one, shrec2021, czii2024"),
        (["--scorer", "shrec2021"], "give the mask by --occupancy"),
        (["--occupancy", "m.mrc"], "--occupancy says nothing to the scorer one-to-one"),
        (["--scorer", "czii2024", "--ignore", "boot"], "--ignore says nothing to the scorer czii2024"),
        (["--user", "a"], "--user says nothing about"),
        (["--truth-user", "a"], "--truth-user says nothing about"),
        (["--voxel-size-A", "10"], "--voxel-size-A says nothing about"),
        (["--truth-voxel-size-A", "10"], "--truth-voxel-size-A says nothing about"),
    ],
)
def test_options_that_do_not_suit_are_refused(
    lists: tuple[Path, Path], options: list[str], message: str
) -> None:
    assert message in fail(*lists, *options)


def test_nan_is_named_with_its_line(lists: tuple[Path, Path]) -> None:
    text = lists[0].read_text().splitlines()
    column = text[0].split(",").index("x_A")
    words = text[3].split(",")
    words[column] = "nan"
    lists[0].write_text("\n".join([*text[:3], ",".join(words), *text[4:]]) + "\n")
    assert "line 4: x_A is nan" in fail(*lists)


def test_own_inputs_are_not_replaced(lists: tuple[Path, Path]) -> None:
    before = lists[1].read_bytes()
    fail(*lists, "--json", lists[1], "--overwrite")
    assert lists[1].read_bytes() == before


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a mask of balls, their list as SHREC has it, and a submission."""
    truth = make_truth()
    names = np.where(truth.class_name == "boot", "1BXN", "5MRC").astype("<U8")
    names[:4] = ["4V94", "vesicle", "fiducial", "1BXN"]
    z, y, x = np.indices(SHAPE)
    mask = np.zeros(SHAPE, np.uint16)
    for number, centre in enumerate(truth.centre_A / VOXEL_A, start=1):
        mask[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 < 16] = number
    write_volume(tmp_path / "occupancy_mask.mrc", mask, VOXEL_A)
    rows = zip(names, truth.centre_A / VOXEL_A, strict=True)
    lines = [f"{name} {x:.0f} {y:.0f} {z:.0f}" for name, (x, y, z) in rows]
    (tmp_path / "particle_locations.txt").write_text("".join(f"{line} 0 0 0\n" for line in lines))
    (tmp_path / "picks.txt").write_text(
        "".join(f"{line}\n" for line in (*lines, lines[5], "background 0 0 0"))
    )
    return tmp_path


def test_submission_is_scored_by_shrecs_rules(model: Path) -> None:
    files = [model / "picks.txt", model / "particle_locations.txt"]
    options = ["--scorer", "shrec2021", "--occupancy", model / "occupancy_mask.mrc"]
    result = score(*files, *options, folder=model)
    summary = result["summary"]
    assert (summary["picks"], summary["particles_expected"], summary["particles_hit"]) == (26, 23, 22)
    assert summary["localisation_precision"] == pytest.approx(22 / 26)
    assert summary["localisation_recall"] == pytest.approx(22 / 23)
    assert summary["classification_macro_f1"] == 1
    assert {row["name"] for row in result["classes"]} == {"1BXN", "5MRC", "fiducial"}
    text = (model / "picks.txt").read_text().replace("5MRC", "5mrc")
    (model / "picks.txt").write_text("".join(text.splitlines(keepends=True)[:-3]))
    result = score(*files, *options, folder=model, warning="5mrc for 5MRC")
    assert result["summary"]["particles_hit"] == 21
    assert result["confusion"]["names"][0] == "background"


def test_exported_positions_are_hits_by_shrecs_rules(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    [locations, *_] = sorted(
        path / "particle_locations.txt" for path in export(tiny_dataset, ["shrec"], tmp_path) if path.is_dir()
    )
    words = [line.split()[:4] for line in locations.read_text().splitlines()]
    (tmp_path / "picks.txt").write_text("".join(" ".join(line) + "\n" for line in words))
    mask = locations.with_name("occupancy_mask.mrc")
    result = score(
        *[tmp_path / "picks.txt", locations, "--scorer", "shrec2021", "--occupancy", mask], folder=tmp_path
    )
    names = [name for name, *_ in words if name not in ("4V94", "vesicle")]
    assert result["summary"]["particles_hit"] == len(names) > 0
    assert result["summary"]["classification_macro_f1"] == 1


def test_mask_of_another_tomogram_is_refused(model: Path) -> None:
    locations = model / "particle_locations.txt"
    options = ["--scorer", "shrec2021", "--occupancy", model / "occupancy_mask.mrc"]
    lines = locations.read_text().splitlines(keepends=True)
    locations.write_text("".join(lines[:-1]))
    assert "has the instance 24, and" in fail(model / "picks.txt", locations, *options)
    locations.write_text("".join([*lines[1:], lines[0]]))
    assert "lie on their own instance" in fail(model / "picks.txt", locations, *options)
    shutil.copy(model / "occupancy_mask.mrc", model / "density.mrc")
    write_volume(model / "density.mrc", np.full(SHAPE, 0.5, np.float32), VOXEL_A)
    options[-1] = model / "density.mrc"
    assert "no number of an instance" in fail(model / "picks.txt", locations, *options)


def test_czii_score_weighs_classes_and_halves_radii(tmp_path: Path) -> None:
    truth = make_truth()
    names = np.where(truth.class_name == "boot", "thyroglobulin", "ribosome")
    truth = replace(truth, class_name=names, radius_A=np.zeros(len(truth)))
    truth.write_csv(tmp_path / "truth.csv")
    centres = truth.centre_A + np.array([0, 0, 70.0])  # within 150 / 2 and beyond 130 / 2
    replace(truth, centre_A=centres).write_csv(tmp_path / "picks.csv")
    files = [tmp_path / "picks.csv", tmp_path / "truth.csv"]
    result = score(*files, "--scorer", "czii2024", folder=tmp_path)
    assert [(row["name"], row["f_score"]) for row in result["classes"]] == [
        ("ribosome", 1),
        ("thyroglobulin", 0),
    ]
    assert result["summary"]["score"] == pytest.approx(1 / 3)
    assert result["confusion"] is None
    result = score(*files, "--scorer", "czii2024", "--radius-A", 150, folder=tmp_path)
    assert result["summary"]["score"] == 1
