"""Tests of a search: same bytes by engine, workers and graph, resumption, thresholds, and refusals."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from distributed import Client
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config import parse_reconstruction
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.pipeline import load_pipeline
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.engine.serial import execute_serially
from faket_dask.errors import InputError
from faket_dask.formats.mrc import write_volume
from faket_dask.graphs import match_template
from faket_dask.kernels.matching.null_template import Null
from faket_dask.kernels.matching.rotations import rotation_angle
from faket_dask.matching.search import PickRule, search_tomogram
from faket_dask.matching.specification import MatchSpec, read_match_spec
from faket_dask.matching.template_source import load_search_template
from faket_dask.matching.units import MATCHING, PARTICLE, read_scores
from faket_dask.pipeline.tomogram_source import DatasetTomogram, MrcTomogram
from faket_dask.specimen import Recipe, Species, render_block
from faket_dask.specimen.particles import ParticleTable, make_table, read_particles
from faket_dask.specimen.template import Sampling
from faket_dask.stages import matching
from faket_dask.stages.matching import MatchSettings
from faket_dask.workflow.reconstruct import reconstruct_dataset
from tests.runs import copy_without

VOXEL_A = 25.0
SHAPE = (20, 44, 120)
CENTRES = np.array([[12, 10, 9], [75, 30, 11], [104, 12, 8]])
SETTINGS = MatchSettings(tilt_angles=(-60.0, 60.0), step_deg=40.0)


@pytest.fixture(scope="module")
def truth() -> ParticleTable:
    near = Rotation.from_rotvec([[0.15, 0, 0], [0, -0.15, 0], [0, 0, 0.15]]).as_matrix()
    rotations = near @ SETTINGS.rotations[[20, 100, 180]]
    return make_table(["coil"] * 3, [1] * 3, CENTRES * VOXEL_A, rotations)


@pytest.fixture(scope="module")
def tomogram(truth: ParticleTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy density of three coils, dense dark, in two blocks."""
    species = (Species("coil", count=3),)
    recipe = Recipe(SHAPE, VOXEL_A, species, ice_texture=0.0, sampling=Sampling.AVERAGED)
    density = render_block(recipe, truth, 0, SHAPE[1]).density
    noise = np.random.default_rng(0).normal(0, 0.5 * density.std(), SHAPE)
    path = tmp_path_factory.mktemp("tomogram") / "a.mrc"
    write_volume(path, -(density + noise).astype(np.float32), VOXEL_A)
    return path


@pytest.fixture
def searched(tomogram: Path) -> MrcTomogram:
    return MrcTomogram.open(tomogram)


@pytest.fixture(autouse=True)
def _several_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "ORIENTATIONS_PER_GROUP", 100)
    monkeypatch.setattr(matching, "LEAST_TRANSFORM_EDGE", 96)


def check_found(found: ParticleTable, truth: ParticleTable) -> None:
    for centre, rotation in zip(truth.centre_A, truth.rotation, strict=True):
        distances = np.linalg.norm(found.centre_A - centre, axis=1)
        nearest = int(distances.argmin())
        assert distances[nearest] <= VOXEL_A * np.sqrt(2)
        assert rotation_angle(found.rotation[nearest], rotation) < SETTINGS.step_deg


@pytest.mark.parametrize("null", [Null.INVERTED, Null.SCRAMBLED])
def test_all_particles_are_found_in_place_and_orientation(
    searched: MrcTomogram, truth: ParticleTable, tmp_path: Path, null: Null
) -> None:
    shares: list[float] = []
    target = tmp_path / "picks.csv"
    picks = search_tomogram(
        searched,
        "coil",
        target,
        SETTINGS,
        PickRule(false_peaks=0),
        null=null,
        name="spring",
        advance=shares.append,
    )
    table = read_particles(target)
    assert 3 <= len(table) <= 5  # chance is a matter of chance
    assert set(table.class_name) == {"spring"}
    assert table.score is not None
    assert (table.score > picks.threshold).all()
    check_found(table, truth)
    assert sum(shares) == pytest.approx(1)
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".faket")) == [
        "picks.csv"
    ]


def test_engine_workers_and_graph_give_the_same_bytes(
    searched: MrcTomogram, tmp_path: Path, one_worker: Client
) -> None:
    spec = MatchSpec(tmp_path / "serial", searched, "coil", SETTINGS, None)
    spec.write()
    assert spec.groups > 1
    execute_serially(Plan(spec, MATCHING), CompletedUnits.read(Plan(spec, MATCHING)), threads=2)
    serial = read_scores(spec, PARTICLE)
    other = spec.relocate(tmp_path / "workers")
    assert not run_plan(Plan(other, MATCHING), Execution(one_worker))
    template = load_search_template("coil", VOXEL_A)
    volume = xr.DataArray(
        da.from_array(searched.read((slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2]))), chunks=32),
        dims=("z", "y", "x"),
    )
    lazy = match_template(volume, template, VOXEL_A, SETTINGS).compute()
    workers = read_scores(other, PARTICLE)
    for name, values in serial._asdict().items():
        assert getattr(workers, name).tobytes() == values.tobytes()
        assert lazy[name].to_numpy().tobytes() == values.tobytes()


def test_blocks_give_the_scores_of_the_whole(searched: MrcTomogram, tmp_path: Path) -> None:
    spec = MatchSpec(tmp_path / "a", searched, "coil", SETTINGS, None)
    assert len(spec.blocks) > 1
    spec.write()
    execute_serially(Plan(spec, MATCHING), CompletedUnits.read(Plan(spec, MATCHING)))
    template = spec.prepare(None)
    whole = np.pad(searched.read(tuple(slice(0, size) for size in SHAPE)), template.reach, mode="symmetric")
    direct = matching.merge_groups(
        [matching.match_group(whole, template, SETTINGS, group, "cpu") for group in range(spec.groups)]
    )
    blocked = read_scores(spec, PARTICLE)
    np.testing.assert_allclose(blocked.score, direct.score, atol=1e-5)
    assert (blocked.orientation == direct.orientation).mean() > 0.999


def test_description_is_read_back(searched: MrcTomogram, tmp_path: Path) -> None:
    settings = replace(SETTINGS, defocus_um=3.0, phase_flipped=True)
    spec = MatchSpec(tmp_path / "a", searched, "coil", settings)
    spec.write()
    assert load_pipeline(MATCHING.target) is MATCHING
    assert read_match_spec(spec.root) == spec
    assert read_match_spec(spec.root).fingerprint == spec.fingerprint
    (spec.root / "plan.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        read_match_spec(spec.root)


class Stopped(BaseException):
    """Stop like that by a signal."""


def test_interrupted_search_resumes_with_the_same_picks(searched: MrcTomogram, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        raise Stopped

    rule = PickRule(threshold=0.3)
    with pytest.raises(Stopped):
        search_tomogram(searched, "coil", tmp_path / "a.csv", SETTINGS, rule, advance=stop)
    markers = list((tmp_path / ".a.csv.unfinished/progress/correlate").rglob("*.json"))
    assert not (tmp_path / "a.csv").exists()
    assert markers == []  # the first share is that of units done before
    with pytest.raises(Stopped):
        search_tomogram(
            searched,
            "coil",
            tmp_path / "a.csv",
            SETTINGS,
            rule,
            advance=lambda share: stop(share) if share else None,
        )
    markers = list((tmp_path / ".a.csv.unfinished/progress/correlate").rglob("*.json"))
    times = {marker: marker.stat().st_mtime_ns for marker in markers}
    assert times
    written: list[float] = []
    store = tmp_path / ".a.csv.unfinished/scores.zarr"

    def watch(share: float) -> None:
        written.append(share)
        if store.exists():
            assert {marker: marker.stat().st_mtime_ns for marker in markers} == times

    search_tomogram(searched, "coil", tmp_path / "a.csv", SETTINGS, rule, advance=watch)
    search_tomogram(searched, "coil", tmp_path / "b.csv", SETTINGS, rule)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert sum(written) == pytest.approx(1)


def test_error_on_the_way_keeps_what_is_done(
    searched: MrcTomogram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = MrcTomogram.read, itertools.count()

    def fail_later(self: MrcTomogram, region: tuple[slice, ...]) -> np.ndarray:
        if next(calls) == 3:
            raise InputError("a.mrc cannot be read: the file server is gone")
        return read(self, region)

    monkeypatch.setattr(MrcTomogram, "read", fail_later)
    arguments = (searched, "coil", tmp_path / "a.csv", SETTINGS, PickRule(threshold=0.3))
    with pytest.raises(InputError, match="file server is gone"):
        search_tomogram(*arguments)
    done = set((tmp_path / ".a.csv.unfinished/progress/correlate").rglob("*.json"))
    assert len(done) >= 3
    assert len(search_tomogram(*arguments).table) >= 3


def test_other_settings_begin_anew_with_a_warning(searched: MrcTomogram, tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    other = MatchSpec(tmp_path / ".a.csv.unfinished", searched, "coil", SETTINGS, None)
    other.folder.progress.mkdir(parents=True)
    other.write()
    settings = replace(SETTINGS, step_deg=50.0)
    with pytest.warns(UserWarning, match="begun anew"):
        search_tomogram(searched, "coil", target, settings, PickRule(threshold=0.5))


def test_most_picks_are_the_best(searched: MrcTomogram, tmp_path: Path) -> None:
    picks = search_tomogram(
        searched, "coil", tmp_path / "a.csv", SETTINGS, PickRule(threshold=0.0, most=2, distance_A=100)
    )
    assert picks.table.score is not None
    assert len(picks.table) == 2
    assert (picks.table.score > 0.4).all()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda a, t: search_tomogram(a, "coil", t / "a.txt", SETTINGS), "no .csv file"),
        (lambda a, t: search_tomogram(a, "coyl", t / "a.csv", SETTINGS), "neither a file nor a built-in"),
        (lambda a, t: search_tomogram(a, "coil", t / "a.csv", SETTINGS, threads=0), "threads"),
        (lambda a, t: search_tomogram(a, "coil", t / "a.csv", SETTINGS, device="abacus"), "no device"),
        (lambda a, t: PickRule(threshold=2.0), "between -1 and 1"),
        (lambda a, t: PickRule(most=0), "at most 0"),
        (lambda a, t: PickRule(false_peaks=-1), "-1 false peaks"),
        (lambda a, t: DatasetTomogram(t, "a", "faket").shape, "not a data set|no data set"),
    ],
)
def test_wrong_arguments_are_refused(
    searched: MrcTomogram, tmp_path: Path, action: Callable[[MrcTomogram, Path], object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        action(searched, tmp_path)
    assert not (tmp_path / "a.csv").exists()


def test_map_with_larger_voxels_than_the_tomogram_is_refused(searched: MrcTomogram, tmp_path: Path) -> None:
    density = load_search_template("coil", 60.0).density
    write_volume(tmp_path / "map.mrc", density, 40.0)
    with pytest.raises(InputError, match="voxels of 40 Å, and the tomogram smaller ones of 25 Å"):
        search_tomogram(searched, str(tmp_path / "map.mrc"), tmp_path / "a.csv", SETTINGS)


def test_map_of_smaller_voxels_is_resampled(
    searched: MrcTomogram, truth: ParticleTable, tmp_path: Path
) -> None:
    density = load_search_template("coil", 25.0).density  # sampled at 12.5 Å
    write_volume(tmp_path / "map.mrc", density, 12.5)
    picks = search_tomogram(
        searched,
        str(tmp_path / "map.mrc"),
        tmp_path / "a.csv",
        SETTINGS,
        PickRule(threshold=0.3),
    )
    check_found(picks.table, truth)


def test_nan_in_the_tomogram_is_told(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    volume[3, 4, 5] = np.nan
    write_volume(tmp_path / "nan.mrc", volume, VOXEL_A)
    with pytest.raises(InputError, match=r"nan.mrc holds NaN"):
        search_tomogram(MrcTomogram.open(tmp_path / "nan.mrc"), "coil", tmp_path / "a.csv", SETTINGS)
    assert not (tmp_path / ".a.csv.unfinished").exists()


def test_command_searches_files_and_explains_what_is_missing(tomogram: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    target = tmp_path / "picks.csv"
    base = ["match", str(tomogram), "coil", "--step", "50", "--threshold", "0.3", "--to", str(target)]
    assert "tilt-range" in runner.invoke(app, base).output
    assert "no pair of angles" in runner.invoke(app, [*base, "--tilt-range", "60"]).output
    assert (
        "one of dark, bright"
        in runner.invoke(app, [*base, "--tilt-range=-60,60", "--contrast", "grey"]).output
    )
    assert "is none" in runner.invoke(app, [*base, "--tilt-range=-60,60", "--series", "a"]).output
    result = runner.invoke(app, [*base, "--tilt-range=-60,60"])
    assert result.exit_code == 0, result.output
    assert f"{len(read_particles(target))} picks" in result.output


def test_tomogram_of_a_data_set_is_searched_in_the_frame_of_its_particles(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path, one_worker: Client
) -> None:
    section = parse_reconstruction(modalities=["content"], filter="ramp", binning=2)
    dataset = reconstruct_dataset(copy_without(tiny_dataset.folder, tmp_path), section, one_worker)
    series, target = dataset.series[1], tmp_path / "picks.csv"
    command = ["match", str(dataset.folder), "propeller", "--series", series, "--to", str(target)]
    result = CliRunner().invoke(app, [*command, "--step", "40", "--threshold", "0.2"])
    assert result.exit_code == 0, result.output
    searched = DatasetTomogram(dataset.folder, series, "content")
    volume = dataset.tomogram(series, "content")
    voxels = np.array([[0, 0, 0], [3, 5, 7]])
    expected = [
        [float(volume[axis][at]) for axis, at in zip("xyz", voxel[::-1], strict=True)] for voxel in voxels
    ]
    np.testing.assert_allclose(searched.locate(voxels), expected)
    np.testing.assert_array_equal(
        searched.read((slice(2, 5), slice(1, 9), slice(0, 4))), volume[2:5, 1:9, :4]
    )
    picks, truth = read_particles(target), dataset.particles(series).labelled()
    distances = np.linalg.norm(picks.centre_A[:2, None] - truth.centre_A[None], axis=2)
    assert (distances.min(axis=1) < 40).all()  # five tilts tell beads from propellers badly, but not places


def test_data_set_without_tomograms_is_told(tiny_dataset: faket_dask.Dataset) -> None:
    with pytest.raises(InputError, match="faket-dask reconstruct"):
        DatasetTomogram(tiny_dataset.folder, tiny_dataset.series[0], "faket").shape  # noqa: B018
