"""Runs on a real Grid Engine: worker jobs that are deleted, refused or fail, and drivers that are jobs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faket_dask.cluster import Profile, open_cluster
from faket_dask.errors import ClusterError
from tests.cluster.gridengine import GridEngine
from tests.cluster.requirements import requirements
from tests.cluster.small_runs import (
    PATIENCE_S,
    Disturbed,
    activate_environment,
    profile_document,
    run,
    start_driver,
    submit,
    write_run,
)
from tests.runs import checksum_results

pytestmark = [pytest.mark.gridengine, pytest.mark.usefixtures("frequent_polling")]


@pytest.fixture(autouse=True)
def empty_queue(gridengine: GridEngine) -> Iterator[None]:
    """Empty queue for the next test; a test that passes must check its own."""
    yield
    gridengine.cancel_all()


def profile(**changes: Any) -> Profile:
    return Profile.model_validate(profile_document("sge", **changes))


def test_run_survives_deletion_of_its_only_job(
    gridengine: GridEngine, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    """The command line's run has one worker job, so that it can only end once the deleted job is replaced."""
    driver = start_driver(tmp_path, profile_document("sge", workers=1), markers=5)
    deleted = gridengine.jobs()
    gridengine.cancel(*deleted)
    output, _ = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, output
    assert checksum_results(tmp_path / "data") == undisturbed
    gridengine.wait_for_no_jobs()
    logs = [path.stem for path in (tmp_path / "data" / "progress" / "jobs").glob("*.log")]
    assert len(deleted) == 1
    assert len(set(logs) - set(deleted)) == 1, "jobs leave one log each, named by their ids"


def test_job_of_two_slots_is_replaced_without_loss(
    gridengine: GridEngine, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    deleted: list[str] = []

    def delete_all() -> None:
        running = gridengine.running_jobs("faket-dask")
        gridengine.cancel(*running)
        deleted.extend(running)

    watch = Disturbed(after=(3,), disturb=delete_all)
    data = run(tmp_path, profile(cores=2), watch)
    assert checksum_results(data) == undisturbed
    assert len(deleted) == 1
    assert len(set(watch.processes)) >= 3
    gridengine.wait_for_no_jobs()


def test_refused_jobs_are_reported_at_once(gridengine: GridEngine) -> None:
    with (
        pytest.raises(ClusterError, match=r"Grid Engine refuses the jobs of .* queue \"nowhere\""),
        open_cluster(
            requirements(units=2, memory_GiB=1.0, seconds=0.1),
            profile(queue="nowhere", job_extra_directives=["-w e"]),
        ),
    ):
        pass


def test_run_ends_with_output_of_jobs_that_all_fail(gridengine: GridEngine, tmp_path: Path) -> None:
    prologue = [*profile_document("sge")["job_script_prologue"], "echo no such module: torch; exit 1"]
    with pytest.raises(
        ClusterError, match=r"6 worker jobs in a row ended .* ends with: no such module: torch"
    ):
        run(tmp_path, profile(job_script_prologue=prologue), Disturbed())
    gridengine.wait_for_no_jobs()


def qsub(folder: Path, script: str, *arguments: str | Path, options: tuple[str, ...] = ()) -> str:
    """Submit a script of `jobs/`, wait until it has ended, and return its output."""
    log = folder / "job.log"
    command = ["qsub", "-sync", "y", "-o", str(log), *options]
    return submit([*command, str(activate_environment(script, folder)), *map(str, arguments)], log)


def test_driver_job_submits_its_workers(
    gridengine: GridEngine, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    run_file, profile_file = write_run(tmp_path, profile_document("sge"))
    output = qsub(tmp_path, "sge-cpu.sh", run_file, profile_file)
    assert "on 2 workers" in output
    assert checksum_results(tmp_path / "data") == undisturbed


def test_run_in_one_job_uses_its_slots(
    gridengine: GridEngine, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    run_file, _ = write_run(tmp_path, profile_document("sge"), cluster={"workers": None})
    output = qsub(tmp_path, "sge-node.sh", run_file, options=("-pe", "smp", "1"))
    assert "on 1 worker" in output
    assert checksum_results(tmp_path / "data") == undisturbed
