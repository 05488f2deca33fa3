"""Output, common arguments and exit statuses of all commands."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
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

# Options of every command that reads a recorded tilt-series
Sign = Annotated[str, typer.Option(help="Sign of angle files: imod, or warp for the opposite.")]
PixelSize = Annotated[
    float | None, typer.Option("--pixel-size-A", help="Pixel size in Å, in place of the header's.")
]
TomogramName = Annotated[str | None, typer.Option("--tomogram", help="Tomogram of a RELION table to read.")]

say = typer.echo  # prints whole lines, however long, since scripts read them too
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

INTERRUPTED = 130
"""Exit status after Ctrl-C or SIGTERM."""

FAILED = 1
"""Exit status where units failed, checks found damage, or an error other than that of the input ended the command."""

BAD_INPUT = 2
"""Exit status for arguments, run files and input files that cannot be used."""


class ReportingGroup(TyperGroup):
    """Group of commands that print each error of this package, and each warning, as one line without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the context names."""
        with warnings.catch_warnings():
            warnings.showwarning = _print_warning
            forget_known()
            try:
                return super().invoke(ctx)
            except FaketDaskError as error:
                for line in str(error).splitlines():
                    say(f"{typer.style('error:', fg='red', bold=True)} {line}", err=True)
                raise typer.Exit(BAD_INPUT if isinstance(error, InputError) else FAILED) from None


def _print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    if is_known(str(message)):
        return
    say(f"{typer.style('warning:', fg='yellow', bold=True)} {message}", err=True)


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
