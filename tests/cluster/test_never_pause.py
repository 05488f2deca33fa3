"""Workers whose memory is nearly full, with nothing that would free it, go on all the same."""

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
"""Above the part at which Dask pauses a worker, below that at which it ends it."""


def fill() -> float:
    """Take memory for good until the process has so much of its limit."""
    import builtins

    import psutil

    limit = int(LIMIT_GIB * 2**30)
    held = bytearray(int(FULL * limit) - psutil.Process().memory_info().rss)
    held[::1024] = b"x" * len(held[::1024])
    builtins.held = held  # type: ignore[attr-defined]
    time.sleep(1.0)  # Dask looks at the memory every 0.1 s
    return float(psutil.Process().memory_info().rss / limit)


@pytest.fixture
def given() -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit=f"{LIMIT_GIB} GiB", dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_worker_is_not_ended_by_what_its_share_of_the_memory_leaves_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Libraries' files that are mapped into a worker count as its own; with its share for a limit, it would end."""
    task = LIMIT_GIB / HEADROOM
    monkeypatch.setattr(local, "allocated_bytes", lambda: local.DRIVER_BYTES + int(1.01 * task * GIB))
    with open_cluster(requirements(units=1, memory_GiB=task), workers=1) as client:
        goes_on(client)


def goes_on(client: Client) -> None:
    assert 0.8 < client.submit(fill, pure=False).result(timeout=60) < 0.95
    assert client.submit(int, "3").result(timeout=30) == 3


def test_a_full_worker_of_ours_goes_on() -> None:
    asked = requirements(units=2, memory_GiB=LIMIT_GIB / 2)
    with open_cluster(asked, workers=1, memory_per_worker_GiB=LIMIT_GIB) as client:
        goes_on(client)


def test_a_full_worker_of_a_given_client_goes_on_while_a_run_lasts(given: Client) -> None:
    with without_pauses(given):
        goes_on(given)
    time.sleep(1.0)  # until Dask looks again
    waiting = given.submit(int, "4")
    with pytest.raises(TimeoutError):
        waiting.result(timeout=2)
    with without_pauses(given):
        assert waiting.result(timeout=30) == 4
