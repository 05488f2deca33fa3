"""Runs through the commands of PBS, which here submit to a real SLURM: the Torque commands of Debian's SLURM.

They differ from PBS as `docs/clusters.md` lists; the profile here adapts to one of the differences, by redirecting the
output of jobs, for which these commands choose a file of their own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faket_dask.cluster import Profile, open_cluster
from faket_dask.errors import ClusterError
from tests.cluster.requirements import requirements
from tests.cluster.slurm import Slurm
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

pytestmark = [pytest.mark.pbs, pytest.mark.usefixtures("frequent_polling")]


@pytest.fixture(autouse=True)
def empty_queue(torque: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty queue for the next test, and a working folder for the output files of jobs."""
    monkeypatch.chdir(tmp_path)
    yield
    torque.cancel_all()


def document(folder: Path, **changes: Any) -> dict[str, Any]:
    profile = profile_document("pbs", **changes)
    logs = folder / "data" / "progress" / "jobs"
    redirection = f"exec > {logs}/$SLURM_JOB_ID.log 2>&1"
    return {**profile, "job_script_prologue": [redirection, *profile["job_script_prologue"]]}


def test_run_survives_deletion_of_its_only_job(
    torque: Slurm, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    """The command line's run has one worker job, so that it can only end once the deleted job is replaced."""
    driver = start_driver(tmp_path, document(tmp_path, workers=1), markers=5)
    deleted = torque.jobs()
    torque.call("qdel", *deleted)
    output, _ = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, output
    assert checksum_results(tmp_path / "data") == undisturbed
    torque.wait_for_no_jobs()
    logs = {path.stem for path in (tmp_path / "data" / "progress" / "jobs").glob("*.log")}
    assert len(deleted) == 1
    assert len(logs - set(deleted)) == 1


def test_job_requests_cores_and_memory_of_its_processes(torque: Slurm, tmp_path: Path) -> None:
    required = requirements(units=2, memory_GiB=1.0, seconds=0.1)
    (tmp_path / "data" / "progress" / "jobs").mkdir(parents=True)
    with open_cluster(required, Profile.model_validate(document(tmp_path, cores=2))) as client:
        client.wait_for_workers(2, timeout=PATIENCE_S)
        resources = torque.call("squeue", "--noheader", "--format=%C %m")
    assert resources.split() == ["2", "2.50G"]


def test_refused_jobs_are_reported_at_once(torque: Slurm, tmp_path: Path) -> None:
    with (
        pytest.raises(ClusterError, match=r"PBS refuses the jobs of .* invalid partition specified: nowhere"),
        open_cluster(
            requirements(units=2, memory_GiB=1.0, seconds=0.1),
            Profile.model_validate(document(tmp_path, queue="nowhere")),
        ),
    ):
        pass


def test_run_ends_with_output_of_jobs_that_all_fail(torque: Slurm, tmp_path: Path) -> None:
    profile = document(tmp_path, job_script_prologue=["echo no such module: torch; exit 1"])
    with pytest.raises(
        ClusterError, match=r"6 worker jobs in a row ended .* ends with: no such module: torch"
    ):
        run(tmp_path, Profile.model_validate(profile), Disturbed())
    torque.wait_for_no_jobs()


def test_driver_job_submits_its_workers(torque: Slurm, undisturbed: dict[str, str], tmp_path: Path) -> None:
    run_file, profile_file = write_run(tmp_path, document(tmp_path))
    script = activate_environment("pbs-cpu.sh", tmp_path)
    variables = f"RUN_FILE={run_file},PROFILE={profile_file},PATH,SLURM_CONF"
    log = tmp_path / "job.log"
    output = submit(
        ["qsub", "-W", "block=true", "-j", "oe", "-o", str(log), "-v", variables, str(script)], log
    )
    assert "on 2 workers" in output
    assert checksum_results(tmp_path / "data") == undisturbed
