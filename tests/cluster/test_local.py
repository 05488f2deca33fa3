"""Workers on this machine: their number, memory and GPUs follow from the allocation of this process."""

import os
from pathlib import Path

import dask
import pytest
from distributed import Client

from faket_dask.cluster import allocation, open_cluster
from faket_dask.cluster.allocation import allocated_bytes, allocated_cores
from faket_dask.cluster.local import DRIVER_BYTES, size_workers
from faket_dask.cluster.requirements import GIB
from faket_dask.errors import InputError
from tests.cluster.requirements import requirements

MIB = 2**20


@pytest.fixture(autouse=True)
def no_batch_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM_", "PBS_", "SGE_", "LSB_")):
            monkeypatch.delenv(name)


def test_affinity_limits_cores() -> None:
    before = os.sched_getaffinity(0)
    assert allocated_cores() <= len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert allocated_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_slurm_job_uses_its_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "700")
    assert allocated_cores() == 1
    assert allocated_bytes() == 700 * MIB
    monkeypatch.delenv("SLURM_MEM_PER_NODE")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "2")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "300")
    assert allocated_bytes() == 600 * MIB


def test_pbs_job_uses_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCPUS", "1")
    outside = allocated_cores()
    monkeypatch.setenv("PBS_JOBID", "7.server")
    assert allocated_cores() == 1 <= outside


def test_slurm_memory_of_zero_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    before = allocated_bytes()
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")
    assert allocated_bytes() == before


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        (
            {
                "memory/job/step/memory.limit_in_bytes": "9223372036854771712",
                "memory/job/memory.limit_in_bytes": "800",
            },
            "4:memory:/job/step\n3:cpuset:/\n",
        ),
        ({"job/step/memory.max": "max\n", "job/memory.max": "800\n"}, "0::/job/step\n"),
    ],
    ids=["v1", "v2"],
)
def test_parent_control_group_limits_memory(
    files: dict[str, str], lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "cgroup").write_text(lines)
    monkeypatch.setattr(allocation, "CGROUPS", tmp_path)
    monkeypatch.setattr(allocation, "OWN_GROUPS", tmp_path / "cgroup")
    assert allocated_bytes() == 800


def test_workers_share_memory_of_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "3000")
    workers, memory = size_workers(requirements(units=50, memory_GiB=1), 2, None)
    assert (workers, memory) == (2, (3000 * MIB - DRIVER_BYTES) // 2)
    with pytest.raises(InputError, match=r"one task needs 3.00 GiB, this machine has 2.43 GiB for workers"):
        size_workers(requirements(memory_GiB=3), None, None)


def test_workers_never_exceed_units() -> None:
    assert size_workers(requirements(units=1, memory_GiB=0.1), None, None)[0] == 1


def test_gpu_workers_never_exceed_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    required = requirements(memory_GiB=0.1, gpu_GiB=1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert size_workers(required, 8, None)[0] == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match="there is none here"):
        size_workers(required, None, None)


def test_each_worker_sees_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        import os

        return os.environ["CUDA_VISIBLE_DEVICES"]

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with open_cluster(requirements(memory_GiB=0.1, gpu_GiB=1), workers=2) as client:
        assert set(client.run(shown).values()) == {"3", "5"}


def test_local_cluster_closes_with_its_block() -> None:
    with open_cluster(requirements(units=1, memory_GiB=0.1)) as client:
        assert isinstance(client, Client)
        assert client.submit(sum, [1, 2]).result() == 3
    assert client.status == "closed"
    assert size_workers(requirements(units=1, memory_GiB=0.1), None, None)[1] > GIB / 10


def test_worker_lost_with_its_nanny_is_replaced() -> None:
    """Nannies give up when their workers die while they start."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        open_cluster(requirements(units=1, memory_GiB=0.1)) as client,
    ):
        before = client.submit(os.getpid).result()
        [nanny] = client.cluster.workers.values()
        client.cluster.sync(nanny.close)
        assert client.submit(os.getpid, pure=False).result(timeout=120) != before
