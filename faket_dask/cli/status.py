"""`faket-dask status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from faket_dask.cli.console import FAILED, INTERRUPTED, Folder, out, say


def status(
    folder: Folder,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it live until the run ends; Ctrl-C stops watching only.")
    ] = False,
) -> None:
    """Show how far a data set is; works during a run, too, from any machine that sees the folder.

    Example: `faket-dask status demo-dataset --watch`
    """
    from faket_dask.dataset.spec import DatasetSpec
    from faket_dask.engine.status import status as read_status

    if watch:
        _watch(folder)
    found = read_status(DatasetSpec.read(folder))
    table = Table("stage", "done", "of", "mean time")
    for stage in found.stages:
        mean = "" if stage.mean_seconds is None else f"{stage.mean_seconds:.2f} s"
        table.add_row(stage.stage, str(stage.done), str(stage.total), mean)
    out.print(table)
    for failure in found.failures:
        say(f"failed: {failure.unit}: {failure.cause}")
    if found.driver:
        say(f"a run is working on it: {found.driver}")
    say(
        f"{found.done} of {found.total} units, {len(found.series_done)} of {found.series_total} series complete"
    )


def _watch(folder: Path) -> None:
    """Show a run that another process drives; ends with status 1 unless it ended and nothing had failed."""
    from faket_dask.engine.events import RunEnded
    from faket_dask.engine.follow import follow
    from faket_dask.progress import ProgressDisplay

    last = None
    try:
        with ProgressDisplay(out) as display:
            for last in follow(folder):
                display(last)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if isinstance(last, RunEnded) and not last.failures else FAILED)
