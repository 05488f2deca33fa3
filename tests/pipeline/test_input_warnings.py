"""Warnings about input files are told once: when the files are first recorded in a data set."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from faket_dask.cli import app
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


def call(*arguments: object) -> list[str]:
    """Run a command, and return its lines that warn of a header."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return [line for line in result.output.splitlines() if SENTENCE in line]


def test_header_warning_is_told_once(run_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
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
