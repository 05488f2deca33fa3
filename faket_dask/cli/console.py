"""How every command speaks, takes what most of them take, and ends."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from faket_dask.errors import FaketDaskError

RunFile = Annotated[Path, typer.Argument(help="Run file (YAML).", show_default=False)]
Folder = Annotated[Path, typer.Argument(help="Folder of a data set.", show_default=False)]

Where = Annotated[
    str,
    typer.Option(
        "--cluster",
        help="Where workers run: local, slurm, pbs, or a profile such as configs/cluster/slurm-cpu.yaml.",
    ),
]

# Of a recorded tilt-series, wherever one is read.
Sign = Annotated[str, typer.Option(help="Of angle files: imod, or warp for the opposite.")]
PixelSize = Annotated[float | None, typer.Option("--pixel-size-A", help="In place of the header's.")]
TomogramName = Annotated[str | None, typer.Option("--tomogram", help="Which one of a RELION table.")]

say = typer.echo  # whole lines, however long: they are read by scripts, too
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

INTERRUPTED = 130
FAILED = 1
BAD_INPUT = 2

F = TypeVar("F", bound=Callable[..., Any])


def explained(command: F) -> F:
    """Print what is wrong or odd with the user's input, without a traceback; after what is wrong, end with status 2."""

    def warn(message: Warning | str, *_: Any, **__: Any) -> None:
        say(f"{typer.style('warning:', fg='yellow', bold=True)} {message}", err=True)

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = warn
            try:
                return command(*args, **kwargs)
            except FaketDaskError as error:
                for line in str(error).splitlines():
                    say(f"{typer.style('error:', fg='red', bold=True)} {line}", err=True)
                raise typer.Exit(BAD_INPUT) from None

    return wrapper  # type: ignore[return-value]


@contextmanager
def resumable(again: str) -> Iterator[None]:
    """Have the block stop in order when the process is to end, and say how to go on."""

    def stop(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; what is done is kept: `{again}` goes on where it was", err=True)
        raise typer.Exit(INTERRUPTED) from None
