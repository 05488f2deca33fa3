"""Runs on a real SLURM: worker jobs that start, end, are cancelled and run out of time, and drivers that are jobs."""

import re
import signal
import time
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
    ROOT,
    Disturbed,
    profile_document,
    run,
    start_driver,
    submit,
    write_run,
)
from tests.runs import checksum_results

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("frequent_polling")]


@pytest.fixture(autouse=True)
def empty_queue(slurm: Slurm) -> Iterator[None]:
    """Empty queue for the next test; a test that passes must check its own."""
    yield
    slurm.cancel_all()


def profile(**changes: Any) -> Profile:
    return Profile.model_validate(profile_document("slurm", **changes))


def test_job_of_two_processes_gives_identical_bytes(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    submitted = []
    watch = Disturbed(after=(1,), disturb=lambda: submitted.extend(slurm.jobs("faket-dask")))
    data = run(tmp_path, profile(cores=2), watch)
    assert checksum_results(data) == undisturbed
    slurm.wait_for_no_jobs()
    assert len(submitted) == 1
    assert watch.workers == len(set(watch.processes)) == 2
    assert list((data / "progress" / "jobs").glob("*.log")), "jobs leave no log"


@pytest.mark.parametrize(("processes_per_job", "after"), [(1, (3, 12)), (2, (3,))])
def test_cancelled_jobs_are_replaced_without_loss(
    slurm: Slurm,
    undisturbed: dict[str, str],
    tmp_path: Path,
    processes_per_job: int,
    after: tuple[int, ...],
) -> None:
    cancelled = []

    def cancel_all() -> None:
        running = slurm.jobs("faket-dask", states="RUNNING")
        slurm.cancel(*running)
        cancelled.extend(running)

    watch = Disturbed(after, disturb=cancel_all)
    data = run(tmp_path, profile(cores=processes_per_job), watch)
    assert checksum_results(data) == undisturbed
    assert len(cancelled) >= len(after)
    assert len(set(watch.processes)) >= 3


def test_short_walltime_loses_no_unit(slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path) -> None:
    """A walltime of a minute makes lifetimes of less than half of one; the run takes longer."""
    watch = Disturbed(after=tuple(range(1, 1000)), disturb=lambda: time.sleep(2.0))
    data = run(tmp_path, profile(walltime="00:01:00"), watch)
    assert checksum_results(data) == undisturbed
    assert len(set(watch.processes)) > 2, "no worker was replaced"
    assert not watch.failed, "a worker's end counted as a failure"


def test_each_worker_has_its_own_gpu(slurm: Slurm) -> None:
    def shown() -> str:
        import os

        return os.environ["CUDA_VISIBLE_DEVICES"]

    required = requirements(units=2, memory_GiB=1.0, seconds=0.1, gpu_GiB=5)
    for per_job in (1, 2):
        two_cores = profile(cores=2, gpu={"memory": "40GiB", "per_job": per_job})
        with open_cluster(required, two_cores) as client:
            client.wait_for_workers(2, timeout=PATIENCE_S)
            assert set(client.run(shown).values()) == {"0", "1"}, per_job
            assert len(slurm.jobs("faket-dask")) == 2 // per_job
        slurm.wait_for_no_jobs()


def test_job_that_ends_before_its_worker_is_replaced(slurm: Slurm, tmp_path: Path) -> None:
    once = tmp_path / "once"
    fails_once = f"mkdir {once} 2>/dev/null && exit 1"
    prologue = [*profile_document("slurm")["job_script_prologue"], fails_once]
    with open_cluster(
        requirements(units=1, memory_GiB=1.0, seconds=0.1), profile(job_script_prologue=prologue)
    ) as client:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    assert once.is_dir()


def test_run_ends_with_output_of_jobs_that_all_fail(slurm: Slurm, tmp_path: Path) -> None:
    prologue = [*profile_document("slurm")["job_script_prologue"], "echo no such module: torch; exit 1"]
    with pytest.raises(
        ClusterError, match=r"6 worker jobs in a row ended .* ends with: no such module: torch"
    ):
        run(tmp_path, profile(job_script_prologue=prologue), Disturbed())
    slurm.wait_for_no_jobs()


def test_refused_jobs_are_reported_at_once(slurm: Slurm) -> None:
    required = requirements(units=2, memory_GiB=1.0, seconds=0.1)
    with (
        pytest.raises(
            ClusterError, match=r"SLURM refuses the jobs of this cluster profile: .*invalid partition"
        ),
        open_cluster(required, profile(queue="nowhere")),
    ):
        pass


# Drivers


def sbatch(folder: Path, script: str, *arguments: str | Path, options: tuple[str, ...] = ()) -> str:
    """Submit a script of `jobs/`, wait until it has ended, and return its output."""
    log = folder / "job.log"
    path = str(ROOT / "jobs" / script)
    return submit(["sbatch", "--wait", f"--output={log}", *options, path, *map(str, arguments)], log)


@pytest.mark.parametrize("script", ["slurm-cpu.sh", "slurm-gpu.sh"])
def test_driver_job_submits_its_workers(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path, script: str
) -> None:
    run_file, profile_file = write_run(tmp_path, profile_document("slurm"))
    output = sbatch(tmp_path, script, run_file, profile_file)
    assert "on 2 workers" in output
    assert f"1 series in {tmp_path / 'data'}" in output
    assert checksum_results(tmp_path / "data") == undisturbed


def test_run_in_one_job_uses_its_allocation(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    run_file, _ = write_run(tmp_path, profile_document("slurm"), cluster={"workers": None})
    output = sbatch(tmp_path, "slurm-node.sh", run_file, options=("--cpus-per-task=6", "--mem=2700M"))
    assert "on 2 workers" in output, "2.7 GB hold two tasks of 0.95 GiB beside the driver"
    assert checksum_results(tmp_path / "data") == undisturbed


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_driver_and_run_resumes(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path, how: signal.Signals
) -> None:
    driver = start_driver(tmp_path, profile_document("slurm"), markers=5)
    assert slurm.jobs("faket-dask")
    driver.send_signal(how)
    output, _ = driver.communicate(timeout=PATIENCE_S)
    slurm.wait_for_no_jobs()
    if how == signal.SIGTERM:
        assert driver.returncode == 130
        assert re.search(r"`faket-dask run \S+ --cluster \S+` continues where it stopped", output)
        return
    watch = Disturbed()
    data = run(tmp_path, profile(), watch)
    assert 0 < len(watch.processes) < len(list((data / "progress").rglob("*.json")))
    assert checksum_results(data) == undisturbed
