"""Virtual environments of client programs, made once from pinned requirements and kept in ``.clients``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent / "requirements"
FOLDER = Path(__file__).parents[2] / ".clients"


class ClientMissingError(Exception):
    """Client program that cannot be installed on this machine."""


@dataclass(frozen=True)
class Client:
    """Client program in a virtual environment.

    Parameters
    ----------
    name
        Name of the client and of its file in ``tests/clients/requirements``.
    python
        Interpreter of the environment.
    """

    name: str
    python: Path

    def run(self, code: str, *arguments: object, timeout_s: float = 600) -> Any:
        """Run Python code in the environment; return the JSON that it prints in its last line.

        Parameters
        ----------
        code
            Source text; it finds the arguments in ``sys.argv[1:]``.
        arguments
            Paths and values, passed as text.
        timeout_s
            Longest time that the code may take.
        """
        command = [str(self.python), "-c", code, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=clean_environment()
        )
        if done.returncode:
            raise AssertionError(
                f"{self.name} ended with status {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return json.loads(done.stdout.strip().splitlines()[-1])

    def call(
        self, program: str, *arguments: object, timeout_s: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment and return its output; it may fail."""
        command = [str(self.python.with_name(program)), *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=clean_environment(), check=False
        )


def clean_environment() -> dict[str, str]:
    """Return the environment variables without those that would bring this package's modules in."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def find_python(name: str) -> str:
    """Return an interpreter by its path, by its name on the PATH, or among those that pyenv has installed.

    Raises
    ------
    ClientMissingError
        If there is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(name), *sorted(pyenv.glob(f"versions/*/bin/{name}"), reverse=True)]
    for candidate in filter(None, candidates):
        # pyenv's name on the PATH is a script, which fails where the version is not the chosen one.
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    raise ClientMissingError(f"{name} is not installed")


def install_client(name: str, python: str = sys.executable) -> Client:
    """Make the environment of a client, or take the one that is there for the same requirements.

    Parameters
    ----------
    name
        Name of a file ``tests/clients/requirements/<name>.txt`` with pinned versions. Packages in
        ``<name>.alone.txt``, where there is one, are installed without what they require.
    python
        Interpreter to make it with: a path, or a name such as ``python3.9`` that `find_python` looks for.

    Raises
    ------
    ClientMissingError
        If the interpreter is not there, or the packages cannot be installed.
    """
    files = [path for ending in (".txt", ".alone.txt") if (path := REQUIREMENTS / f"{name}{ending}").exists()]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in files) + python.encode()).hexdigest()
    folder, stamp = FOLDER / name, FOLDER / name / "installed"
    client = Client(name, folder / "bin" / "python")
    if stamp.is_file() and stamp.read_text() == wanted:
        return client
    commands = [[find_python(python), "-m", "venv", "--clear", str(folder)]]
    for path in files:
        alone = ["--no-deps"] if path.suffixes == [".alone", ".txt"] else []
        pip = [str(client.python), "-m", "pip", "install", "--quiet"]
        commands.append([*pip, *alone, "--requirement", str(path)])
    for command in commands:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=clean_environment(), check=False
            )
        except OSError as error:
            raise ClientMissingError(f"{name}: {command[0]}: {error.strerror}") from None
        if done.returncode:
            raise ClientMissingError(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
    stamp.write_text(wanted)
    return client
