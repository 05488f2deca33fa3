"""Workers whose memory is nearly full keep accepting tasks."""

import time
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from faket_dask.cluster import local, open_cluster
from faket_dask.cluster.requirements import GIB, HEADROOM
from faket_dask.cluster.workers.never_pause import without_pauses
from tests.cluster.requirements import requirements

LIMIT_GIB = 1.5
FULL = 0.87
"""Fraction of the limit above which Dask pauses a worker, but does not end it yet."""


def fill() -> float:
    """Allocate memory, and keep it, until the process has reached that fraction of its limit."""
    import builtins

    import psutil

    limit = int(LIMIT_GIB * 2**30)
    held = bytearray(int(FULL * limit) - psutil.Process().memory_info().rss)
    held[::1024] = b"x" * len(held[::1024])
    builtins.held = held  # type: ignore[attr-defined]
    time.sleep(1.0)  # Dask looks at the memory every 0.1 s
    return float(psutil.Process().memory_info().rss / limit)


@pytest.fixture
def own_client() -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit=f"{LIMIT_GIB} GiB", dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_worker_limit_exceeds_its_share_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mapped library files count as a worker's memory, so a limit equal to its share would end it."""
    task = LIMIT_GIB / HEADROOM
    monkeypatch.setattr(local, "allocated_bytes", lambda: local.DRIVER_BYTES + int(1.01 * task * GIB))
    with open_cluster(requirements(units=1, memory_GiB=task), workers=1) as client:
        check_progress(client)


def check_progress(client: Client) -> None:
    assert 0.8 < client.submit(fill, pure=False).result(timeout=60) < 0.95
    assert client.submit(int, "3").result(timeout=30) == 3


def test_full_local_worker_keeps_accepting_tasks() -> None:
    required = requirements(units=2, memory_GiB=LIMIT_GIB / 2)
    with open_cluster(required, workers=1, memory_per_worker_GiB=LIMIT_GIB) as client:
        check_progress(client)


def test_full_worker_of_own_client_accepts_tasks_during_a_run(own_client: Client) -> None:
    with without_pauses(own_client):
        check_progress(own_client)
    time.sleep(1.0)  # until Dask looks again
    waiting = own_client.submit(int, "4")
    with pytest.raises(TimeoutError):
        waiting.result(timeout=2)
    with without_pauses(own_client):
        assert waiting.result(timeout=30) == 4
