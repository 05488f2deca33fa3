"""Cluster that replaces ended jobs, with shell commands in place of a batch system."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Worker

from faket_dask.cluster import replacing
from faket_dask.cluster.jobs import BatchSystem, JobSettings, Sizing
from faket_dask.cluster.jobs.jobqueue import Job
from faket_dask.cluster.replacing import ReplacingCluster

COUNT = "n=$(ls {folder} | wc -l); touch {folder}/$n; echo $n"
"""Command that prints a new number at each call."""


class ShellJob(Job):
    """Job that is submitted in name only."""

    submit_command = "true"
    cancel_command = "true"
    config_name = "slurm"

    def __init__(self, *arguments: Any, folder: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.folder = folder
        self.job_header = ""

    async def _submit_job(self, script_filename: str) -> str:
        return str(await self._call(["sh", "-c", COUNT.format(folder=self.folder)]))


@dataclass(frozen=True, kw_only=True)
class Shell(BatchSystem):
    """Batch system whose queue is listed by a shell command."""

    listing: str

    def options(self, settings: JobSettings, sizing: Sizing, logs: Path | None) -> dict[str, Any]:
        return {}

    def queue_command(self, user: str) -> tuple[str, ...]:
        return ("sh", "-c", self.listing)


def start(folder: Path, listing: str, empty_queue_message: str | None = None) -> ReplacingCluster:
    system = Shell(
        name="shell",
        title="Shell",
        job_class="tests.cluster.test_replacing:ShellJob",
        gpu_request="",
        listing=listing,
        empty_queue_message=empty_queue_message,
    )
    return ReplacingCluster(
        system,
        patience=3,
        cores=1,
        processes=1,
        memory="1GiB",
        folder=str(folder),
        scheduler_options={"dashboard_address": ":0"},
    )


@pytest.fixture(autouse=True)
def frequent_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "POLL_S", 0.1)


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def wait_for_failure(cluster: ReplacingCluster) -> str:
    wait_until(lambda: cluster.failure_reason)
    assert cluster.failure_reason is not None
    return cluster.failure_reason


def test_cluster_closes_while_its_queue_is_listed(tmp_path: Path) -> None:
    with start(tmp_path, f"touch {tmp_path}/listed; sleep 1; echo 0") as cluster:
        cluster.scale(jobs=1)
        wait_until((tmp_path / "listed").exists)
        time.sleep(0.3)
    assert cluster.status.name == "closed"


@pytest.mark.parametrize(
    ("listing", "message"),
    [("true", None), ("echo No unfinished job found >&2; exit 255", "No unfinished job")],
)
def test_jobs_missing_from_queue_are_replaced_until_patience_ends(
    listing: str, message: str | None, tmp_path: Path
) -> None:
    with start(tmp_path, listing, message) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=1, interval=0.1)
        assert wait_for_failure(cluster).startswith("3 worker jobs in a row ended before a worker came")
    assert len(list(tmp_path.iterdir())) == 3


def test_job_in_place_of_one_whose_worker_is_gone_is_kept(tmp_path: Path) -> None:
    """Dask closes the job of a worker some time after it is gone; by then another job may stand in its place."""
    jobs, queue = tmp_path / "jobs", tmp_path / "queue"
    jobs.mkdir()
    queue.write_text("0")
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        start(jobs, f"cat {queue}") as cluster,
    ):
        cluster.adapt(minimum_jobs=1, maximum_jobs=1, interval=0.1)
        wait_until(lambda: cluster.requested)
        (name,) = cluster.requested

        async def come_and_go() -> None:
            async with Worker(cluster.scheduler_address, name=name, nthreads=1, dashboard=False):
                while not cluster.scheduler_info["workers"]:
                    await asyncio.sleep(0.01)

        cluster.sync(come_and_go)
        queue.write_text("1\n2\n3\n")
        wait_until(lambda: len(list(jobs.iterdir())) == 2)
        time.sleep(2.0)
        assert len(list(jobs.iterdir())) == 2


def test_unavailable_queue_ends_no_job(tmp_path: Path) -> None:
    with start(tmp_path, "echo down >&2; exit 1", "No unfinished job") as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=1, interval=0.1)
        time.sleep(2.0)
        assert cluster.failure_reason is None
    assert len(list(tmp_path.iterdir())) == 1
