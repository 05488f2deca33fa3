"""Faults injected into real worker processes: afterwards, the same bytes as undisturbed.

Workers take orders, files that name a unit and what is to befall it, one line for each time that it is tried.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import psutil
import pytest
import yaml
from distributed import Client, Future, LocalCluster, WorkerPlugin

import faket_dask
from faket_dask.cluster import open_cluster
from faket_dask.config import parse
from faket_dask.engine.events import Event, UnitDone, UnitFailed
from faket_dask.engine.lock import BEAT_S
from faket_dask.engine.task_size import Lengths
from faket_dask.engine.validate import validate
from faket_dask.errors import InputError
from tests.cluster.requirements import requirements
from tests.runs import checksum_results, copy_without, small_document

PATIENCE_S = 240
ALLOWED_DEATHS = 1
"""Of workers under one unit, before the scheduler gives it up: first in company, then alone."""

cloudpickle.register_pickle_by_value(sys.modules[__name__])


class TakesOrders(WorkerPlugin):
    """Lets every unit look for an order before it computes."""

    name = "orders"

    def __init__(self, orders: Path) -> None:
        self.orders = orders

    def setup(self, worker: Any) -> None:
        from faket_dask.pipeline import STAGES

        for name in ("project", "style"):
            stage = STAGES[name]

            def compute(spec: Any, item: str, index: int, stage: Any = stage) -> dict[str, Any]:
                order = self.next_order(f"{stage.name} {item} {index}")
                if order == "stop":
                    (self.orders / "stopped").write_text(str(os.getpid()))
                    os.kill(os.getpid(), signal.SIGSTOP)
                if order == "slow":
                    time.sleep(3)
                if order == "wait":
                    (self.orders / "waiting").touch()
                    while not (self.orders / "go on").exists():
                        time.sleep(0.02)
                if order == "hoard":
                    held = []
                    for _ in range(64):
                        held.append(bytearray(os.urandom(2**20)) * 64)
                        time.sleep(0.02)
                if order == "die":
                    for path in stage.ownership(spec, item)(index):  # half written, and an attempt beside it
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(b"torn")
                        path.with_suffix(".0123.partial").write_bytes(b"tor")
                    os.kill(os.getpid(), signal.SIGKILL)
                return stage.compute(spec, item, index)

            STAGES[name] = replace(stage, compute=compute)

    def next_order(self, unit: str) -> str | None:
        path = self.orders / unit
        try:
            first, *rest = path.read_text().splitlines()
        except (FileNotFoundError, ValueError):
            return None
        path.write_text("\n".join(rest))
        return first


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def processes(orders: Path) -> Iterator[Client]:
    """Two worker processes that take orders, and that are started anew when they die."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": ALLOWED_DEATHS}),
        open_cluster(requirements(memory_GiB=1), workers=2, memory_per_worker_GiB=3) as client,
    ):
        client.register_plugin(TakesOrders(orders))
        yield client


def give(orders: Path, unit: str, *what: str) -> None:
    (orders / unit).write_text("\n".join(what))


def run_on(client: Client, copy: Path, **cluster: Any) -> tuple[faket_dask.Dataset, list[Event]]:
    events: list[Event] = []
    dataset = faket_dask.run(parse(small_document(copy, cluster=cluster), copy), client, events.append)
    return dataset, events


def computed(events: list[Event]) -> list[str]:
    return [str(event.unit) for event in events if isinstance(event, UnitDone)]


@pytest.mark.parametrize("group", [1, 2])
def test_workers_killed_in_the_middle_of_units_lose_nothing(
    tiny_dataset: faket_dask.Dataset,
    processes: Client,
    orders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    group: int,
) -> None:
    monkeypatch.setattr(Lengths, "group_size", lambda *_: group)
    copy = copy_without(tiny_dataset.folder, tmp_path, "project/specimen-000", "style/specimen-000__b")
    give(orders, "project specimen-000 0", "die", "die", "die")
    give(orders, "style specimen-000__b 1", "die")
    dataset, events = run_on(processes, copy)
    assert not dataset.failures
    assert {"project specimen-000 0", "style specimen-000__b 1"} <= set(computed(events))
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


@pytest.mark.slow
def test_a_unit_that_kills_every_worker_is_given_up_with_its_cause(
    tiny_dataset: faket_dask.Dataset, processes: Client, orders: Path, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "style/specimen-000__b")
    give(orders, "style specimen-000__b 2", *["die"] * (2 * ALLOWED_DEATHS + 2))
    dataset, events = run_on(processes, copy, retries=0)
    [failure] = dataset.failures
    assert str(failure.unit) == "style specimen-000__b 2"
    assert "died again and again: out of memory (its limit was 3.00 GiB), or killed" in failure.cause
    assert len(computed(events)) == 4
    mended, events = run_on(processes, copy)
    assert not mended.failures
    assert computed(events) == ["style specimen-000__b 2"]
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


@pytest.mark.slow
def test_a_unit_that_takes_too_much_memory_is_given_up_with_its_cause(
    tiny_dataset: faket_dask.Dataset, processes: Client, orders: Path, tmp_path: Path
) -> None:
    """The nanny kills the worker at 95 % of its limit, and starts another one."""
    copy = copy_without(tiny_dataset.folder, tmp_path, "style/specimen-000__b")
    give(orders, "style specimen-000__b 1", *["hoard"] * (2 * ALLOWED_DEATHS + 2))
    dataset, _ = run_on(processes, copy, retries=0)
    [failure] = dataset.failures
    assert str(failure.unit) == "style specimen-000__b 1"
    assert "out of memory" in failure.cause
    assert not run_on(processes, copy)[0].failures
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


def test_a_cancelled_unit_is_computed_all_the_same(
    tiny_dataset: faket_dask.Dataset, processes: Client, orders: Path, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "style/specimen-000__b")
    give(orders, "style specimen-000__b 2", "wait")

    def cancel() -> None:
        """While it computes, at the earliest: what is not submitted, or has ended, cannot be cancelled."""
        until = time.monotonic() + PATIENCE_S
        while not (orders / "waiting").exists() and time.monotonic() < until:
            time.sleep(0.02)
        with Client(processes.scheduler.address, set_as_default=False) as other:
            other.cancel([Future(("style", "specimen-000__b", 2, 0), other)], force=True)

    failed: list[UnitFailed] = []

    def watch(event: Event) -> None:
        if isinstance(event, UnitFailed):
            failed.append(event)
            (orders / "go on").touch()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    dataset = faket_dask.run(parse(small_document(copy), copy), processes, watch)
    canceller.join()
    assert not dataset.failures
    [event] = failed
    assert str(event.unit) == "style specimen-000__b 2"
    assert "cancelled" in event.cause
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


def test_a_folder_that_is_moved_away_ends_the_run_and_is_taken_up_where_it_is(
    tiny_dataset: faket_dask.Dataset, processes: Client, orders: Path, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "style/specimen-000__b")
    give(orders, "style specimen-000__b 4", "slow")
    moved = tmp_path / "elsewhere"

    def move(event: Event) -> None:
        if isinstance(event, UnitDone) and not moved.exists():
            copy.rename(moved)

    with pytest.raises(InputError, match=r"data was moved or deleted while a run was working on it"):
        faket_dask.run(parse(small_document(copy), copy), processes, move)
    (moved / "progress" / "driver.lock").unlink()  # a driver that has ended would not count as its holder
    dataset, events = run_on(processes, moved)
    assert not dataset.failures
    assert len(computed(events)) < 5
    assert checksum_results(moved) == checksum_results(tiny_dataset.folder)


@pytest.mark.slow
def test_a_worker_that_hangs_until_it_is_declared_dead_and_then_goes_on_harms_nothing(
    tiny_dataset: faket_dask.Dataset, orders: Path, tmp_path: Path
) -> None:
    """Two workers then write the same unit; without nannies, as when a whole node hangs."""
    copy = copy_without(tiny_dataset.folder, tmp_path, "style/specimen-000__b")
    give(orders, "style specimen-000__b 1", "stop")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1"]
    stopped = orders / "stopped"
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),
        LocalCluster(n_workers=0, protocol="tcp://", dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(TakesOrders(orders))
        workers = [
            subprocess.Popen([*command, cluster.scheduler_address], stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]

        def wake() -> None:
            """When the other worker has done the unit."""
            marker = copy / "progress/style/specimen-000__b/1.json"
            until = time.monotonic() + PATIENCE_S
            while not marker.exists() and time.monotonic() < until:
                time.sleep(0.1)
            os.kill(int(stopped.read_text()), signal.SIGCONT)

        waker = threading.Thread(target=wake)
        waker.start()
        try:
            dataset, _ = run_on(client, copy)
            waker.join()
            time.sleep(2)  # for what the worker that woke up still writes
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
                worker.wait()
    assert not dataset.failures
    assert stopped.exists()
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)
    assert not [damage for damage in validate(dataset.spec) if not damage.missing]


def is_root_with_mounts(folder: Path) -> bool:
    if os.getuid() or sys.platform != "linux":
        return False
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True
    )
    if not tried.returncode:
        subprocess.run(["umount", str(folder)], check=True)
    return not tried.returncode


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_the_run_and_freed_it_goes_on(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    """On a file system of its own that is really full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not is_root_with_mounts(disk):
        pytest.skip("mounting a small file system takes root")
    copy = copy_without(tiny_dataset.folder, tmp_path, "style/specimen-000__b", "style/specimen-001__a")
    taken = sum(path.stat().st_blocks * 512 for path in copy.rglob("*"))
    room = taken + 2_000_000
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "none", str(disk)], check=True)
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
        assert full.returncode == 2, full.stderr
        assert "no space left on the disk" in full.stderr or "GiB are free" in full.stderr
        assert "Traceback" not in full.stderr
        ballast.unlink()
        subprocess.run(["mount", "-o", f"remount,size={room * 3}", str(disk)], check=True)
        freed = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert freed.returncode == 0, freed.stderr
        assert checksum_results(disk / "data") == checksum_results(tiny_dataset.folder)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_file_system_that_stalls_holds_a_run_up_and_harms_nothing(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    """On a file system of its own that takes no write for a while: driver and workers hang in theirs, until it does."""
    disk, image = tmp_path / "disk", tmp_path / "disk.img"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    making = (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(disk)])
    if os.getuid() or not all(shutil.which(command[0]) for command in (*making, ["fsfreeze"])):
        pytest.skip("freezing a file system takes root, mkfs.ext4 and fsfreeze")
    if any(subprocess.run(command, capture_output=True).returncode for command in making):
        pytest.skip("there is no loop device to be had")
    try:
        data = disk / "data"
        copy = copy_without(tiny_dataset.folder, tmp_path, "style/specimen-000__b", "style/specimen-001__a")
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
            time.sleep(BEAT_S + 10)  # so that the lock is not renewed in time either
            assert run.poll() is None, "a stall is no failure"
            assert len(list(data.rglob("progress/**/*.json"))) == stalled
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", str(disk)], check=True)
        output, _ = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0, output
        assert checksum_results(data) == checksum_results(tiny_dataset.folder)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
