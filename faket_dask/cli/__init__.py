"""Command line: parse, call, print. Each command is a module that imports heavy libraries only when it is called."""

from __future__ import annotations

import typer

from faket_dask.cli import data, importing, structures, study, weights
from faket_dask.cli.average import average
from faket_dask.cli.benchmark import benchmark
from faket_dask.cli.check_hand import check_hand
from faket_dask.cli.compare import compare
from faket_dask.cli.console import ReportingGroup
from faket_dask.cli.export import ExportCommand, export
from faket_dask.cli.match import match
from faket_dask.cli.plan import show_plan
from faket_dask.cli.reconstruct import reconstruct
from faket_dask.cli.run import run
from faket_dask.cli.score import score
from faket_dask.cli.status import status
from faket_dask.cli.validate import validate

app = typer.Typer(
    cls=ReportingGroup,
    help="Realistic, fully labelled synthetic cryo-electron tilt-series, for whole data sets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(run)
app.command(name="plan")(show_plan)
app.command()(status)
app.command()(validate)
app.command()(reconstruct)
app.command()(match)
app.command()(average)
app.command(name="check-hand")(check_hand)
app.command(cls=ExportCommand)(export)
app.command()(compare)
app.command()(score)
app.command()(benchmark)
app.add_typer(study.app, name="study")
app.add_typer(importing.app, name="import")
app.add_typer(weights.app, name="weights")
app.add_typer(structures.app, name="structures")
app.add_typer(data.app, name="data")
