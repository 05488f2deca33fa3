"""`faket-dask score`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faket_dask.cli.console import Overwrite, check_length, say
from faket_dask.errors import InputError

if TYPE_CHECKING:
    from faket_dask.workflow.score.report import ScoreReport

_LISTS = (
    "particle table .csv, SHREC's .txt, the CZ portal's .ndjson, Dynamo's .tbl, RELION 5's .star, or the .json of a "
    "copick project"
)


def score(
    predicted: Annotated[Path, typer.Argument(help=f"Picks: {_LISTS}.", show_default=False)],
    truth: Annotated[
        Path,
        typer.Argument(
            help="Particles that are there, of the same kinds, such as DATASET/specimens/NAME.particles.csv.",
            show_default=False,
        ),
    ],
    scorer: Annotated[
        str,
        typer.Option(
            help="Rules: one-to-one, assignment by distance; shrec2021, by an occupancy mask; czii2024, F-beta by "
            "distance."
        ),
    ] = "one-to-one",
    radius_a: Annotated[
        float | None,
        typer.Option(
            "--radius-A",
            callback=check_length,
            help="Largest distance of a hit in Å (one-to-one), or radius of the particles, half of which is the "
            "largest distance (czii2024).",
            show_default="the particles' own",
        ),
    ] = None,
    occupancy: Annotated[
        Path | None, typer.Option(help="Instance mask of the truth, .mrc (shrec2021).", show_default=False)
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="Class that need not be found, and of which picks do not count (one-to-one); may be repeated.",
            show_default=False,
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a class of the picks, and the truth's name of it, OLD=NEW; may be repeated.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Tomogram (RELION, Dynamo) or run (copick) of several; class of the points (.ndjson).",
            show_default=False,
        ),
    ] = None,
    voxel_size_a: Annotated[
        float | None,
        typer.Option(
            "--voxel-size-A",
            callback=check_length,
            help="Voxel size in Å, for lists in voxels (.txt, .ndjson, .tbl).",
            show_default="that of the mask",
        ),
    ] = None,
    user: Annotated[str | None, typer.Option(help="User whose picks to score (copick).")] = None,
    session: Annotated[str | None, typer.Option(help="Session of the picks (copick).")] = None,
    tomograms: Annotated[
        Path | None, typer.Option(help="tomograms.star, where it is not found (RELION 5).")
    ] = None,
    truth_name: Annotated[
        str | None, typer.Option(help="As --name, of the truth.", show_default="--name")
    ] = None,
    truth_voxel_size_a: Annotated[
        float | None,
        typer.Option(
            "--truth-voxel-size-A",
            callback=check_length,
            help="As --voxel-size-A, of the truth.",
            show_default="--voxel-size-A",
        ),
    ] = None,
    truth_user: Annotated[str | None, typer.Option(help="As --user, of the truth.")] = None,
    truth_session: Annotated[str | None, typer.Option(help="As --session, of the truth.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this file.", show_default=False)
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score picked particles against those that are there: hits, misses, F1, confusion of classes, average precision.

    Example: `faket-dask score picks.star demo-dataset/specimens/NAME.particles.csv --radius-A 100`
    """
    from faket_dask.interchange.importers.particles import ParticleOptions
    from faket_dask.outputs.claim import claim_outputs
    from faket_dask.workflow.score.run import list_inputs, parse_names, score_lists
    from faket_dask.workflow.score.scorers import Scorer, ScorerOptions

    if scorer not in list(Scorer):
        raise InputError(f"--scorer is {scorer!r}; it is one of {', '.join(Scorer)}")
    rules = ScorerOptions(radius_a, occupancy, tuple(ignore or ()))
    options = ParticleOptions(name, voxel_size_a, user, session, tomograms=tomograms)
    truth_options = ParticleOptions(truth_name, truth_voxel_size_a, truth_user, truth_session)
    targets = [] if json_file is None else [json_file]
    inputs = list_inputs(predicted, truth, occupancy, options, truth_options)
    with claim_outputs(targets, inputs=inputs, overwrite=overwrite):
        report = score_lists(
            predicted, truth, Scorer(scorer), rules, options, truth_options, parse_names(rename or ())
        )
        _show(report)
        if json_file is not None:
            _write_json(
                json_file, report, {"scorer": scorer, "predicted": str(predicted), "truth": str(truth)}
            )


def _write_json(path: Path, report: ScoreReport, origin: dict[str, str]) -> None:
    import json

    from faket_dask.atomic import write_text

    write_text(path, json.dumps(origin | report.describe(), indent=1, ensure_ascii=False) + "\n")


def _show(report: ScoreReport) -> None:
    header = ("class", "TP", "FP", "FN", "precision", "recall", "F", "AP", "median Å")
    rows = []
    for row in report.classes:
        counts = row.counts
        words = [row.name, *map(str, (counts.hits, counts.false, counts.missed))]
        rates = (counts.precision, counts.recall, row.f_score, row.average_precision)
        words += [_format_rate(rate) for rate in rates]
        distance = row.median_distance_A
        rows.append([*words, "" if distance is None else f"{distance:.1f}"])
    _print_table(header, rows)
    if report.confusion is not None:
        say("\ntrue class by row, taken for the class of the column:")
        names = report.confusion_names
        counted = zip(names, report.confusion.tolist(), strict=True)
        _print_table(("", *names), [[name, *map(str, row)] for name, row in counted])
    say("")
    for key, value in report.summary.items():
        if value is not None:
            say(f"{key.replace('_', ' ')}: {value if isinstance(value, int) else f'{value:.4f}'}")


def _format_rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.3f}"


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns of equal width, the first to the left and numbers to the right; lines are never broken."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for first, *others in (header, *rows):
        words = [word.rjust(width) for word, width in zip(others, widths[1:], strict=True)]
        say("  ".join([first.ljust(widths[0]), *words]).rstrip())
