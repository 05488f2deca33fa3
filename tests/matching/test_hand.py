"""Tests of the check of the hand: tomograms of either hand, places without particles, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from faket_dask.cli import app
from faket_dask.errors import InputError
from faket_dask.matching.hand import HandCheck, HandVerdict, check_hand
from faket_dask.pipeline.tomogram_source import MrcTomogram
from faket_dask.stages.matching import MatchSettings
from tests.averaging.planted import TILTS, plant, write_tomogram

SETTINGS = MatchSettings(tilt_angles=TILTS, step_deg=45.0)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tomogram(tmp_path_factory.mktemp("hands") / "right.mrc", plant(16, seed=7)[0])


def test_either_hand_is_told(right: Path, tmp_path: Path) -> None:
    searched = MrcTomogram.open(right)
    volume = searched.read(tuple(slice(0, size) for size in searched.shape))
    mirrored = MrcTomogram.open(write_tomogram(tmp_path / "mirrored.mrc", volume[::-1]))
    verdicts = {}
    for source in (searched, mirrored):
        check = check_hand(source, "coil", tmp_path / f"{source.title}.json", SETTINGS, most=16)
        verdicts[source.title] = check.verdict
        assert json.loads((tmp_path / f"{source.title}.json").read_text())["verdict"] == check.verdict.value
    assert verdicts == {"right.mrc": HandVerdict.RIGHT, "mirrored.mrc": HandVerdict.MIRRORED}
    assert not list(tmp_path.glob(".*unfinished"))


def test_command_tells_the_sign_of_the_angles(right: Path, tmp_path: Path) -> None:
    searched = MrcTomogram.open(right)
    volume = searched.read(tuple(slice(0, size) for size in searched.shape))
    mirrored = write_tomogram(tmp_path / "mirrored.mrc", volume[..., ::-1])
    arguments = ["coil", "--tilt-range=-60,60", "--step", "45", "--most", "16", "--sign", "warp"]
    result = CliRunner().invoke(
        app, ["check-hand", str(mirrored), *arguments, "--to", str(tmp_path / "a.json")]
    )
    assert result.exit_code == 3, result.output
    assert "its angles have that of --sign imod" in result.output


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"),
    [
        (9, 1, HandVerdict.RIGHT),
        (1, 9, HandVerdict.MIRRORED),
        (6, 4, HandVerdict.UNDECIDED),
        (170, 30, HandVerdict.RIGHT),
        (1, 0, HandVerdict.UNDECIDED),
    ],
)
def test_verdict_needs_an_interval_that_excludes_a_half(wins: int, losses: int, verdict: HandVerdict) -> None:
    count = wins + losses
    score = np.repeat([0.6, 0.4], [wins, losses])
    check = HandCheck(np.zeros((count, 3)), score, np.full(count, 0.5))
    low, high = check.interval()
    assert low <= check.share <= high
    assert check.verdict is verdict


def test_wrong_arguments_are_refused(right: Path, tmp_path: Path) -> None:
    searched = MrcTomogram.open(right)
    with pytest.raises(InputError, match=r"no \.json file"):
        check_hand(searched, "coil", tmp_path / "a.txt", SETTINGS)
    with pytest.raises(InputError, match="places are none"):
        check_hand(searched, "coil", tmp_path / "a.json", SETTINGS, most=0)
    with pytest.raises(InputError, match="neither a file nor"):
        check_hand(searched, "coyl", tmp_path / "a.json", SETTINGS)
