"""Measurement of several scenarios one by one, with a table, a file of the figures, and a calibration for plans."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from dask.utils import format_bytes
from pydantic import ValidationError
from rich.table import Table

from faket_dask.atomic import write_text
from faket_dask.benchmark.measure import COLUMNS, Measurement, format_row, measure
from faket_dask.benchmark.scenarios import PUBLISHED, Scenario
from faket_dask.config import StyleSection
from faket_dask.documents.explain import explain
from faket_dask.durations import format_duration
from faket_dask.errors import InputError
from faket_dask.pipeline.kernel_rates import store_transfer_rates
from faket_dask.stages.device import check_device


def run_benchmark(
    show: Callable[[Any], None],
    names: Sequence[str],
    device: str,
    workers: int | None,
    sample: int | None,
    precision: str,
    memory_per_task_GiB: float,
    json_file: Path | None,
) -> list[Measurement]:
    """Measure scenarios and show them beside the published figures.

    Parameters
    ----------
    show
        Function that prints text and tables.
    names
        Sizes of the scenarios (`Scenario.sizes`).
    device
        ``"cpu"`` or ``"cuda"``.
    workers
        Number of processes; by default one per core.
    sample
        Number of tilts that each process computes; ``None`` for all.
    precision
        Precision of the network.
    memory_per_task_GiB
        Memory that determines the size of tiles.
    json_file
        File for the figures, if any.

    Raises
    ------
    InputError
        If a scenario, device or precision does not exist on this machine.
    """
    try:
        style = StyleSection.model_validate(
            {"precision": precision, "device": device, "memory_per_task_GiB": memory_per_task_GiB}
        )
    except ValidationError as error:
        lines = explain(error, StyleSection).splitlines()
        raise InputError("\n".join(f"--{line}" for line in lines)) from None
    check_device(device)
    count = workers or os.cpu_count() or 1
    chosen = [_scenario(name, device, count) for name in names]
    measurements: list[Measurement] = []
    for number, scenario in enumerate(chosen, 1):
        show(f"{number} of {len(chosen)}: {scenario.name} …")
        measurement = measure(scenario, style, count, sample)
        measurements.append(measurement)
        show(f"{format_duration(measurement.seconds)}, {format_bytes(measurement.ram_bytes)}")
        if json_file is not None:  # after each: a long series of them may be interrupted
            document = {"machine": _machine(), "measurements": [asdict(m) for m in measurements]}
            write_text(json_file, json.dumps(document, indent=1) + "\n")
        if measurement.tile is None and device == "cpu" and precision == "float32":
            store_transfer_rates(
                style.threads,
                measurement.targets_seconds / scenario.style_size**2,
                measurement.transfer_seconds / scenario.size**2,
            )
    table = Table(*COLUMNS)
    for measurement in measurements:
        table.add_row(*format_row(measurement))
    show(table)
    show("In parentheses: published. s per tilt: Gram matrices of the reference + transfer.")
    show(f"≈: extrapolated from fewer tilts. {_machine()}")
    return measurements


def _scenario(name: str, device: str, workers: int) -> Scenario:
    """Return the published scenario of these sizes on this device with the nearest number of workers."""
    same = [scenario for scenario in PUBLISHED if scenario.sizes == name and scenario.device == device]
    if not same:
        known = dict.fromkeys(scenario.sizes for scenario in PUBLISHED)
        raise InputError(f"--scenario: there is no {name!r}; there are {', '.join(known)}")
    return min(same, key=lambda scenario: abs(scenario.workers - workers))


def _machine() -> str:
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{_processor()}, {os.cpu_count()} cores{gpu}, one thread per process, torch {torch.__version__}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
