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
        typer.Option(
            "--repair",
            help="For a data set: mark damaged units as not done; the next run repeats them.",
        ),
    ] = False,
) -> None:
    """Check a run file and the files that it names, or all contents of a data set; print one line per mistake.

    Example: `faket-dask validate my.yaml`

    For a data set: `faket-dask validate demo-dataset --repair && faket-dask run configs/demo.yaml`
    """
    from faket_dask.config import BuiltSpecimen, load
    from faket_dask.config.specimen_summary import describe_specimen
    from faket_dask.pipeline.input_checks import resolve

    if config.is_dir():
        _validate_dataset(config, repair)
        return
    spec = resolve(load(config))
    from faket_dask.workflow.run import check_run_file  # with Dask, which no faulty run file needs

    check_run_file(spec, config)
    say(f"{config}: good. {spec.title}, fingerprint {spec.fingerprint}")
    if isinstance(spec.config.specimen, BuiltSpecimen):
        say(f"specimen: {describe_specimen(spec.config.specimen)}")


def _validate_dataset(folder: Path, repair: bool) -> None:
    from faket_dask.engine.plan import read_plan
    from faket_dask.engine.validate import forget
    from faket_dask.engine.validate import validate as check_units

    plan = read_plan(folder)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task("units")
        damages = check_units(plan, lambda done, total: bars.update(task, completed=done, total=total))
    damaged = [damage for damage in damages if not damage.missing]
    for damage in damaged:
        say(str(damage))
    missing = len(damages) - len(damaged)
    if not damages:
        say(f"{folder}: good. {plan.spec.title}, all units are complete and undamaged")
        return
    say(f"{folder}: damaged units: {len(damaged)}, units not done: {missing}")
    if not repair:
        raise typer.Exit(FAILED)
    forget(plan, damaged)
    say("damaged units are marked as not done: the next run repeats them, and no others")
