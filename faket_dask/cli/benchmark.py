"""`faket-dask benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faket_dask.cli.console import Overwrite, out


def benchmark(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Scenario TILTSxSIZE-STYLESIZE of Table 2, such as 1x1024-1024; may be repeated."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Number of processes; default: one per core.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Number of tilts that each process computes; the rest is extrapolated."),
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, mixed or bfloat16.")] = "float32",
    memory: Annotated[
        float, typer.Option(help="Memory of a task in GiB, which determines the size of tiles.")
    ] = 4.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Time the style transfer on this machine in scenarios of the paper's Table 2, beside the published figures.

    Example: `faket-dask benchmark --scenario 1x1024-1024 --scenario 61x1024-1024 --sample 2 --json here.json`
    """
    from faket_dask.benchmark.command import run_benchmark
    from faket_dask.outputs.claim import claim_outputs

    names = scenario or ["1x1024-1024"]
    with claim_outputs([] if json_file is None else [json_file], overwrite=overwrite):
        run_benchmark(out.print, names, device, workers, sample, precision, memory, json_file)
