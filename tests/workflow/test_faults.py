"""Faults injected into real worker processes: a run ends with the bytes of an undisturbed one.

Workers read faults from files that are named after units and hold one fault per line, one for each attempt.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
import yaml
from distributed import Client, Future, LocalCluster, WorkerPlugin

import faket_dask
from faket_dask.cluster import open_cluster
from faket_dask.config import parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Event, UnitDone, UnitFailed, Watcher
from faket_dask.engine.lock import BEAT_S
from faket_dask.engine.plan import read_plan
from faket_dask.engine.task_size import FixedTaskSize, TaskSize
from faket_dask.engine.unit import Unit
from faket_dask.engine.validate import validate
from faket_dask.errors import DatasetBusyError
from faket_dask.pipeline import TILT_SERIES
from faket_dask.workflow.run import run_dataset_plan
from tests.cluster.requirements import requirements
from tests.hooks import plan_hooked, set_hook
from tests.runs import checksum_results, copy_without, small_document

PATIENCE_S = 240
ALLOWED_DEATHS = 1
"""Deaths of workers under one unit before the scheduler gives it up: first beside others, then alone."""


class FaultInjection(WorkerPlugin):
    """Plugin that injects faults before the units of `tests.hooks.HOOKED`.

    Parameters
    ----------
    faults
        Folder of the files that name units.
    """

    name = "faults"

    def __init__(self, faults: Path) -> None:
        self.faults = faults

    def setup(self, worker: Any) -> None:
        """Set the hook of the worker's process."""
        set_hook(self.inject)

    def inject(self, spec: DatasetSpec, unit: Unit) -> None:
        """Inject the next fault of a unit."""
        match self.take_fault(unit):
            case "stop":
                (self.faults / "stopped").write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGSTOP)
            case "slow":
                time.sleep(3)
            case "wait":
                (self.faults / "waiting").touch()
                while not (self.faults / "continue").exists():
                    time.sleep(0.02)
            case "hoard":
                blocks = []
                for _ in range(64):
                    blocks.append(bytearray(os.urandom(2**20)) * 64)
                    time.sleep(0.02)
            case "die":
                stage = TILT_SERIES[unit.stage]
                for path in stage.ownership(spec, unit.item).files(
                    unit.index
                ):  # torn, and an attempt beside it
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(b"torn")
                    path.with_suffix(".0123.partial").write_bytes(b"tor")
                os.kill(os.getpid(), signal.SIGKILL)

    def take_fault(self, unit: Unit) -> str | None:
        """Return the next fault of a unit, and remove it from its file."""
        path = self.faults / str(unit)
        try:
            first, *rest = path.read_text().splitlines()
        except (FileNotFoundError, ValueError):
            return None
        path.write_text("\n".join(rest))
        return first


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def processes(faults: Path) -> Iterator[Client]:
    """Client of two worker processes with fault injection, which are restarted when they die."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": ALLOWED_DEATHS}),
        open_cluster(requirements(memory_GiB=1), workers=2, memory_per_worker_GiB=3) as client,
    ):
        client.register_plugin(FaultInjection(faults))
        yield client


def schedule_faults(faults: Path, unit: str, *kinds: str) -> None:
    """Let a unit meet these faults, one at each attempt."""
    (faults / unit).write_text("\n".join(kinds))


def run_with_faults(
    client: Client,
    copy: Path,
    watch: Watcher | None = None,
    task_size: TaskSize | None = None,
    **cluster: Any,
) -> tuple[faket_dask.Dataset, list[Event]]:
    """Run the small data set in a folder with the pipeline of hooks."""
    events: list[Event] = []

    def collect(event: Event) -> None:
        events.append(event)
        if watch is not None:
            watch(event)

    planned = plan_hooked(parse(small_document(copy, cluster=cluster), copy))
    return run_dataset_plan(planned, client, collect, task_size=task_size), events


def list_computed(events: list[Event]) -> list[str]:
    return [str(event.unit) for event in events if isinstance(event, UnitDone)]


@pytest.mark.parametrize("task_size", [1, 2])
def test_units_of_killed_workers_are_computed_again(
    tiny_dataset: faket_dask.Dataset,
    processes: Client,
    faults: Path,
    tmp_path: Path,
    task_size: int,
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "project/specimen-000", "synthesise/specimen-000__b")
    # Dask gives a task up after the fourth death of a worker that held it; either fault may take the other's worker.
    schedule_faults(faults, "project specimen-000 0", "die", "die")
    schedule_faults(faults, "synthesise specimen-000__b 1", "die")
    dataset, events = run_with_faults(processes, copy, task_size=FixedTaskSize(task_size))
    assert not dataset.failures
    assert {"project specimen-000 0", "synthesise specimen-000__b 1"} <= set(list_computed(events))
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


@pytest.mark.slow
def test_unit_that_kills_every_worker_fails_with_its_cause(
    tiny_dataset: faket_dask.Dataset, processes: Client, faults: Path, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    schedule_faults(faults, "synthesise specimen-000__b 2", *["die"] * (2 * ALLOWED_DEATHS + 2))
    dataset, events = run_with_faults(processes, copy, retries=0)
    [failure] = dataset.failures
    assert str(failure.unit) == "synthesise specimen-000__b 2"
    assert "died again and again: out of memory (its limit was 3.00 GiB), or killed" in failure.cause
    assert len(list_computed(events)) == 4
    repaired, events = run_with_faults(processes, copy)
    assert not repaired.failures
    assert list_computed(events) == ["synthesise specimen-000__b 2"]
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


@pytest.mark.slow
def test_unit_that_takes_too_much_memory_fails_with_its_cause(
    tiny_dataset: faket_dask.Dataset, processes: Client, faults: Path, tmp_path: Path
) -> None:
    """The nanny kills the worker at 95 % of its limit, and starts another one."""
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    schedule_faults(faults, "synthesise specimen-000__b 1", *["hoard"] * (2 * ALLOWED_DEATHS + 2))
    dataset, _ = run_with_faults(processes, copy, retries=0)
    [failure] = dataset.failures
    assert str(failure.unit) == "synthesise specimen-000__b 1"
    assert "out of memory" in failure.cause
    assert not run_with_faults(processes, copy)[0].failures
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


def test_cancelled_unit_is_computed_again(
    tiny_dataset: faket_dask.Dataset, processes: Client, faults: Path, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    schedule_faults(faults, "synthesise specimen-000__b 2", "wait")

    label = TILT_SERIES["synthesise"].label

    def cancel() -> None:
        """Cancel the task while it is computed."""
        until = time.monotonic() + PATIENCE_S
        while not (faults / "waiting").exists() and time.monotonic() < until:
            time.sleep(0.02)
        with Client(processes.scheduler.address, set_as_default=False) as other:
            other.cancel([Future((label, "specimen-000__b", 2, 0), other)], force=True)

    failed: list[UnitFailed] = []

    def watch(event: Event) -> None:
        if isinstance(event, UnitFailed):
            failed.append(event)
            (faults / "continue").touch()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    dataset, _ = run_with_faults(processes, copy, watch)
    canceller.join()
    assert not dataset.failures
    [event] = failed
    assert str(event.unit) == "synthesise specimen-000__b 2"
    assert "cancelled" in event.cause
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


def test_moved_folder_ends_the_run_and_is_resumed_in_its_new_place(
    tiny_dataset: faket_dask.Dataset, processes: Client, faults: Path, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    schedule_faults(faults, "synthesise specimen-000__b 4", "slow")
    moved = tmp_path / "elsewhere"

    def move(event: Event) -> None:
        if isinstance(event, UnitDone) and not moved.exists():
            copy.rename(moved)

    with pytest.raises(DatasetBusyError, match=r"data was moved or deleted while a run was working on it"):
        run_with_faults(processes, copy, move)
    (moved / "progress" / "driver.lock").unlink()  # its holder, this process, lives on
    dataset, events = run_with_faults(processes, moved)
    assert not dataset.failures
    assert len(list_computed(events)) < 5
    assert checksum_results(moved) == checksum_results(tiny_dataset.folder)


@pytest.mark.slow
def test_worker_that_resumes_after_it_was_declared_dead_harms_nothing(
    tiny_dataset: faket_dask.Dataset, faults: Path, tmp_path: Path
) -> None:
    """Two workers then write the same unit; without nannies, as when a whole node hangs."""
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    schedule_faults(faults, "synthesise specimen-000__b 1", "stop")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1"]
    command += ["--preload", __name__]  # an import later on would delay the first heartbeats
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # to import the pipeline of hooks
    stopped = faults / "stopped"
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),
        LocalCluster(n_workers=0, protocol="tcp://", dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(FaultInjection(faults))
        workers = [
            subprocess.Popen(
                [*command, cluster.scheduler_address], stderr=subprocess.DEVNULL, env=environment
            )
            for _ in range(2)
        ]

        def wake() -> None:
            """Resume the stopped worker once the other one has computed the unit."""
            marker = copy / "progress/synthesise/specimen-000__b/1.json"
            until = time.monotonic() + PATIENCE_S
            while not marker.exists() and time.monotonic() < until:
                time.sleep(0.1)
            os.kill(int(stopped.read_text()), signal.SIGCONT)

        waker = threading.Thread(target=wake)
        waker.start()
        try:
            dataset, _ = run_with_faults(client, copy)
            waker.join()
            time.sleep(2)  # in which the resumed worker may still write
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
                worker.wait()
    assert not dataset.failures
    assert stopped.exists()
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)
    assert not [damage for damage in validate(read_plan(copy)) if not damage.missing]


def can_mount(folder: Path) -> bool:
    if os.getuid() or sys.platform != "linux":
        return False
    attempt = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True
    )
    if not attempt.returncode:
        subprocess.run(["umount", str(folder)], check=True)
    return not attempt.returncode


@pytest.mark.slow
def test_full_disk_stops_the_run_which_resumes_once_there_is_space(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    """Run on a file system of its own that is really full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not can_mount(disk):
        pytest.skip("mounting a small file system takes root")
    copy = copy_without(
        tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b", "synthesise/specimen-001__a"
    )
    used_bytes = sum(path.stat().st_blocks * 512 for path in copy.rglob("*"))
    size_bytes = used_bytes + 2_000_000
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", str(disk)], check=True)
    try:
        subprocess.run(["cp", "-r", str(copy), str(disk / "data")], check=True)
        document = small_document(disk / "data", cluster={"workers": 1})
        run_file = tmp_path / "run.yaml"
        run_file.write_text(yaml.safe_dump(document))
        ballast = disk / "ballast"
        free = psutil.disk_usage(str(disk)).free
        ballast.write_bytes(bytes(free - 200_000))
        command = [sys.executable, "-m", "faket_dask.cli", "run", str(run_file)]
        full = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert full.returncode == 1, full.stderr
        assert "no space left on the disk" in full.stderr or "GiB are free" in full.stderr
        assert "Traceback" not in full.stderr
        ballast.unlink()
        subprocess.run(["mount", "-o", f"remount,size={size_bytes * 3}", str(disk)], check=True)
        freed = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert freed.returncode == 0, freed.stderr
        assert checksum_results(disk / "data") == checksum_results(tiny_dataset.folder)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_stalled_file_system_delays_a_run_and_harms_nothing(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    """Run on a file system of its own that accepts no write for a while: driver and workers hang until it does."""
    disk, image = tmp_path / "disk", tmp_path / "disk.img"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    making = (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(disk)])
    if os.getuid() or not all(shutil.which(command[0]) for command in (*making, ["fsfreeze"])):
        pytest.skip("freezing a file system takes root, mkfs.ext4 and fsfreeze")
    if any(subprocess.run(command, capture_output=True).returncode for command in making):
        pytest.skip("no loop device is available")
    try:
        data = disk / "data"
        copy = copy_without(
            tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b", "synthesise/specimen-001__a"
        )
        shutil.copytree(copy, data)
        run_file = tmp_path / "run.yaml"
        run_file.write_text(yaml.safe_dump(small_document(data, cluster={"workers": 2})))
        before = len(list(data.rglob("progress/**/*.json")))
        run = subprocess.Popen(
            [sys.executable, "-m", "faket_dask.cli", "run", str(run_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until = time.monotonic() + PATIENCE_S
        while len(list(data.rglob("progress/**/*.json"))) <= before:
            assert run.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        subprocess.run(["fsfreeze", "--freeze", str(disk)], check=True)
        try:
            stalled = len(list(data.rglob("progress/**/*.json")))
            time.sleep(BEAT_S + 10)  # longer than the lock takes to be renewed
            assert run.poll() is None, "a stall is no failure"
            assert len(list(data.rglob("progress/**/*.json"))) == stalled
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", str(disk)], check=True)
        output, _ = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0, output
        assert checksum_results(data) == checksum_results(tiny_dataset.folder)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
