"""Benchmark of a scenario that takes seconds."""

import json
from pathlib import Path

import pytest

from faket_dask.benchmark import command
from faket_dask.benchmark.measure import COLUMNS, format_row, measure
from faket_dask.benchmark.scenarios import PUBLISHED, PublishedFigures, Scenario
from faket_dask.config import StyleSection
from faket_dask.errors import InputError

SMALL = Scenario(3, 64, 48, "cpu", 1, PublishedFigures(3.9, None, 0.67))


def test_time_of_sampled_scenario_is_extrapolated_and_marked() -> None:
    measurement = measure(SMALL, StyleSection(), workers=1, sample=2)
    assert measurement.extrapolated
    assert measurement.tilts == 2
    assert measurement.seconds > measurement.targets_seconds + measurement.transfer_seconds
    assert 0.2 * 2**30 < measurement.ram_bytes < 4 * 2**30
    row = format_row(measurement)
    assert len(row) == len(COLUMNS)
    assert row[:4] == ("3x64²", "48²", "1 CPU", "whole")
    assert row[4].endswith("(3.9)")
    assert row[6].startswith("≈")


def test_figures_are_written_and_unknown_scenarios_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(command, "PUBLISHED", (SMALL,))
    file = tmp_path / "here.json"
    shown: list[object] = []
    command.run_benchmark(shown.append, ["3x64-48"], "cpu", 1, 1, "float32", 4.0, file)
    [measured] = json.loads(file.read_text())["measurements"]
    assert measured["tilts"] == 1
    assert (tmp_path / "cache" / "calibration").exists()
    with pytest.raises(InputError, match="there is no '7x7-7'; there are 3x64-48"):
        command.run_benchmark(shown.append, ["7x7-7"], "cpu", 1, 1, "float32", 4.0, None)
    with pytest.raises(InputError, match="--precision"):
        command.run_benchmark(shown.append, ["3x64-48"], "cpu", 1, 1, "float16", 4.0, None)


def test_all_scenarios_of_the_paper_are_listed() -> None:
    assert len(PUBLISHED) == 18
    assert len({scenario.name for scenario in PUBLISHED}) == 18
