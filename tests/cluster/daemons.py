"""Daemons of a batch system as children of the tests, with all their files in one folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

START_S = 60

SYSTEM_FOLDERS = "/usr/sbin:/sbin"
"""Folders of daemons, which not every user's PATH holds."""

CPUS = 8
"""Cores of the only node: more than the machine has, so that a driver's job and those of its workers run together."""


class BatchDaemons(ABC):
    """Running daemons of a batch system of one node.

    Parameters
    ----------
    folder
        Empty folder for all files of the daemons.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[subprocess.Popen[bytes]] = []
        self.variables: dict[str, str] = {}

    @abstractmethod
    def start(self) -> None:
        """Start the daemons, and lead the commands of this process to them by environment variables."""

    @abstractmethod
    def jobs(self) -> list[str]:
        """Return the ids of all jobs that have not ended, the oldest first."""

    @abstractmethod
    def cancel(self, *jobs: str) -> None:
        """Cancel jobs."""

    def cancel_all(self) -> None:
        """Cancel all jobs and wait until they are gone."""
        remaining = self.jobs()
        if remaining:
            self.cancel(*remaining)
        self.wait_for_no_jobs()

    def wait_for_no_jobs(self, patience_s: float = 90) -> None:
        """Wait until all jobs have ended."""
        self.wait(lambda: not self.jobs(), patience_s)

    def stop(self) -> None:
        """Cancel all jobs, end the daemons by their process ids, and restore the environment."""
        try:
            if self.children:
                self.cancel_all()
        finally:
            for child in reversed(self.children):
                child.terminate()
            for child in reversed(self.children):
                try:
                    child.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    child.kill()
            for name in self.variables:
                os.environ.pop(name, None)

    def call(self, *command: str, check: bool = True, text: str | None = None) -> str:
        """Run a command and return its output."""
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, input=text)
        if check and result.returncode:
            raise RuntimeError(f"{' '.join(command)}: {result.stderr}{result.stdout}")
        return result.stdout

    def export(self, **variables: str) -> None:
        """Set environment variables until the daemons are stopped."""
        self.variables |= variables
        os.environ.update(variables)

    def spawn(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a daemon in the foreground."""
        path = find_command(command[0])
        assert path is not None
        with (self.folder / f"{command[0]}.out").open("wb") as output:
            self.children.append(
                subprocess.Popen(
                    [path, *command[1:]],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                )
            )

    def wait(self, condition: Callable[[], bool], patience_s: float = START_S) -> None:
        """Wait for a condition; fail with the daemons' output when one of them ends or time is up."""
        until = time.monotonic() + patience_s
        while not condition():
            ended = [child.args for child in self.children if child.poll() is not None]
            if ended or time.monotonic() > until:
                outputs = "\n".join(path.read_text() for path in sorted(self.folder.glob("*.out")))
                raise RuntimeError(f"the batch system does not respond; ended: {ended}\n{outputs}")
            time.sleep(0.2)


def find_command(name: str) -> str | None:
    """Return the path of a command or daemon; None if it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")


def can_start(*commands: str) -> bool:
    """Return True if this process is root and all commands are installed."""
    return os.geteuid() == 0 and all(find_command(name) for name in commands)


def find_free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def raise_exit(signum: int, frame: object) -> None:
    """Turn SIGTERM into an exception, so that fixtures stop their daemons."""
    raise SystemExit(128 + signal.SIGTERM)
