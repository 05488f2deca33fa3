"""Cost of driver and scheduler with hundreds of workers, simulated on one machine.

    python benchmarks/scale.py [--series 150] [--tilts 61] [--workers 256] [--style-seconds 23]

A whole data set goes through the real plan, driver, scheduler, markers and stores. Only the computation of a unit is
replaced: it sleeps in proportion to the time of its kernels (`--style-seconds` for the transfer of one tilt) and
writes small files instead of chunks. The workers are real Dask workers with one thread each, but share processes of
their own (`--hosts`), so that their processor time is not counted as the driver's; choose sleeps long enough that the
workers need little of it. The output lists the wall-clock time against the ideal (all sleeps, evenly distributed),
the processor time of the driver's and the scheduler's thread per unit (heartbeats of the scheduler, measured while
every worker sleeps, are listed separately), the memory of the driver during the run, and the time to read the status
of the data set and to resume it half done.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import psutil

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.plan import Plan
from faket_dask.engine.stage import Stage
from faket_dask.engine.unit import Item, Unit
from faket_dask.pipeline import TILT_SERIES

DURATIONS = {
    "place": 0.05,
    "build": 0.13,
    "project": 0.3,
    "simulate": 0.04,
    "reference_statistics": 0.11,
    "reference_gram": 0.42,
    "fit_noise": 0.11,
    "synthesise": 1.0,
}
"""Durations relative to a style transfer, as a plan on one core estimates them at 1024², where that takes 23 s."""

STYLE_SECONDS = "SCALE_STYLE_SECONDS"
"""Environment variable with the duration of a style transfer, for all processes of the simulation."""

MIB = 2**20
BASELINE_S = 20.0
QUIET = {
    # What hundreds of workers do in one process besides their work would take all of it.
    "distributed.admin.tick.interval": "60s",
    "distributed.admin.system-monitor.interval": "60s",
    "logging.distributed": "error",
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


def document(folder: Path, series: int, tilts: int) -> dict[str, Any]:
    """Return the run file, with 16 blocks of rows, as at 1024², and few columns."""
    return {
        "dataset": {"folder": str(folder), "seed": 1},
        "specimen": {"count": series, "thickness_A": 2000, "species": [{"name": "lantern", "count": 2}]},
        "acquisition": {
            "tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 120 / (tilts - 1)},
            "pixel_size_A": 10,
            "detector_px": [1024, 32],
        },
        "references": [{"kind": "simulated", "name": name} for name in "abcde"],
        "style": {"weights": "random"},
        "outputs": {"report": False},
    }


def sleep_seconds(unit: Unit) -> float:
    """Return the simulated duration of a unit."""
    jitter = random.Random(str(unit)).uniform(0.85, 1.15)
    return DURATIONS[unit.stage] * float(os.environ[STYLE_SECONDS]) * jitter


def make_sleeping(stage: Stage[DatasetSpec]) -> Stage[DatasetSpec]:
    """Return a stage whose units sleep, and write a small file for every file that they own."""

    def compute(self: Stage[DatasetSpec], spec: DatasetSpec, item: Item, index: int) -> dict[str, Any]:
        time.sleep(sleep_seconds(Unit(self.name, item, index)))
        for path in self.ownership(spec, item).files(index):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"kernel")
        if self.name == "place":  # the driver reads it
            from faket_dask.specimen.particles import particle_table

            particle_table([]).write_csv(spec.folder.particles(item.owner))
            return {"particles": {}}
        return {}

    sleeping: type[Stage[DatasetSpec]] = type(type(stage).__name__, (type(stage),), {"compute": compute})
    return sleeping()


SLEEPING = replace(
    TILT_SERIES,
    target=f"{Path(__file__).stem}:SLEEPING",  # the folder of a script is on its path
    stages=tuple(make_sleeping(stage) for stage in TILT_SERIES.stages),
)
"""Pipeline of data sets without kernels."""


async def host_workers(scheduler: str, count: int) -> None:
    from distributed import Worker

    from faket_dask.engine.environment import describe_environment

    describe_environment("cpu")  # not by all of them at once
    workers = [
        Worker(scheduler, nthreads=1, memory_limit=0, dashboard=False, name=f"{os.getpid()}-{number}")
        for number in range(count)
    ]
    for start in range(0, count, 16):
        await asyncio.gather(*workers[start : start + 16])
    await asyncio.gather(*(worker.finished() for worker in workers))


def thread_seconds() -> float:
    """Return the processor time of the current thread."""
    return time.thread_time()


def simulate(options: argparse.Namespace, folder: Path) -> None:
    from distributed import Client, LocalCluster, wait

    from faket_dask.cluster.open import SHORT_LOGS
    from faket_dask.config import parse
    from faket_dask.engine.completed import CompletedUnits
    from faket_dask.engine.events import RunStarted, UnitDone
    from faket_dask.engine.status import read_status
    from faket_dask.pipeline.input_checks import resolve
    from faket_dask.workflow.run import run_dataset_plan

    config = parse(document(folder, options.series, options.tilts), folder.parent)
    plan = Plan(resolve(config), SLEEPING)
    units = sum(batch.count for batch in plan.batches)
    total = sum(sleep_seconds(unit) for unit in plan.units())
    print(
        f"{options.series} series x {options.tilts} tilts: {units} units, {total / units:.2f} s each on average"
    )

    async def loop_seconds() -> float:
        return thread_seconds()

    with (
        dask.config.set(SHORT_LOGS),
        LocalCluster(n_workers=0, protocol="tcp://", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        shares = [
            options.workers // options.hosts + (number < options.workers % options.hosts)
            for number in range(options.hosts)
        ]
        command = [sys.executable, __file__, "--host"]
        hosts = [subprocess.Popen([*command, cluster.scheduler_address, str(share)]) for share in shares]
        client.wait_for_workers(options.workers, timeout=120)
        process = psutil.Process()
        memory: list[float] = []
        first: list[float] = []
        last = [0.0, 0.0]

        def watch(event: Any) -> None:
            if isinstance(event, RunStarted):
                first.append(time.perf_counter())
            if isinstance(event, UnitDone):
                last[:] = time.perf_counter(), thread_seconds()
                if len(first) % 500 == 1:
                    memory.append(process.memory_info().rss / MIB)
                first.append(last[0])

        busy = client.map(time.sleep, [BASELINE_S + 20] * options.workers, pure=False)
        time.sleep(10)  # until all of them sleep
        idle = client.sync(loop_seconds)
        time.sleep(BASELINE_S)
        idle = (client.sync(loop_seconds) - idle) / BASELINE_S
        wait(busy)
        del busy
        spent = [thread_seconds(), client.sync(loop_seconds)]
        hosts_spent = sum(sum(psutil.Process(host.pid).cpu_times()[:2]) for host in hosts)
        begin = time.perf_counter()
        run_dataset_plan(plan, client, watch)
        end = time.perf_counter()
        spent = [last[1] - spent[0], client.sync(loop_seconds) - spent[1]]
        hosts_spent = sum(sum(psutil.Process(host.pid).cpu_times()[:2]) for host in hosts) - hosts_spent
        for host in hosts:
            host.terminate()
            host.wait()
    wall, ideal = last[0] - first[0], total / options.workers
    print(f"{options.workers} workers: {wall:.1f} s, ideal {ideal:.1f} s: efficiency {ideal / wall:.1%}")
    print(f"before the first unit {first[0] - begin:.2f} s, after the last (manifest) {end - last[0]:.2f} s")
    print(
        f"processor time per unit: driver {1000 * spent[0] / units:.2f} ms, scheduler and client "
        f"{1000 * (spent[1] - idle * wall) / units:.2f} ms, and {idle:.1%} of a core for the heartbeats of "
        f"all workers, which are busy; workers' processes {hosts_spent / wall:.0%} of a core"
    )
    print("driver's memory every 500 units, MiB: " + " ".join(f"{value:.0f}" for value in memory))
    files = [path for path in folder.rglob("*") if path.is_file()]
    folders = sum(path.is_dir() for path in folder.rglob("*"))
    markers = sum("progress" in path.parts for path in files)
    print(f"{len(files)} files ({markers} in progress/), {folders} folders")
    begin = time.perf_counter()
    progress = read_status(plan)
    print(f"status of {progress.total} units: {time.perf_counter() - begin:.2f} s")
    for batch in plan.batches[len(plan.batches) // 2 :]:
        for index in range(batch.count):
            plan.spec.folder.marker(batch.unit(index)).unlink(missing_ok=True)
    begin = time.perf_counter()
    again = Plan(resolve(config), SLEEPING)
    left = again.requirements(CompletedUnits.read(again).counts()).units
    print(f"resuming with {left} units left: {time.perf_counter() - begin:.2f} s before the first runs")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=150)
    parser.add_argument("--tilts", type=int, default=61)
    parser.add_argument("--workers", type=int, default=256)
    parser.add_argument("--hosts", type=int, default=1, help="number of processes that host the workers")
    parser.add_argument("--style-seconds", type=float, default=23.0)
    parser.add_argument("--folder", type=Path, help="folder of the data set; default: a temporary one")
    parser.add_argument("--host", nargs=2, metavar=("SCHEDULER", "WORKERS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.host:
        dask.config.set(QUIET)
        asyncio.run(host_workers(options.host[0], int(options.host[1])))
        return
    os.environ[STYLE_SECONDS] = str(options.style_seconds)
    with tempfile.TemporaryDirectory() as temporary:
        simulate(options, (options.folder or Path(temporary)) / "data")


if __name__ == "__main__":
    main()
