"""Runs on a real SLURM: worker jobs that come, go, are cancelled and run out of time, and drivers that are jobs."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from distributed import Client

import faket_dask
from faket_dask.cluster import Profile, batch, open_cluster
from faket_dask.config import parse
from faket_dask.engine.events import Event, RunStarted, UnitDone, UnitFailed
from faket_dask.errors import InputError
from tests.cluster.requirements import requirements
from tests.cluster.slurm import Slurm
from tests.runs import bytes_of, small_document

pytestmark = pytest.mark.slurm

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 200


@pytest.fixture(autouse=True)
def nothing_is_left(slurm: Slurm) -> Iterator[None]:
    """Every test finds an empty queue; that one which has passed leaves one is its own to check."""
    yield
    slurm.cancel_all()


@pytest.fixture(autouse=True)
def ended_jobs_are_replaced_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "POLL_S", 1.0)


def document(**changes: Any) -> dict[str, Any]:
    """A profile for this machine's SLURM, whose workers run the code under test."""
    return {
        "system": "slurm",
        "workers": 2,
        "cores": 1,
        "walltime": "00:10:00",
        "scheduler_options": {"host": "127.0.0.1"},
        "job_script_prologue": [f"export PYTHONPATH={ROOT}"],
        **changes,
    }


def profile(**changes: Any) -> Profile:
    return Profile.model_validate(document(**changes))


def small(folder: Path, **changes: Any) -> dict[str, Any]:
    """One series of three tilts: more than twenty units, none of which takes long."""
    sections: dict[str, Any] = {
        "specimen": {"count": 1},
        "acquisition": {"tilt_angles": [-40, 0, 40]},
        "references": [{"kind": "simulated", "name": "a"}],
        "outputs": {"modalities": ["faket", "noisy"]},
    }
    return small_document(folder / "data", **{**sections, **changes})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What comes out on one worker of this process when nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        faket_dask.run(parse(small(folder), folder), client)
    return bytes_of(folder / "data")


class Disturbed:
    """Watches a run, does something whenever so many units are done, and remembers who did what."""

    def __init__(self, at: tuple[int, ...] = (), disturb: Callable[[], None] = lambda: None) -> None:
        self.at = at
        self.disturb = disturb
        self.processes: list[int] = []
        self.failed: list[UnitFailed] = []
        self.workers = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.workers = event.workers
        elif isinstance(event, UnitFailed):
            self.failed.append(event)
        elif isinstance(event, UnitDone):
            self.processes.append(event.record["process"])
            if len(self.processes) in self.at:
                self.disturb()


def run(folder: Path, where: Profile, watch: Callable[[Event], None]) -> Path:
    dataset = faket_dask.run(parse(small(folder), folder), watch=watch, cluster=where)
    assert not dataset.failures
    return folder / "data"


def test_two_processes_of_one_job_make_the_data_set_of_one_process(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    asked = []
    watch = Disturbed(at=(1,), disturb=lambda: asked.extend(slurm.jobs("faket-dask")))
    data = run(tmp_path, profile(cores=2), watch)
    assert bytes_of(data) == undisturbed
    slurm.wait_for_no_jobs()
    assert len(asked) == 1
    assert watch.workers == len(set(watch.processes)) == 2
    assert list((data / "progress" / "jobs").glob("*.log")), "jobs leave no log"


@pytest.mark.parametrize(("processes_per_job", "at"), [(1, (3, 12)), (2, (3,))])
def test_cancelled_jobs_are_replaced_and_nothing_is_lost(
    slurm: Slurm,
    undisturbed: dict[str, str],
    tmp_path: Path,
    processes_per_job: int,
    at: tuple[int, ...],
) -> None:
    cancelled = []

    def cancel_all() -> None:
        found = slurm.jobs("faket-dask", states="RUNNING")
        slurm.cancel(*found)
        cancelled.extend(found)

    watch = Disturbed(at, disturb=cancel_all)
    data = run(tmp_path, profile(cores=processes_per_job), watch)
    assert bytes_of(data) == undisturbed
    assert len(cancelled) >= len(at)
    assert len(set(watch.processes)) >= 3


def test_workers_that_run_out_of_time_lose_nothing(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    """A walltime of a minute makes lifetimes of less than half of one; the run takes longer."""
    watch = Disturbed(at=tuple(range(1, 1000)), disturb=lambda: time.sleep(2.0))
    data = run(tmp_path, profile(walltime="00:01:00"), watch)
    assert bytes_of(data) == undisturbed
    assert len(set(watch.processes)) > 2, "no worker was replaced"
    assert not watch.failed, "the end of a worker is no failure of a unit"


def test_every_worker_has_a_gpu_of_its_own(slurm: Slurm) -> None:
    def shown() -> str:
        import os

        return os.environ["CUDA_VISIBLE_DEVICES"]

    asked = requirements(units=2, memory_GiB=1.0, seconds=0.1, gpu_GiB=5)
    for per_job in (1, 2):
        where = profile(cores=2, gpu={"memory": "40GiB", "per_job": per_job})
        with open_cluster(asked, where) as client:
            client.wait_for_workers(2, timeout=PATIENCE_S)
            assert set(client.run(shown).values()) == {"0", "1"}, per_job
            assert len(slurm.jobs("faket-dask")) == 2 // per_job
        slurm.wait_for_no_jobs()


def test_a_job_that_ends_before_its_worker_comes_is_replaced(slurm: Slurm, tmp_path: Path) -> None:
    once = tmp_path / "once"
    fails_once = f"mkdir {once} 2>/dev/null && exit 1"
    prologue = [*document()["job_script_prologue"], fails_once]
    with open_cluster(
        requirements(units=1, memory_GiB=1.0, seconds=0.1), profile(job_script_prologue=prologue)
    ) as client:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    assert once.is_dir()


def test_jobs_that_all_end_before_a_worker_comes_end_the_run_with_what_they_said(
    slurm: Slurm, tmp_path: Path
) -> None:
    prologue = [*document()["job_script_prologue"], "echo no such module: torch; exit 1"]
    with pytest.raises(InputError, match=r"6 worker jobs in a row ended .* said: no such module: torch"):
        run(tmp_path, profile(job_script_prologue=prologue), Disturbed())
    slurm.wait_for_no_jobs()


def test_jobs_that_slurm_does_not_take_are_an_error_at_once(slurm: Slurm) -> None:
    asked = requirements(units=2, memory_GiB=1.0, seconds=0.1)
    with (
        pytest.raises(
            InputError, match=r"does not take the jobs of this cluster profile: .*invalid partition"
        ),
        open_cluster(asked, profile(queue="nowhere")),
    ):
        pass


# Drivers


def write_run(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """A run file and a profile."""
    run_file, where = folder / "run.yaml", folder / "profile.yaml"
    run_file.write_text(yaml.safe_dump(small(folder, **changes)))
    where.write_text(yaml.safe_dump(document()))
    return run_file, where


def environment() -> dict[str, str]:
    """What a user's shell has: the command on its path, and here the code under test."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def submit(folder: Path, script: str, *arguments: str | Path, options: tuple[str, ...] = ()) -> str:
    """Submit a script of `jobs/`, wait until it has ended, and return what it printed."""
    log = folder / "job.log"
    command = [
        "sbatch",
        "--wait",
        f"--output={log}",
        *options,
        str(ROOT / "jobs" / script),
        *map(str, arguments),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as waiting:
        try:
            said, _ = waiting.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            waiting.kill()
            said, _ = waiting.communicate()
    output = log.read_text() if log.exists() else ""
    assert waiting.returncode == 0, f"{said}\n{output}"
    return output


@pytest.mark.parametrize("script", ["slurm-cpu.sh", "slurm-gpu.sh"])
def test_a_driver_that_is_a_job_submits_its_workers(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path, script: str
) -> None:
    run_file, where = write_run(tmp_path)
    output = submit(tmp_path, script, run_file, where)
    assert "on 2 workers" in output
    assert f"1 series in {tmp_path / 'data'}" in output
    assert bytes_of(tmp_path / "data") == undisturbed


def test_a_run_in_one_job_takes_the_cores_and_the_memory_of_its_allocation(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    run_file, _ = write_run(tmp_path, cluster={"workers": None})
    output = submit(tmp_path, "slurm-node.sh", run_file, options=("--cpus-per-task=6", "--mem=2700M"))
    assert "on 2 workers" in output, "2.7 GB hold two tasks of 0.95 GiB beside the driver"
    assert bytes_of(tmp_path / "data") == undisturbed


def start_and_wait(folder: Path, for_markers: int) -> subprocess.Popen[str]:
    """Start a driver and wait until some units are done."""
    run_file, where = write_run(folder)
    driver = subprocess.Popen(
        [sys.executable, "-m", "faket_dask.cli", "run", str(run_file), "--cluster", str(where)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    until = time.monotonic() + PATIENCE_S
    while len(list((folder / "data" / "progress").rglob("*.json"))) < for_markers:
        assert driver.poll() is None, driver.stdout.read() if driver.stdout else ""
        assert time.monotonic() < until
        time.sleep(0.05)
    return driver


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_driver_and_another_one_goes_on(
    slurm: Slurm, undisturbed: dict[str, str], tmp_path: Path, how: signal.Signals
) -> None:
    driver = start_and_wait(tmp_path, for_markers=5)
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
    assert bytes_of(data) == undisturbed
