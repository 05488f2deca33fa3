"""`faket-dask validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from faket_dask.cli.console import FAILED, err, say


def validate(
    config: Annotated[
        Path, typer.Argument(help="Run file (YAML), or folder of a data set.", show_default=False)
    ],
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Of a data set: forget what is damaged; the next run makes it again."),
    ] = False,
) -> None:
    """Check a run file and everything it names, or everything in a data set; every mistake in one line.

    Example: `faket-dask validate my.yaml`

    Of a data set: `faket-dask validate demo-dataset --repair && faket-dask run configs/demo.yaml`
    """
    from faket_dask.config import load
    from faket_dask.pipeline.input_checks import resolve

    if config.is_dir():
        _validate_dataset(config, repair)
        return
    spec = resolve(load(config))
    say(f"{config}: good. {len(spec.series)} series of {spec.stack_text}, fingerprint {spec.fingerprint}")


def _validate_dataset(folder: Path, repair: bool) -> None:
    from faket_dask.dataset.spec import DatasetSpec
    from faket_dask.engine.validate import forget
    from faket_dask.engine.validate import validate as look_through

    spec = DatasetSpec.read(folder)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task("units")
        found = look_through(spec, lambda done, total: bars.update(task, completed=done, total=total))
    damaged = [damage for damage in found if not damage.missing]
    for damage in damaged:
        say(str(damage))
    missing = len(found) - len(damaged)
    if not found:
        say(f"{folder}: good. {len(spec.series)} series, all units are there as they were written")
        return
    say(f"{folder}: {len(damaged)} faults, {missing} units are not done")
    if not repair:
        raise typer.Exit(FAILED)
    forget(spec, damaged)
    say("what is damaged is forgotten: the next run makes it again, and nothing else")
