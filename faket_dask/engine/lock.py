"""One driver per data set: a lock file that survives nobody who holds it."""

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
from faket_dask.errors import InputError

BEAT_S = 20.0
STALE_S = 600.0
"""A lock from another host that was not renewed for so long is taken for that of a dead driver."""


@dataclass(frozen=True)
class Lock:
    """The lock file that this process holds, and what it wrote into it."""

    path: Path
    text: str

    def check(self) -> None:
        """See that it is still there.

        Raises
        ------
        InputError
            When the data set's folder is gone, or another driver has taken it over: nothing may be written any more.
        """
        found = _text(self.path)
        if found == self.text:
            return
        folder = self.path.parent.parent
        if found is None:
            raise InputError(
                f"{folder} was moved or deleted while a run was working on it; what is done is where it went: "
                "give that folder as dataset.folder (or move it back) and run again"
            )
        raise InputError(
            f"another run has taken {folder} over ({living_holder(self.path) or found}); this one stops"
        )


@contextmanager
def locked(path: Path) -> Iterator[Lock]:
    """Hold a lock file while the block runs.

    The holder renews the file's time; a lock is stale when its process on this host is gone, or when one
    from another host was not renewed for ten minutes.

    Yields
    ------
    lock
        To see from time to time whether it is still held.

    Raises
    ------
    InputError
        When another living driver holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    started = psutil.Process().create_time()
    mine = json.dumps(
        {"host": socket.gethostname(), "pid": os.getpid(), "started": started, "token": uuid4().hex}
    )
    _acquire(path, mine)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(BEAT_S):
            with suppress(OSError):  # a stalled file system may answer the next time
                os.utime(path)

    threading.Thread(target=renew, name="driver-lock", daemon=True).start()
    try:
        yield Lock(path, mine)
    finally:
        ended.set()
        if _text(path) == mine:
            path.unlink(missing_ok=True)


def _acquire(path: Path, text: str) -> None:
    while True:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            found = _text(path)
            holder = living_holder(path)
            if holder is not None:
                raise InputError(
                    f"another run is working on {path.parent.parent} ({holder}); wait for it or stop it. "
                    f"If you are sure that it is dead, delete {path}"
                ) from None
            if found is not None and _take_over(path, found, text):
                return
            continue
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        return


def _take_over(path: Path, stale: str, text: str) -> bool:
    """Put a lock in place of a stale one, unless another driver does or did.

    Whoever does it holds a claim on that very lock, looks again, and replaces it: at no moment is there none that a
    third driver could create.
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
        if _text(path) != stale:
            return False
        write_text(path, text)
        return True
    finally:
        claim.unlink(missing_ok=True)


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def living_holder(path: Path) -> str | None:
    """Who holds a lock and lives, as far as can be told from here, or nothing."""
    try:
        age = time.time() - path.stat().st_mtime
        holder = json.loads(path.read_text())
        host, pid, started = holder["host"], int(holder["pid"]), float(holder["started"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError):
        # Written this very moment, or torn by a crash.
        return "its lock cannot be read" if age < BEAT_S else None
    if host == socket.gethostname():
        try:
            alive = abs(psutil.Process(pid).create_time() - started) < 1
        except psutil.NoSuchProcess:
            alive = False
    else:
        alive = age < STALE_S
    return f"process {pid} on {host}" if alive else None
