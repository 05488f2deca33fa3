"""Warnings about input files are told once: when the files are first recorded in a data set."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config import parse
from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import write_stack, write_volume
from tests.runs import small_document

ANGLES = np.array([-40.0, 0.0, 40.0])
SENTENCE = "breaks the MRC standard"


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run file whose recording and specimen have bytes after their data, which breaks the standard."""
    folder = tmp_path_factory.mktemp("odd")
    rng = np.random.default_rng(0)
    tilts = rng.standard_normal((3, 96, 80)).astype(np.float32)
    write_stack(folder / "a.st", iter(tilts), tilts.shape, 10.0)
    write_angles(folder / "a.tlt", -ANGLES)
    write_volume(folder / "v.mrc", rng.random((20, 96, 80)).astype(np.float32), 10.0)
    for name in ("a.st", "v.mrc"):
        with open(folder / name, "ab") as file:
            file.write(b"later")
    document = small_document(
        folder / "data",
        references=[{"name": "real", "stack": str(folder / "a.st")}],
        noise={"statistics": "given", "given": {"signal_scale": [0.4], "noise_scale": [0.9]}},
        outputs={"modalities": ["noisy"], "report": True},
        cluster={"workers": 1},
    )
    document["specimen"] = {"kind": "volume", "volumes": [{"density": str(folder / "v.mrc")}]}
    (folder / "run.yaml").write_text(yaml.safe_dump(document))
    return folder / "run.yaml"


def count_warnings(warned: list[warnings.WarningMessage]) -> int:
    return sum(SENTENCE in str(warning.message) for warning in warned)


def test_plan_of_recorded_inputs_warns_no_more(run_file: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(run_file.read_text())
    document["dataset"]["folder"] = str(tmp_path / "data")
    document["specimen"] = small_document(tmp_path)["specimen"]
    config = parse(document, tmp_path)
    with warnings.catch_warnings(record=True) as first:
        warnings.simplefilter("always")
        planned = faket_dask.plan(config)
    assert count_warnings(first) == 1
    planned.spec.write()
    with warnings.catch_warnings(record=True) as second:
        warnings.simplefilter("always")
        faket_dask.plan(config)
    assert count_warnings(second) == 0
    write_angles(run_file.with_name("a.tlt"), -ANGLES + 1)
    try:
        with warnings.catch_warnings(record=True) as changed:
            warnings.simplefilter("always")
            faket_dask.plan(config)
        assert count_warnings(changed) == 1, "other inputs are new ones"
    finally:
        write_angles(run_file.with_name("a.tlt"), -ANGLES)


def test_warnings_are_given_before_an_error(run_file: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(run_file.read_text())
    document["dataset"]["folder"] = str(tmp_path / "data")
    document["acquisition"]["pixel_size_A"] = 20
    with (
        pytest.warns(UserWarning, match=SENTENCE),
        pytest.raises(InputError, match="Å"),
    ):
        faket_dask.plan(parse(document, tmp_path))


def call(*arguments: object) -> list[str]:
    """Run a command, and return its lines that warn of a header."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return [line for line in result.output.splitlines() if SENTENCE in line]


@pytest.mark.slow
def test_header_warning_is_told_once_by_all_commands(
    run_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = run_file.parent / "data"
    assert len(call("validate", run_file)) == 2
    assert len(call("plan", run_file)) == 2
    assert len(call("run", run_file)) == 2
    for command in (
        ("plan", run_file),
        ("run", run_file),
        ("status", data),
        ("validate", data),
        ("reconstruct", data, "--modality", "noisy", "--binning", 2),
        ("export", data, "--to", "mrc", "--modality", "noisy"),
    ):
        assert call(*command) == [], command
    assert SENTENCE not in capfd.readouterr().err, "worker processes repeat it"
    assert len(call("validate", run_file)) == 2, "who asks for a check is told again"
