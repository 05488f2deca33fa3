"""One driver per data set."""

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

from faket_dask.engine.lock import STALE_S, locked
from faket_dask.errors import InputError


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "progress" / "driver.lock"


def test_a_second_driver_is_refused_and_told_of_the_first(lock: Path) -> None:
    with locked(lock), pytest.raises(InputError, match=f"process {os.getpid()}"), locked(lock):
        pass
    assert not lock.exists()


def test_the_lock_of_a_killed_driver_is_taken_over(lock: Path) -> None:
    script = f"""
        import pathlib, time
        from faket_dask.engine.lock import locked
        with locked(pathlib.Path({str(lock)!r})):
            print("held", flush=True)
            time.sleep(60)
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError), locked(lock):
        pass
    holder.kill()
    holder.wait()
    with locked(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def write_lock(path: Path, host: str, age: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"host": host, "pid": os.getpid(), "started": psutil.Process().create_time()}))
    os.utime(path, (time.time() - age, time.time() - age))


def test_a_lock_from_another_host_counts_while_it_is_renewed(lock: Path) -> None:
    write_lock(lock, "another-host", age=STALE_S / 2)
    with pytest.raises(InputError, match="another-host"), locked(lock):
        pass
    write_lock(lock, "another-host", age=STALE_S * 2)
    with locked(lock):
        pass


def test_a_reused_process_number_is_not_the_old_driver(lock: Path) -> None:
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": 12.0}))
    with locked(lock):
        pass


def test_a_torn_lock_is_stale_after_a_while(lock: Path) -> None:
    lock.parent.mkdir(parents=True)
    lock.write_text('{"host": "x')
    with pytest.raises(InputError, match="cannot be read"), locked(lock):
        pass
    os.utime(lock, (0, 0))
    with locked(lock):
        pass


def test_of_many_that_find_a_stale_lock_one_at_a_time_gets_it(lock: Path) -> None:
    """All find the same dead driver's lock at once; whoever is refused has met a living one."""
    write_lock(lock, "another-host", age=STALE_S * 2)
    inside, most, had = [0], [0], [0]
    together = threading.Barrier(8)

    def take() -> None:
        together.wait()
        with suppress(InputError), locked(lock):
            inside[0] += 1
            had[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.05)
            inside[0] -= 1

    takers = [threading.Thread(target=take) for _ in range(8)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert had[0] >= 1
    assert most[0] == 1
    assert not lock.exists()


def test_a_driver_whose_lock_was_taken_over_leaves_the_new_one(lock: Path) -> None:
    with locked(lock):
        write_lock(lock, "another-host", age=0)
    assert json.loads(lock.read_text())["host"] == "another-host"


def test_a_lock_that_is_lost_is_noticed(lock: Path) -> None:
    with locked(lock) as held:
        held.check()
        write_lock(lock, "another-host", age=0)
        with pytest.raises(InputError, match=r"another run has taken .* over .*another-host"):
            held.check()
        lock.unlink()
        with pytest.raises(InputError, match="moved or deleted"):
            held.check()
