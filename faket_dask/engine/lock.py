"""Lock file of a run's driver; it becomes stale when its owner dies."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from faket_dask.atomic import write_text
from faket_dask.errors import DatasetBusyError

BEAT_S = 20.0
"""Seconds between two renewals."""

STALE_S = 600.0
"""Seconds without a renewal after which a lock from another host counts as that of a dead driver."""


@dataclass(frozen=True)
class RunLock:
    """Lock file held by this process, and its contents."""

    path: Path
    text: str

    def check(self) -> None:
        """Check that the lock is still held.

        Raises
        ------
        DatasetBusyError
            If the folder is gone, or another driver has taken it over: nothing may be written any more.
        """
        current = _read(self.path)
        if current == self.text:
            return
        folder = self.path.parent.parent
        if current is None:
            raise DatasetBusyError(
                f"{folder} was moved or deleted while a run was working on it; what is done is where it went: "
                "give that folder as dataset.folder (or move it back) and run again"
            )
        raise DatasetBusyError(
            f"another run has taken {folder} over ({find_living_holder(self.path) or current}); this one stops"
        )


@contextmanager
def hold_lock(path: Path) -> Iterator[RunLock]:
    """Hold a lock file while the block runs.

    The holder renews the file's time. A lock is stale when its process on this host is gone, or when one from another
    host was not renewed for ten minutes.

    Yields
    ------
    lock
        Lock to check from time to time.

    Raises
    ------
    DatasetBusyError
        If another living driver holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    started = psutil.Process().create_time()
    contents = json.dumps(
        {"host": socket.gethostname(), "pid": os.getpid(), "started": started, "token": uuid4().hex}
    )
    _acquire(path, contents)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(BEAT_S):
            with suppress(OSError):  # a stalled file system may answer the next time
                os.utime(path)

    threading.Thread(target=renew, name="driver-lock", daemon=True).start()
    try:
        yield RunLock(path, contents)
    finally:
        ended.set()
        if _read(path) == contents:
            path.unlink(missing_ok=True)


def _acquire(path: Path, text: str) -> None:
    while True:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            current = _read(path)
            holder = find_living_holder(path)
            if holder is not None:
                raise DatasetBusyError(
                    f"another run is working on {path.parent.parent} ({holder}); wait for it or stop it. "
                    f"If you are sure that it is dead, delete {path}"
                ) from None
            if current is not None and _take_over(path, current, text):
                return
            continue
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        return


def _take_over(path: Path, stale: str, text: str) -> bool:
    """Replace a stale lock, unless another driver does or did.

    A driver first claims that very lock, reads it again, and replaces it: the file is never absent, so no third driver
    can create one.
    """
    claim = path.with_name(f".{path.name}.{hashlib.sha256(stale.encode()).hexdigest()[:16]}.claim")
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        with suppress(FileNotFoundError):
            if time.time() - claim.stat().st_mtime > STALE_S:
                claim.unlink()
        time.sleep(0.05)
        return False
    try:
        if _read(path) != stale:
            return False
        write_text(path, text)
        return True
    finally:
        claim.unlink(missing_ok=True)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def find_living_holder(path: Path) -> str | None:
    """Describe the living process that holds a lock, as far as can be told from here; ``None`` if there is none."""
    try:
        age = time.time() - path.stat().st_mtime
        holder = json.loads(path.read_text())
        host, pid, started = holder["host"], int(holder["pid"]), float(holder["started"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError):
        # Being written, or torn by a crash.
        return "its lock cannot be read" if age < BEAT_S else None
    if host == socket.gethostname():
        try:
            alive = abs(psutil.Process(pid).create_time() - started) < 1
        except psutil.NoSuchProcess:
            alive = False
    else:
        alive = age < STALE_S
    return f"process {pid} on {host}" if alive else None
