"""Tests of an average: hand, noise, independence of the half-sets, resumption, starts, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from faket_dask.averaging.agreement import Hand
from faket_dask.averaging.outputs import OUTPUTS
from faket_dask.averaging.run import Averaged, average_particles
from faket_dask.averaging.start import Start
from faket_dask.cli import app
from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_volume, write_volume
from faket_dask.pipeline.tomogram_source import MrcTomogram
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.stages.averaging import AverageSettings, HalfSet, split_halves
from tests.averaging.planted import EDGE, TILTS, VOXEL_A, phantom, plant, write_tomogram

COUNT = 30
SETTINGS = AverageSettings(
    box_A=EDGE * VOXEL_A, limit_A=90.0, tilt_angles=TILTS, step_deg=40.0, rounds=4, local_rounds=2
)
QUICK = replace(SETTINGS, step_deg=60.0, rounds=1, local_rounds=1)


@pytest.fixture(scope="module")
def table() -> ParticleTable:
    return plant(COUNT)[1]


@pytest.fixture(scope="module")
def tomogram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tomogram(tmp_path_factory.mktemp("planted") / "a.mrc", plant(COUNT)[0])


@pytest.fixture
def source(tomogram: Path) -> MrcTomogram:
    return MrcTomogram.open(tomogram)


@pytest.fixture
def structure(tmp_path: Path) -> Path:
    return write_tomogram(tmp_path / "structure.mrc", phantom())


def read_all(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def test_featureless_start_gives_the_structure_and_its_hand(
    source: MrcTomogram, table: ParticleTable, structure: Path, tmp_path: Path
) -> None:
    shares: list[float] = []
    averaged = average_particles(
        source, table, tmp_path / "out", SETTINGS, against=structure, advance=shares.append
    )
    assert averaged.hands is not None
    assert averaged.hands.structure_score > averaged.hands.mirrored_score + 0.1
    assert averaged.hands.hand is Hand.STRUCTURE
    resolved = averaged.halves.resolved_A()
    assert resolved is not None
    assert resolved < SETTINGS.limit_A
    assert sum(shares) == pytest.approx(1)
    assert {entry.name for entry in (tmp_path / "out").iterdir()} - {".faket_dask_outputs"} == set(OUTPUTS)
    assert not list(tmp_path.glob(".out*"))
    found = read_particles(tmp_path / "out/particles.csv")
    assert found.score is not None
    assert (found.score > 0.3).all()
    # All particles differ from the truth by one and the same rotation, that of the reference.
    between = np.einsum("nji,njk->nik", found.rotation, table.rotation)
    mean = np.linalg.svd(between.mean(axis=0))
    spread = np.einsum("ij,nij->n", mean.U @ mean.Vh, between)
    assert np.median(spread) > 1 + 2 * np.cos(np.radians(20))


def test_halves_of_noise_agree_in_nothing_beyond_the_limit(
    table: ParticleTable, structure: Path, tmp_path: Path
) -> None:
    noise = write_tomogram(tmp_path / "noise.mrc", plant(COUNT, signal=0.0, seed=3)[0])
    averaged: Averaged = average_particles(
        MrcTomogram.open(noise), table, tmp_path / "out", SETTINGS, against=structure
    )
    beyond = averaged.halves.whole[averaged.halves.seen :]
    assert len(beyond) >= 3
    assert np.abs(beyond).max() < 0.15
    assert averaged.halves.resolved_A() is None
    assert averaged.hands is not None
    assert averaged.hands.hand is Hand.UNDECIDED


def test_one_half_set_knows_nothing_of_the_other(
    source: MrcTomogram, tomogram: Path, table: ParticleTable, tmp_path: Path
) -> None:
    volume = open_volume(tomogram)[0:EDGE, 0:1000, 0:1000]
    for row in split_halves(COUNT, QUICK.seed)[HalfSet.B]:
        start = np.rint(table.centre_A[row] / VOXEL_A).astype(int) - EDGE // 2
        volume[tuple(slice(at, at + EDGE) for at in start[::-1])] *= -1
    other = write_tomogram(tmp_path / "b.mrc", volume)
    average_particles(source, table, tmp_path / "a", QUICK)
    average_particles(MrcTomogram.open(other), table, tmp_path / "b", QUICK)
    assert (tmp_path / "a/half_a.mrc").read_bytes() == (tmp_path / "b/half_a.mrc").read_bytes()
    assert (tmp_path / "a/half_b.mrc").read_bytes() != (tmp_path / "b/half_b.mrc").read_bytes()


class Stopped(BaseException):
    """Stop like that by a signal."""


def test_interrupted_average_resumes_with_the_same_bytes(
    source: MrcTomogram, table: ParticleTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faket_dask.averaging.units.GROUP", 8)
    done: list[float] = []

    def stop(share: float) -> None:
        done.append(share)
        if sum(done) > 0.6:
            raise Stopped

    with pytest.raises(Stopped):
        average_particles(source, table, tmp_path / "a", QUICK, advance=stop)
    assert not (tmp_path / "a/average.mrc").exists()
    markers = list((tmp_path / ".a.unfinished/progress").rglob("[0-9]*.json"))
    times = {marker: marker.stat().st_mtime_ns for marker in markers}
    assert len(times) > 10

    def watch(share: float) -> None:
        assert {marker: marker.stat().st_mtime_ns for marker in markers} == times

    average_particles(source, table, tmp_path / "a", QUICK, advance=watch)
    average_particles(source, table, tmp_path / "b", QUICK, threads=2)
    assert read_all(tmp_path / "a") == read_all(tmp_path / "b")


def test_known_orientations_and_maps_are_starts(
    source: MrcTomogram, table: ParticleTable, structure: Path, tmp_path: Path
) -> None:
    for name, start in (("list", "orientations"), ("map", str(structure))):
        averaged = average_particles(
            source, table, tmp_path / name, QUICK, Start.parse(start), against=structure
        )
        assert averaged.hands is not None
        assert averaged.hands.structure_score > 0.85
        assert averaged.hands.hand is Hand.STRUCTURE


def test_other_settings_begin_anew_with_a_warning(
    source: MrcTomogram, table: ParticleTable, tmp_path: Path
) -> None:
    def stop(share: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        average_particles(source, table, tmp_path / "a", QUICK, advance=stop)
    with pytest.warns(UserWarning, match="begun anew"):
        average_particles(source, table, tmp_path / "a", replace(QUICK, seed=1))


def test_particles_near_a_face_are_left_out_and_told(
    source: MrcTomogram, table: ParticleTable, tmp_path: Path
) -> None:
    moved = table.centre_A.copy()
    moved[[2, 5], 0] = 3 * VOXEL_A
    with pytest.warns(UserWarning, match="2 of 30 particles are nearer to the faces"):
        averaged = average_particles(source, replace(table, centre_A=moved), tmp_path / "a", QUICK)
    assert averaged.particles == COUNT - 2
    assert len(read_particles(tmp_path / "a/particles.csv")) == COUNT - 2


class ShiftedTomogram(MrcTomogram):
    """Tomogram whose frame begins elsewhere, as in data sets."""

    origin_A = np.array([100.0, -200.0, 300.0])

    def locate(self, voxels: np.ndarray) -> np.ndarray:
        """Return the places of voxels in that frame."""
        return super().locate(voxels) + self.origin_A


def test_places_are_in_the_frame_of_the_tomogram(
    source: MrcTomogram, table: ParticleTable, tmp_path: Path
) -> None:
    shifted = ShiftedTomogram(source.path, source.voxel_size_A, source.identity)
    moved = replace(table, centre_A=table.centre_A + shifted.origin_A)
    average_particles(source, table, tmp_path / "a", QUICK)
    average_particles(shifted, moved, tmp_path / "b", QUICK)
    assert (tmp_path / "a/average.mrc").read_bytes() == (tmp_path / "b/average.mrc").read_bytes()
    before, after = (read_particles(tmp_path / name / "particles.csv") for name in "ab")
    np.testing.assert_allclose(after.centre_A - shifted.origin_A, before.centre_A, atol=1e-6)
    assert np.abs(before.centre_A - table.centre_A).max() < 4 * VOXEL_A


def write_bad_map(folder: Path, voxel_size_A: float = VOXEL_A, value: float = 0.0) -> Path:
    volume = phantom().astype(np.float32)
    volume[5, 5, 5] = value
    write_volume(folder / "bad.mrc", volume, voxel_size_A)
    return folder / "bad.mrc"


Action = Callable[[MrcTomogram, ParticleTable, Path], object]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            lambda a, p, t: average_particles(a, p.select(np.arange(19)), t / "o", QUICK),
            "19 particles lie within .*two half-sets need 20",
        ),
        (
            lambda a, p, t: average_particles(a, p.select(np.arange(0)), t / "o", QUICK),
            "0 particles lie",
        ),
        (
            lambda a, p, t: average_particles(a, replace(p, centre_A=p.centre_A * 10), t / "o", QUICK),
            r"of 30 particles lie outside of a.mrc, the first in row",
        ),
        (
            lambda a, p, t: average_particles(a, p, t / "o", QUICK, against=write_bad_map(t, 20.0)),
            "voxels of 20 Å, and the tomogram of 25 Å",
        ),
        (
            lambda a, p, t: average_particles(
                a, p, t / "o", QUICK, Start.parse(str(write_bad_map(t, value=np.nan)))
            ),
            "bad.mrc holds NaN",
        ),
        (lambda a, p, t: Start.parse("featurless"), "neither a file nor one of featureless"),
        (lambda a, p, t: average_particles(a, p, t / "o", QUICK, threads=0), "threads"),
        (lambda a, p, t: average_particles(a, p, t / "o", replace(QUICK, rounds=0)), "no round searches"),
        (
            lambda a, p, t: average_particles(a, p, t / "o", replace(QUICK, limit_A=40.0)),
            "needs voxels of at most 20 Å",
        ),
        (lambda a, p, t: average_particles(a, p, t / "o", replace(QUICK, box_A=100.0)), "8 to 256"),
        (lambda a, p, t: average_particles(a, p, t / "o", replace(QUICK, radius_A=400.0)), "mask of 400"),
        (lambda a, p, t: average_particles(a, p, t / "o", replace(QUICK, shift_A=300.0)), "a quarter"),
        (lambda a, p, t: replace(QUICK, box_A=float("nan")), "box of an average is nan"),
        (lambda a, p, t: replace(QUICK, step_deg=0.0), "step"),
        (lambda a, p, t: replace(QUICK, rounds=-1), "-1 rounds"),
        (lambda a, p, t: replace(QUICK, shift_A=-1.0), "largest shift"),
    ],
)
def test_wrong_inputs_are_refused(
    source: MrcTomogram, table: ParticleTable, tmp_path: Path, action: Action, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        action(source, table, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o/average.mrc").exists()


def test_command_averages_files_and_tells_the_hand(
    tomogram: Path, table: ParticleTable, structure: Path, tmp_path: Path
) -> None:
    table.write_csv(tmp_path / "picks.csv")
    runner, target = CliRunner(), tmp_path / "out"
    base = ["average", str(tomogram), str(tmp_path / "picks.csv"), "--box-A", "500", "--limit-A", "90"]
    base += ["--to", str(target), "--step", "60", "--rounds", "1", "--local-rounds", "1"]
    assert "tilt-range" in runner.invoke(app, base).output
    wedge = ["--tilt-range=-60,60"]
    assert "classes are coil" in runner.invoke(app, [*base, *wedge, "--name", "boot"]).output
    assert "neither a file nor" in runner.invoke(app, [*base, *wedge, "--start", "blank"]).output
    result = runner.invoke(app, [*base, *wedge, "--start", "orientations", "--against", str(structure)])
    assert result.exit_code == 0, result.output
    assert "30 particles" in result.output
    assert "hand: that of the structure" in result.output
    assert json.loads((target / "summary.json").read_text())["against"]["hand"] == "that of the structure"


def test_nan_in_the_tomogram_is_told(table: ParticleTable, tomogram: Path, tmp_path: Path) -> None:
    volume = open_volume(tomogram)[0:EDGE, 0:1000, 0:1000]
    volume[3, 4, 5] = np.nan
    path = write_tomogram(tmp_path / "nan.mrc", volume)
    with pytest.raises(InputError, match=r"nan.mrc holds NaN"):
        average_particles(MrcTomogram.open(path), table, tmp_path / "out", QUICK)
    assert not (tmp_path / "out/average.mrc").exists()
