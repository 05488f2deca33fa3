"""The study that is shipped: a real training, from nothing but its two files."""

import csv
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faket_dask.cli import app

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_demo_tells_classes_apart_in_an_unseen_specimen(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    for name in ("study-demo-data.yaml", "study-demo.yaml"):
        shutil.copy(CONFIGS / name, configs)
    for command in (
        ["run", str(configs / "study-demo-data.yaml")],
        ["study", "run", str(configs / "study-demo.yaml")],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    with open(tmp_path / "study-demo" / "table.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["role"] == "test"]
    assert [(row["model"], row["seed"]) for row in rows] == [
        ("benchmark", "1"),
        ("benchmark", "2"),
        ("noisy", "1"),
        ("noisy", "2"),
    ]
    for row in rows:
        assert float(row["macro_f1"]) > float(row["permuted_macro_f1"]), row
