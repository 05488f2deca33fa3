"""Output, common arguments and exit statuses of all commands."""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from typer.core import TyperGroup

from faket_dask.errors import FaketDaskError, InputError
from faket_dask.input_warnings import forget_known, is_known

RunFile = Annotated[Path, typer.Argument(help="Run file (YAML).", show_default=False)]
Folder = Annotated[Path, typer.Argument(help="Folder of a data set.", show_default=False)]

Where = Annotated[
    str,
    typer.Option(
        "--cluster",
        help="Where workers run: local, the name of a batch system, or a profile such as "
        "configs/cluster/slurm-cpu.yaml.",
    ),
]

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace files that faket-dask did not write, too; never inputs, nor folders with files of others.",
    ),
]

LARGEST_LENGTH_A = 1e6
"""Largest pixel size and thickness in Å that can be meant: 0.1 mm."""


def check_length(value: float | None) -> float | None:
    """Refuse a length in Å that cannot be meant.

    Raises
    ------
    typer.BadParameter
        If it is not a number above 0, or above 0.1 mm.
    """
    if value is not None and not (math.isfinite(value) and 0 < value <= LARGEST_LENGTH_A):
        raise typer.BadParameter(f"{value:g} is no length in Å above 0, up to {LARGEST_LENGTH_A:g}.")
    return value


# Options of the commands that read a recorded tilt-series
Series = Annotated[
    Path,
    typer.Argument(
        help="Stack, .mdoc, .star, .tomostar, .xml, .aln, or a folder with one.", show_default=False
    ),
]
Angles = Annotated[
    Path | None,
    typer.Option(
        "--angles",
        help="Angle file (.tlt, .rawtlt) or .mdoc, where none beside the stack has its name.",
        show_default=False,
    ),
]
Transforms = Annotated[
    Path | None,
    typer.Option(
        "--transforms",
        help="Alignment (.xf or .aln), where none beside the stack has its name.",
        show_default=False,
    ),
]
Align = Annotated[
    bool,
    typer.Option(
        "--align/--no-align",
        help="Align the tilts first, by the .xf or .aln of the stack or the alignment of the project.",
    ),
]
Sign = Annotated[
    str, typer.Option(help="Sign of the angle files: imod (also SerialEM, RELION), or warp for the opposite.")
]
PixelSize = Annotated[
    float | None,
    typer.Option("--pixel-size-A", callback=check_length, help="Pixel size in Å, in place of the header's."),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads for a stack; a data set uses its workers.")]
TomogramName = Annotated[
    str | None, typer.Option("--tomogram", help="Tomogram to take, where a RELION project has several.")
]

Exclude = Annotated[
    str,
    typer.Option(
        "--exclude",
        help="Tilts to leave out, counted from 1 as IMOD counts views (SerialEM's ZValue + 1): 3,7-9.",
        show_default=False,
    ),
]
ExcludeAngles = Annotated[
    str,
    typer.Option(
        "--exclude-angles",
        help="Tilts to leave out by their angles, with the sign of the series' own files: -60,58.5.",
        show_default=False,
    ),
]

CtfFile = Annotated[
    str,
    typer.Option(
        "--ctf-file",
        help="Contrast transfer: a file (.defocus, text of CTFFIND or AreTomo, RELION's table of the tilt-series, "
        "Warp's .xml, .mdoc); files, what the series' own files say; or none.",
    ),
]
DefocusUm = Annotated[
    float | None,
    typer.Option(
        "--defocus-um",
        help="Defocus of all tilts in µm, underfocus positive, in place of what files say.",
        show_default=False,
    ),
]

say = typer.echo  # prints whole lines, however long, since scripts read them too
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

INTERRUPTED = 130
"""Exit status after Ctrl-C or SIGTERM."""

FAILED = 1
"""Exit status where units failed, checks found damage, or an error other than that of the input ended the command."""

BAD_INPUT = 2
"""Exit status for arguments, run files and input files that cannot be used."""


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Base class of Typer's errors about arguments, which Typer itself does not export."""


class ReportingGroup(TyperGroup):
    """Group of commands that print each error and each warning as one line, never a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line, and exit with its status, or return it with ``standalone_mode=False``."""
        exits = extra.pop("standalone_mode", True)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # file names need not be text
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _print_warning
                forget_known()
                status = super().main(*args, **{**extra, "standalone_mode": False})
                sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (for the flush at the end of the process)
            status = FAILED
        except Exception as error:
            status = _report_error(error)
        if exits:
            sys.exit(status)
        return status or 0


def _report_error(error: Exception) -> int:
    """Print an error, and return the exit status that it stands for."""
    match error:
        case FaketDaskError():
            lines = str(error).splitlines()
            status = BAD_INPUT if isinstance(error, InputError) else FAILED
        case typer.Abort():
            lines, status = ["aborted"], FAILED
        case UsageError():
            return _report_usage(error)
        case MemoryError():
            lines = ["there is not enough memory for this; use smaller inputs, or a larger machine"]
            status = FAILED
        case OSError(filename=name) if error.strerror:
            where = "" if name is None else f"{name}: "
            lines = [f"{where}{error.strerror}; check the path, its permissions and the free space"]
            status = FAILED
        case _:
            lines, status = [_describe_fault(error)], FAILED
    for line in lines:
        _print_error(line)
    return status


def _report_usage(error: Any) -> int:
    """Print what is wrong with the arguments."""
    message, context = " ".join(error.format_message().split()), error.ctx
    if message:  # else it has printed the help of a group without a command
        advice = "" if context is None else f"; see `{context.command_path} --help`"
        _print_error(message.rstrip(".") + advice)
    return int(error.exit_code)


def _describe_fault(error: Exception) -> str:
    """Describe an error that nobody foresaw; its traceback goes to a file."""
    text = " ".join(str(error).split())[:200]
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="faket-dask-",
            suffix=".txt",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"{what} (this is a fault of faket-dask; please report it with the command)"
    return f"{what} (this is a fault of faket-dask; the traceback is in {file.name}: please report it)"


def _print_error(line: str) -> None:
    say(f"{typer.style('error:', fg='red', bold=True)} {line}", err=True)


def _print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    if is_known(str(message)):
        return
    say(f"{typer.style('warning:', fg='yellow', bold=True)} {message}", err=True)


def list_formats(names: Iterable[str], load: Callable[[str], Any]) -> str:
    """Return a section of help with a line for each format, those of packages that are broken included.

    Parameters
    ----------
    names
        Names of the formats.
    load
        Function that loads the one of a name, which has a `help`.
    """
    lines = []
    for name in names:
        try:
            lines.append(f"- `{name}`: {load(name).help}")
        except InputError as error:
            lines.append(f"- `{name}`: {error}")
    return "Formats:\n\n" + "\n".join(lines)


@contextmanager
def resumable(command: str) -> Iterator[None]:
    """Stop the block in order on SIGTERM or Ctrl-C, and print the command that continues it.

    Parameters
    ----------
    command
        Command line to print.
    """

    def stop(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; finished units are kept: `{command}` continues where it stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def resumable_bar(title: str) -> Iterator[Callable[[float], None]]:
    """Show a bar of a block's work on a terminal, and stop the block as `resumable` does.

    Parameters
    ----------
    title
        Text before the bar.

    Yields
    ------
    advance
        Function to call with each share of the work that is done; they add up to 1.
    """
    columns = Progress.get_default_columns()
    with (
        resumable(shlex.join(["faket-dask", *sys.argv[1:]])),
        Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars,
    ):
        bar = bars.add_task(title, total=1.0)
        yield lambda share: bars.advance(bar, share)
