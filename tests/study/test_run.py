"""A tiny study from its plan to its report: killed, resumed, extended."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config.study import load_study, parse_study
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.pipeline import register_pipeline
from faket_dask.engine.plan import Plan
from faket_dask.engine.serial import execute_serially
from faket_dask.errors import InputError
from faket_dask.study import scorers
from faket_dask.study.pipeline import STUDY
from faket_dask.study.run import plan_study, read_study, report_study
from faket_dask.study.spec import StudySpec, model_name
from tests.study.conftest import StudyDocument

KILL = """
import os, signal, sys
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.serial import execute_serially
from faket_dask.study import scorers
from faket_dask.study.run import plan_study

scorers.PERMUTATIONS = 20
plan = plan_study(sys.argv[1])
plan.spec.write()
left = [int(sys.argv[2])]
replace = os.replace


def replace_or_die(source, target):
    if str(target).endswith(".npz"):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)


os.replace = replace_or_die
execute_serially(plan, CompletedUnits.read(plan))
"""


@pytest.fixture(autouse=True)
def _few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorers, "PERMUTATIONS", 20)


def finish(plan: Plan[StudySpec]) -> int:
    """Compute what is missing, and return the number of units that were."""
    plan.spec.write()
    ended: list[object] = []
    execute_serially(plan, CompletedUnits.read(plan), ended.append)
    return len(ended)


def read_scores(root: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(root)): json.loads(path.read_text()) for path in root.glob("scores/*/*.json")
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study") / "study.yaml"


@pytest.fixture
def finished(file: Path, study_document: StudyDocument) -> Plan[StudySpec]:
    """Study that was computed without interruption; it is made once."""
    if not file.exists():
        file.write_text(yaml.safe_dump(study_document(file.parent / "result"), sort_keys=False))
        finish(plan_study(file))
    return read_study(file.parent / "result")


def test_plan_states_units_hours_memory_and_disk_and_writes_nothing(
    study_document: StudyDocument, tmp_path: Path
) -> None:
    plan = plan_study(parse_study(study_document(tmp_path / "result"), tmp_path))
    requirements = plan.requirements()
    units = {stage.stage: stage.units for stage in requirements.stages}
    assert units == {"train": 6, "measure": 2, "segment": 8, "pick": 8, "score": 8}
    assert requirements.unknown == ()
    assert requirements.core_seconds > 0
    assert requirements.bytes_per_task > 2**28
    assert requirements.bytes_written > 0
    assert not (tmp_path / "result").exists()


def test_killed_study_resumes_to_the_same_scores(
    finished: Plan[StudySpec], file: Path, tmp_path: Path
) -> None:
    document = yaml.safe_load(file.read_text())
    document["study"]["folder"] = str(tmp_path / "result")
    copy = tmp_path / "study.yaml"
    copy.write_text(yaml.safe_dump(document, sort_keys=False))
    killed = subprocess.run([sys.executable, "-c", KILL, str(copy), "4"], check=False)
    assert killed.returncode == -signal.SIGKILL
    plan = plan_study(copy)
    done = sum(CompletedUnits.read(plan).counts().values())
    assert done == 3
    assert finish(plan) == 32 - done
    assert read_scores(plan.spec.root) == read_scores(finished.spec.root)
    for name, model in plan.spec.models.items():
        whole = finished.spec.models[name]
        assert model.checkpoint(-1).read_bytes() == whole.checkpoint(-1).read_bytes()


def test_seeds_start_differently_and_fine_tuning_waits_for_its_parent(finished: Plan[StudySpec]) -> None:
    spec = finished.spec
    first, second = (spec.models[model_name("whole", seed)] for seed in (1, 2))
    assert first.checkpoint(0).read_bytes() != second.checkpoint(0).read_bytes()
    tuned = spec.models[model_name("tuned", 1)]
    assert tuned.section.start == first.checkpoint(0)
    batches = {batch.key: batch for batch in finished.batches}
    waits = batches["train", tuned.items[0]].after
    assert [key.item for key in waits] == [first.items[0]]


def test_more_seeds_keep_what_is_done(finished: Plan[StudySpec], file: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.spec.root, tmp_path / "result")
    document = yaml.safe_load(file.read_text())
    document |= {"study": {"folder": str(tmp_path / "result")}, "seeds": [1, 2, 5]}
    plan = plan_study(parse_study(document, tmp_path))
    assert sum(CompletedUnits.read(plan).counts().values()) == 32
    assert plan.spec.fingerprint == finished.spec.fingerprint


def test_report_has_scores_intervals_differences_and_pictures(finished: Plan[StudySpec]) -> None:
    spec = report_study(finished.spec.root)
    page = spec.report.read_text(encoding="utf-8")
    for part in ("whole", "tuned", "whole − tuned", "Smallest visible", "F1-macro", "68 %", "95 %"):
        assert part in page
    assert page.count("data:image/svg+xml") == 4
    assert page.count("data:image/png") == 2
    lines = spec.table.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 8
    assert lines[0].startswith(
        "model,seed,role,tomogram,epoch,localisation_f1,macro_f1,score,permuted_macro_f1,f1 "
    )


def test_commands_take_the_file_or_the_folder(finished: Plan[StudySpec], file: Path) -> None:
    register_pipeline(STUDY.name, STUDY.target)  # as the entry point of an installation does
    planned = CliRunner().invoke(app, ["study", "plan", str(file)])
    assert planned.exit_code == 0, planned.output
    assert "2 models with 2 seeds" in planned.output
    assert "32 units are done, 0 left" in planned.output
    for study in (file, finished.spec.root):
        status = CliRunner().invoke(app, ["study", "status", str(study)])
        assert "32 of 32 units, 8 of 8 scores complete" in status.output
    reported = CliRunner().invoke(app, ["study", "report", str(file)])
    assert f"report: {finished.spec.report}" in reported.output


def test_changed_report_is_not_replaced(finished: Plan[StudySpec], tmp_path: Path) -> None:
    root = Path(shutil.copytree(finished.spec.root, tmp_path / "result"))
    spec = report_study(root)
    spec.report.write_text("mine")
    with pytest.raises(InputError, match="changed since"):
        report_study(root)
    assert report_study(root, overwrite=True).report.read_text(encoding="utf-8") != "mine"


def test_folder_of_another_run_is_no_study(specimens: faket_dask.Dataset) -> None:
    with pytest.raises(InputError, match="holds a run of tilt-series and no study"):
        report_study(specimens.folder)


def test_study_file_is_kept_in_the_folder(finished: Plan[StudySpec], file: Path) -> None:
    kept = load_study(finished.spec.root / "study.yaml")
    assert kept == load_study(file)
    assert StudySpec.read(finished.spec.root) == finished.spec
