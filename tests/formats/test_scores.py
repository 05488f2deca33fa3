"""Scores of picks in every format that has them, and SHREC's submissions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import starfile

from faket_dask.errors import InputError
from faket_dask.formats import copick, copick_writing, portal, relion5
from faket_dask.formats.copick import PickableObject
from faket_dask.formats.dynamo import read_table
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram, TomogramSize
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.relion_coordinates import write_coordinates
from faket_dask.formats.shrec_picks import is_submission, read_submission
from faket_dask.geometry import TiltGeometry
from faket_dask.interchange.importers.particles import ParticleOptions, import_particles, to_particle_table
from faket_dask.specimen.particles import join_tables, read_particles

SCORES = np.array([0.75, 12.5])
OBJECTS = [PickableObject("boot", 1, True, 50.0)]


def make_list(scores: np.ndarray | None = SCORES) -> ParticleList:
    return ParticleList(
        class_name=np.array(["boot", "boot"]),
        class_id=np.array([1, 1]),
        instance=np.array([1, 2]),
        centre_A=np.array([[10.0, 20, 30], [40, 50, 60]]),
        rotation=np.tile(np.eye(3), (2, 1, 1)),
        score=scores,
    )


def make_tomogram(name: str) -> RelionTomogram:
    return RelionTomogram(
        name=name,
        geometry=TiltGeometry(np.array([0.0, 10.0]), 5.0),
        optics=RelionOptics(300, 2.7, 0.1),
        stacks=("a.mrc",) * 2,
        sections=(0, 1),
        shape=(10, 30, 20),
        volume="a_rec.mrc",
    )


def read_copick(folder: Path) -> ParticleList:
    project = copick.open_project(folder / "copick.json")
    return copick.read_picks(project, copick.choose_picks(project, "a"))


def test_scores_survive_copick(tmp_path: Path) -> None:
    copick_writing.write_config(tmp_path, "small", OBJECTS)
    copick_writing.write_run(tmp_path, "a", 10.0, {}, None, make_list(), OBJECTS)
    np.testing.assert_array_equal(read_copick(tmp_path).score, SCORES)
    copick_writing.write_run(tmp_path, "a", 10.0, {}, None, make_list(None), OBJECTS)
    assert read_copick(tmp_path).score is None


def test_copick_point_without_a_score_leaves_all_without(tmp_path: Path) -> None:
    copick_writing.write_config(tmp_path, "small", OBJECTS)
    copick_writing.write_run(tmp_path, "a", 10.0, {}, None, make_list(), OBJECTS)
    [path] = (tmp_path / "ExperimentRuns/a/Picks").iterdir()
    picks = json.loads(path.read_text())
    picks["points"][1]["score"] = None
    path.write_text(json.dumps(picks))
    assert read_copick(tmp_path).score is None
    picks["points"][1]["score"] = float("nan")
    path.write_text(json.dumps(picks))
    with pytest.raises(InputError, match="a score of nan is no number"):
        read_copick(tmp_path)


def test_scores_survive_the_portal_format(tmp_path: Path) -> None:
    path = tmp_path / "boot.ndjson"
    portal.write_points(path, make_list(), "boot", 10.0)
    np.testing.assert_array_equal(portal.read_points(path, "boot", 1, 10.0).score, SCORES)
    portal.write_points(path, make_list(None), "boot", 10.0)
    assert portal.read_points(path, "boot", 1, 10.0).score is None


def test_scores_survive_relion(tmp_path: Path) -> None:
    tomograms = [make_tomogram("a"), make_tomogram("b")]
    write_project(tmp_path, tomograms, {"a": make_list(), "b": make_list(2 * SCORES)})
    read = relion5.read_particles(tmp_path / "particles.star", tomograms)
    np.testing.assert_allclose(read["a"].score, SCORES)
    np.testing.assert_allclose(read["b"].score, 2 * SCORES)
    write_coordinates(tmp_path / "old.star", tomograms[:1], {"a": make_list()})
    [*_, table] = starfile.read(tmp_path / "old.star", always_dict=True).values()
    assert table["rlnAutopickFigureOfMerit"].tolist() == SCORES.tolist()


def test_relion_list_has_scores_of_all_tomograms_or_none(tmp_path: Path) -> None:
    tomograms = [make_tomogram("a"), make_tomogram("b")]
    write_project(tmp_path, tomograms, {"a": make_list(), "b": make_list(None)})
    assert "rlnAutopickFigureOfMerit" not in (tmp_path / "particles.star").read_text()


def test_list_of_pytom_match_pick_is_read(tmp_path: Path) -> None:
    """Its lists for RELION 5 have an unnamed block, no classes and ``rlnLCCmax``."""
    labels = (
        *("rlnCenteredCoordinateXAngst", "rlnCenteredCoordinateYAngst", "rlnCenteredCoordinateZAngst"),
        *("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", "rlnLCCmax", "rlnTomoName"),
    )
    header = "".join(f"_{label} #{number}\n" for number, label in enumerate(labels, start=1))
    path = tmp_path / "picks.star"
    path.write_text(f"data_\n\nloop_\n{header}10 0 0 0 0 0 0.5 a\n0 0 0 0 0 0 0.25 a\n")
    particles = relion5.read_particles(path, [TomogramSize("a", (20, 40, 60), 10.0)])["a"]
    assert particles.score is not None
    assert particles.score.tolist() == [0.5, 0.25]
    assert particles.centre_A.tolist() == [[310, 200, 100], [300, 200, 100]]


def test_correlation_of_dynamo_is_the_score(tmp_path: Path) -> None:
    row = "{} 1 1 0 0 0 0 0 0 {}" + " 0" * 13 + " 11 21 31\n"
    path = tmp_path / "a.tbl"
    path.write_text(row.format(1, 0.5) + row.format(2, 0.0))
    score = read_table(path, 10.0).score
    assert score is not None
    assert score.tolist() == [0.5, 0]
    path.write_text(row.format(1, 0) + row.format(2, 0))
    assert read_table(path, 10.0).score is None


def test_particle_tables_keep_scores(tmp_path: Path) -> None:
    table = to_particle_table(make_list())
    table.write_csv(tmp_path / "a.csv")
    read = read_particles(tmp_path / "a.csv")
    np.testing.assert_array_equal(read.score, SCORES)
    assert read.select(np.array([False, True])).score == SCORES[1:]
    np.testing.assert_array_equal(join_tables(read, read).score, [*SCORES, *SCORES])
    assert join_tables(read, replace(read, score=None)).score is None


def test_table_of_a_specimen_has_no_column_of_scores(tmp_path: Path) -> None:
    table = to_particle_table(make_list(None))
    table.write_csv(tmp_path / "a.csv")
    assert "score" not in (tmp_path / "a.csv").read_text()
    assert read_particles(tmp_path / "a.csv").score is None


@pytest.mark.parametrize("word", ["", "high", "nan"])
def test_unusable_score_of_a_table_is_named(tmp_path: Path, word: str) -> None:
    to_particle_table(make_list()).write_csv(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text(text.replace("12.5", word))
    with pytest.raises(InputError, match="line 3: score is"):
        read_particles(tmp_path / "a.csv")


def test_submission_to_shrec_is_told_from_its_locations(tmp_path: Path) -> None:
    picks, locations = tmp_path / "picks.txt", tmp_path / "particle_locations.txt"
    picks.write_text("\n1bxn 1.5 2 3\nvesicle 4 5 6 0.5\n")
    locations.write_text("1BXN 1 2 3 0 0 0\n")
    assert is_submission(picks)
    assert not is_submission(locations)
    options = ParticleOptions(voxel_size_A=10.0)
    table = import_particles(picks, options)
    assert table.class_name.tolist() == ["1bxn", "vesicle"]
    assert table.class_id.tolist() == [4, 14]
    assert table.centre_A.tolist() == [[15, 20, 30], [40, 50, 60]]
    assert import_particles(locations, options).class_name.tolist() == ["1BXN"]


@pytest.mark.parametrize("line", ["1BXN 1 2", "1BXN 1 2 z", "1BXN 1 nan 3", "1BXN 1 2 inf"])
def test_line_that_is_no_pick_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"1BXN 1 2 3\n{line}\n")
    with pytest.raises(InputError, match=r"a\.txt, line 2: expected class x y z"):
        read_submission(tmp_path / "a.txt", 10.0)
