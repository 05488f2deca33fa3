"""`faket-dask status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from faket_dask.cli.console import FAILED, INTERRUPTED, Folder, out, say
from faket_dask.durations import format_duration


def status(
    folder: Folder,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show progress live until the run ends; Ctrl-C stops the display only."),
    ] = False,
) -> None:
    """Show the progress of a data set, also during a run, from any machine with access to the folder.

    Example: `faket-dask status demo-dataset --watch`
    """
    from faket_dask.engine.plan import read_plan
    from faket_dask.engine.status import read_status

    if watch:
        _watch(folder)
    plan = read_plan(folder)
    state = read_status(plan)
    table = Table(Column("stage", no_wrap=True), "done", "total", "mean time")
    for stage in state.stages:
        mean = "" if stage.mean_seconds is None else format_duration(stage.mean_seconds)
        table.add_row(stage.stage, str(stage.done), str(stage.total), mean)
    out.print(table)
    for failure in state.failures:
        say(f"failed: {failure.unit}: {failure.cause}")
    if state.driver:
        say(f"a run is working on it: {state.driver}")
    products = f", {len(state.products_done)} of {state.products_total} {plan.pipeline.product_name} complete"
    say(f"{state.done} of {state.total} units{products if state.products_total else ' complete'}")


def _watch(folder: Path) -> None:
    """Show the run of another process; exit with status 1 unless it ends without failures."""
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
