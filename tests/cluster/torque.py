"""Torque commands over SLURM: `qsub`, `qstat` and `qdel` of Debian's package slurm-wlm-torque.

The package conflicts with Grid Engine's client, which has commands of the same names. It may therefore also lie
unpacked in a folder: `make torque-commands` puts it into `.torque`, where it is looked for first.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

UNPACKED = Path(__file__).resolve().parents[2] / ".torque" / "usr" / "bin"

COMMANDS = ("qsub", "qstat", "qdel")


def find_commands() -> dict[str, Path] | None:
    """Return the paths of the commands; None if they are not here, or belong to another batch system."""
    path = f"{UNPACKED}:{os.environ.get('PATH', '')}"
    commands = {name: Path(shutil.which(name, path=path) or "/nowhere") for name in COMMANDS}
    if all(_is_slurms(command) for command in commands.values()):
        return commands
    return None


def put_on_path(commands: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder of links to these commands the first of the PATH; `qsub` expects `sbatch` beside itself."""
    folder.mkdir()
    for name, target in commands.items():
        (folder / name).symlink_to(target)
    sbatch = shutil.which("sbatch")
    assert sbatch is not None
    (folder / "sbatch").symlink_to(sbatch)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def _is_slurms(command: Path) -> bool:
    return command.is_file() and b"part of Slurm" in command.read_bytes()
