"""Worker at the end of its lifetime: it finishes its current task, starts no other, and leaves."""

import time
from pathlib import Path

from distributed import Client, LocalCluster

from faket_dask.cluster.workers.finish_unit import FinishUnits

LIFETIME_S = 14.0
DRAIN_S = 10.0
TASK_S = 6.0
PATIENCE_S = 60.0


def task(folder: str, name: str) -> str:
    (Path(folder) / name).touch()
    time.sleep(TASK_S)
    return name


def test_worker_finishes_its_unit_and_starts_no_other(tmp_path: Path) -> None:
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            lifetime=f"{LIFETIME_S} s",
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(FinishUnits(DRAIN_S))
        first, second = (client.submit(task, str(tmp_path), name) for name in ("first", "second"))
        assert first.result(timeout=PATIENCE_S) == "first"
        until = time.monotonic() + PATIENCE_S
        while client.scheduler_info()["workers"]:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert second.status == "pending", "it is left to another worker"
    assert {entry.name for entry in tmp_path.iterdir()} == {"first"}
