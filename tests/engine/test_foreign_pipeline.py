"""A pipeline without images goes through plan, executors, kill and resume, status, progress, follow and validate."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from rich.console import Console
from typer.testing import CliRunner

from faket_dask.cli import app
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.driver import execute
from faket_dask.engine.events import Event, RunEnded, UnitDone, UnitFailed
from faket_dask.engine.follow import RunFollower
from faket_dask.engine.marker import FileRecord, Marker
from faket_dask.engine.pipeline import LAYOUT_VERSION, find_pipeline, register_pipeline
from faket_dask.engine.plan import Plan, read_plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.engine.serial import execute_serially
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.status import read_status
from faket_dask.engine.unit import Item, Unit
from faket_dask.engine.validate import forget, validate
from faket_dask.errors import InputError
from faket_dask.progress import ProgressDisplay, RunState
from faket_dask.progress.heatmap import draw
from tests.engine.dice import DICE, Average, Compare, DiceSpec, Throw

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register_pipeline(DICE.name, DICE.target)


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Client]:
    """Two worker processes, which import the pipeline from its module."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def results(root: Path) -> dict[str, bytes]:
    """Contents of every file that units write."""
    files = (path for path in root.rglob("*") if path.is_file() and "progress" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.name != "plan.json"}


def compute_serially(spec: DiceSpec) -> Plan[DiceSpec]:
    plan = Plan(spec, DICE)
    spec.write()
    execute_serially(plan, CompletedUnits.read(plan))
    return plan


def test_plan_orders_batches_by_rank_and_dependence(tmp_path: Path) -> None:
    plan = Plan(DiceSpec(tmp_path, experiments=2, rounds=3), DICE)
    assert [batch.key for batch in plan.batches] == [
        (Throw.name, Item("experiment-0")),
        (Average.name, Item("experiment-0")),
        (Throw.name, Item("experiment-1")),
        (Average.name, Item("experiment-1")),
        (Compare.name, Item("all", "means")),
    ]
    requirements = plan.requirements({BatchKey(Throw.name, Item("experiment-0")): 3})
    assert {stage.stage: stage.units for stage in requirements.stages} == {
        "throw": 3,
        "average": 2,
        "compare": 1,
    }
    assert "2 experiments of 3 rounds" in repr(plan)
    assert "compare" in plan._repr_html_()


def test_driver_and_serial_executor_write_the_same_bytes(tmp_path: Path, two_workers: Client) -> None:
    serial = compute_serially(DiceSpec(tmp_path / "serial"))
    spec = DiceSpec(tmp_path / "dask")
    failures = run_plan(Plan(spec, DICE), Execution(two_workers))
    assert failures == ()
    assert results(spec.root) == results(serial.spec.root)
    findings = CompletedUnits.read(read_plan(spec.root)).read_markers(Compare.name, Item("all", "means"))
    winner = json.loads((spec.root / "winner.json").read_text())["winner"]
    assert findings[0].findings == {"winner": winner}


def test_extended_run_computes_only_new_units(tmp_path: Path, two_workers: Client) -> None:
    run_plan(Plan(DiceSpec(tmp_path / "dice"), DICE), Execution(two_workers))
    events: list[Event] = []
    run_plan(Plan(DiceSpec(tmp_path / "dice", experiments=3), DICE), Execution(two_workers), events.append)
    computed = {(e.unit.stage, e.unit.item.owner) for e in events if isinstance(e, UnitDone)}
    assert computed == {("throw", "experiment-2"), ("average", "experiment-2"), ("compare", "all")}


def test_run_with_other_inputs_is_refused_by_name_of_difference(tmp_path: Path, two_workers: Client) -> None:
    run_plan(Plan(DiceSpec(tmp_path / "dice"), DICE), Execution(two_workers))
    with pytest.raises(InputError, match="They differ in seed"):
        run_plan(Plan(DiceSpec(tmp_path / "dice", seed=2), DICE), Execution(two_workers))


def test_failed_unit_leaves_out_its_successors_only(tmp_path: Path, two_workers: Client) -> None:
    spec = DiceSpec(tmp_path / "dice", broken_round=2)
    events: list[Event] = []
    failures = run_plan(Plan(spec, DICE), Execution(two_workers, retries=1), events.append)
    assert [str(failure.unit) for failure in failures] == ["throw experiment-0 2"]
    assert "fell off the table" in failures[0].cause
    assert sum(isinstance(event, UnitFailed) for event in events) == 2
    status = read_status(read_plan(spec.root))
    assert status.products_done == ("experiment-1",)
    assert [failure.unit for failure in status.failures] == [Unit("throw", Item("experiment-0"), 2)]


DRIVER = """
import sys
from pathlib import Path
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from tests.engine.dice import DICE, DiceSpec
if __name__ == "__main__":
    spec = DiceSpec(Path(sys.argv[1]), experiments=3, rounds=10, pause_s=0.2)
    run_plan(Plan(spec, DICE), Execution(workers=2))
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_killed_run_resumes_without_repeating_units(tmp_path: Path, stop: signal.Signals) -> None:
    undisturbed = compute_serially(DiceSpec(tmp_path / "serial", experiments=3, rounds=10))
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    folder = tmp_path / "dice"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(folder)]
    driver = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    markers = folder / "progress" / "throw"
    deadline = time.monotonic() + 120
    while len(list(markers.rglob("*.json"))) < 6:
        assert time.monotonic() < deadline, "no unit was computed"
        assert driver.poll() is None, "the run ended before it was stopped"
        time.sleep(0.05)
    os.killpg(driver.pid, stop)
    driver.wait(60)
    done = {path: path.stat().st_mtime_ns for path in markers.rglob("*.json")}
    assert len(done) < 30
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=240)
    assert results(folder) == results(undisturbed.spec.root)
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in done.items())


def test_progress_counts_products_and_draws_them(tmp_path: Path, two_workers: Client) -> None:
    spec = DiceSpec(tmp_path / "dice")
    state, text = RunState(), io.StringIO()
    with ProgressDisplay(Console(file=text, force_terminal=False)) as display:

        def watch(event: Event) -> None:
            state(event)
            display(event)

        run_plan(Plan(spec, DICE), Execution(two_workers), watch)
    assert state.done == state.total == 15
    assert "2 of 2 experiments" in state.summary()
    assert "2 experiments of 6 rounds" in text.getvalue()
    assert draw(state, None).startswith(b"\x89PNG")


def test_follower_reports_the_run_from_its_folder(tmp_path: Path, two_workers: Client) -> None:
    run_plan(Plan(DiceSpec(tmp_path / "dice"), DICE), Execution(two_workers))
    events = RunFollower(read_plan(tmp_path / "dice")).look()
    assert sum(isinstance(event, UnitDone) for event in events) == 15
    assert events[-1] == RunEnded(())


def test_validate_finds_damage_and_repair_restores_the_bytes(tmp_path: Path) -> None:
    plan = compute_serially(DiceSpec(tmp_path / "dice"))
    before = results(plan.spec.root)
    assert validate(plan) == []
    chunk = next(path for path in sorted((tmp_path / "dice").rglob("c/3/0")))
    chunk.write_bytes(chunk.read_bytes()[::-1])
    (tmp_path / "dice" / "experiment-1.json").write_text('{"mean": 7.0}')
    damages = validate(plan)
    assert sorted(str(damage.unit) for damage in damages) == [
        "average experiment-1 0",
        "throw experiment-0 3",
    ]
    forget(plan, damages)
    execute_serially(plan, CompletedUnits.read(plan))
    assert results(plan.spec.root) == before


def test_contradictory_contents_are_damage(tmp_path: Path) -> None:
    plan = compute_serially(DiceSpec(tmp_path / "dice"))
    unit = Unit("average", Item("experiment-0"), 0)
    file = tmp_path / "dice" / "experiment-0.json"
    file.write_text('{"mean": 9.0}')
    marker = Marker.read(plan.spec.folder.marker(unit))
    assert marker is not None
    replace(marker, files={file.name: FileRecord.measure(file)}).write(plan.spec.folder.marker(unit))
    assert [str(damage) for damage in validate(plan)] == [f"{unit}: mean is 9.0, not between 1 and 6"]


def test_command_line_shows_status_and_validates(tmp_path: Path) -> None:
    plan = compute_serially(DiceSpec(tmp_path / "dice"))
    run = CliRunner().invoke
    status = run(app, ["status", str(plan.spec.root)])
    assert status.exit_code == 0
    assert "15 of 15 units, 2 of 2 experiments complete" in status.output
    checked = run(app, ["validate", str(plan.spec.root)])
    assert checked.exit_code == 0
    assert "all units are complete and undamaged" in " ".join(checked.output.split())


def test_unknown_pipeline_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pipeline 'cards'"):
        find_pipeline("cards")


def test_folder_of_other_layout_is_refused_in_one_sentence(tmp_path: Path) -> None:
    plan = compute_serially(DiceSpec(tmp_path / "dice"))
    path = plan.spec.folder.description
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"layout": 1}))
    with pytest.raises(InputError, match=rf"has folder layout 1, .* reads layout {LAYOUT_VERSION}"):
        read_plan(plan.spec.root)


def test_driver_computes_with_any_client(tmp_path: Path, two_workers: Client) -> None:
    spec = DiceSpec(tmp_path / "dice", experiments=1)
    spec.write()
    plan = Plan(spec, DICE)
    completed = CompletedUnits.empty(plan)
    assert execute(plan, completed, two_workers) == []
    assert all(not progress.missing() for progress in completed.batches.values())
