"""Lock file of the driver: one driver per folder."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from faket_dask.engine.lock import STALE_S, hold_lock
from faket_dask.errors import DatasetBusyError


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "progress" / "driver.lock"


def test_second_driver_is_refused_and_told_of_the_first(lock: Path) -> None:
    with hold_lock(lock), pytest.raises(DatasetBusyError, match=f"process {os.getpid()}"), hold_lock(lock):
        pass
    assert not lock.exists()


def test_lock_of_a_killed_driver_is_taken_over(lock: Path) -> None:
    script = f"""
        import pathlib, time
        from faket_dask.engine.lock import hold_lock
        with hold_lock(pathlib.Path({str(lock)!r})):
            print("held", flush=True)
            time.sleep(60)
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(DatasetBusyError), hold_lock(lock):
        pass
    holder.kill()
    holder.wait()
    with hold_lock(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def write_lock(path: Path, host: str, age: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"host": host, "pid": os.getpid(), "started": psutil.Process().create_time()}))
    os.utime(path, (time.time() - age, time.time() - age))


def test_lock_from_another_host_is_valid_while_it_is_renewed(lock: Path) -> None:
    write_lock(lock, "another-host", age=STALE_S / 2)
    with pytest.raises(DatasetBusyError, match="another-host"), hold_lock(lock):
        pass
    write_lock(lock, "another-host", age=STALE_S * 2)
    with hold_lock(lock):
        pass


def test_reused_process_number_does_not_hold_the_lock(lock: Path) -> None:
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": 12.0}))
    with hold_lock(lock):
        pass


def test_torn_lock_becomes_stale(lock: Path) -> None:
    lock.parent.mkdir(parents=True)
    lock.write_text('{"host": "x')
    with pytest.raises(DatasetBusyError, match="cannot be read"), hold_lock(lock):
        pass
    os.utime(lock, (0, 0))
    with hold_lock(lock):
        pass


def test_one_of_many_drivers_at_a_time_takes_over_a_stale_lock(lock: Path) -> None:
    """All drivers read the stale lock at once; those that are refused have met a living holder."""
    write_lock(lock, "another-host", age=STALE_S * 2)
    holders, most_holders, acquired = [0], [0], [0]
    start = threading.Barrier(8)

    def acquire() -> None:
        start.wait()
        with suppress(DatasetBusyError), hold_lock(lock):
            holders[0] += 1
            acquired[0] += 1
            most_holders[0] = max(most_holders[0], holders[0])
            time.sleep(0.05)
            holders[0] -= 1

    drivers = [threading.Thread(target=acquire) for _ in range(8)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert acquired[0] >= 1
    assert most_holders[0] == 1
    assert not lock.exists()


def test_driver_leaves_the_lock_that_another_has_taken_over(lock: Path) -> None:
    with hold_lock(lock):
        write_lock(lock, "another-host", age=0)
    assert json.loads(lock.read_text())["host"] == "another-host"


def test_check_notices_a_lost_lock(lock: Path) -> None:
    with hold_lock(lock) as held_lock:
        held_lock.check()
        write_lock(lock, "another-host", age=0)
        with pytest.raises(DatasetBusyError, match=r"another run has taken .* over .*another-host"):
            held_lock.check()
        lock.unlink()
        with pytest.raises(DatasetBusyError, match="moved or deleted"):
            held_lock.check()
