"""Small runs on a real batch system, and disturbances of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import faket_dask
from faket_dask.cluster import Profile
from faket_dask.config import parse
from faket_dask.engine.events import Event, RunStarted, UnitDone, UnitFailed
from tests.runs import small_document

ROOT = Path(__file__).resolve().parents[2]

PATIENCE_S = 200


def small(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return a run file for one series of three tilts: more than twenty units, none of which takes long."""
    sections: dict[str, Any] = {
        "specimen": {"count": 1},
        "acquisition": {"tilt_angles": [-40, 0, 40]},
        "references": [{"kind": "simulated", "name": "a"}],
        "outputs": {"modalities": ["faket", "noisy"]},
    }
    return small_document(folder / "data", **{**sections, **changes})


def profile_document(system: str, **changes: Any) -> dict[str, Any]:
    """Return a profile for this machine's batch system, whose workers run the code under test."""
    return {
        "system": system,
        "workers": 2,
        "cores": 1,
        "walltime": "00:10:00",
        "scheduler_options": {"host": "127.0.0.1"},
        "job_script_prologue": [f"export PYTHONPATH={ROOT}"],
        **changes,
    }


class Disturbed:
    """Observer of a run that disturbs it at certain numbers of finished units, and records which workers took part.

    Parameters
    ----------
    after
        Numbers of finished units.
    disturb
        Disturbance.
    """

    def __init__(self, after: tuple[int, ...] = (), disturb: Callable[[], None] = lambda: None) -> None:
        self.after = after
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
            self.processes.append(event.marker.process)
            if len(self.processes) in self.after:
                self.disturb()


def run(folder: Path, profile: Profile, watch: Callable[[Event], None]) -> Path:
    """Run the small run in this process with worker jobs of a profile, and return the data set's folder."""
    dataset = faket_dask.run(parse(small(folder), folder), watch=watch, cluster=profile)
    assert not dataset.failures
    return folder / "data"


def write_run(folder: Path, profile: dict[str, Any], **changes: Any) -> tuple[Path, Path]:
    """Write a run file and a profile, and return their paths."""
    run_file, profile_file = folder / "run.yaml", folder / "profile.yaml"
    run_file.write_text(yaml.safe_dump(small(folder, **changes)))
    profile_file.write_text(yaml.safe_dump(profile))
    return run_file, profile_file


def shell_environment() -> dict[str, str]:
    """Return the environment of a user's shell: with the command on its path, and the code under test."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def activate_environment(script: str, folder: Path) -> Path:
    """Write a script of `jobs/` whose line for the Python environment names that of the tests, and return its path.

    Login shells and clean environments would otherwise not have the command on their PATH.
    """
    line = "# source /path/to/.venv/bin/activate"
    text = (ROOT / "jobs" / script).read_text()
    assert text.count(line) == 1
    path = folder / script
    path.write_text(text.replace(line, f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={ROOT}"))
    return path


def submit(command: list[str], log: Path) -> str:
    """Submit a script by a command that waits for its end, and return the script's output."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=shell_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as waiting:
        try:
            message, _ = waiting.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            waiting.kill()
            message, _ = waiting.communicate()
    output = log.read_text() if log.exists() else ""
    assert waiting.returncode == 0, f"{message}\n{output}"
    return output


def start_driver(folder: Path, profile: dict[str, Any], markers: int) -> subprocess.Popen[str]:
    """Start `faket-dask run --cluster` and wait until so many units are done."""
    run_file, profile_file = write_run(folder, profile)
    driver = subprocess.Popen(
        [sys.executable, "-m", "faket_dask.cli", "run", str(run_file), "--cluster", str(profile_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=shell_environment(),
    )
    until = time.monotonic() + PATIENCE_S
    while len(list((folder / "data" / "progress").rglob("*.json"))) < markers:
        assert driver.poll() is None, driver.stdout.read() if driver.stdout else ""
        assert time.monotonic() < until
        time.sleep(0.05)
    return driver
