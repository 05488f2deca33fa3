"""Command files of IMOD and etomo (`.com`): options of the programs that they run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text


def read_options(path: Path, program: str) -> Mapping[str, tuple[str, ...]]:
    """Read the options that a command file gives to a program.

    Parameters
    ----------
    path
        Command file.
    program
        Name of the program.

    Returns
    -------
    options
        Words after each option, by the option's name in upper case, as IMOD takes no account of case.

    Raises
    ------
    InputError
        If the file is absent or does not run the program.
    """
    options: dict[str, tuple[str, ...]] = {}
    running = False
    for line in read_text(path, "command file").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith("$"):
            running = words[0].lower() == f"${program}"
        elif running:
            options[words[0].upper()] = tuple(words[1:])
    if not options:
        raise InputError(f"command file {path} does not run IMOD's {program} (${program} -StandardInput …)")
    return options
