"""Real batch systems for the tests that are marked `slurm`, `gridengine` and `pbs`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client

import faket_dask
from faket_dask.cluster import replacing
from faket_dask.config import parse
from tests.cluster import gridengine as sge
from tests.cluster import slurm as slurm_daemons
from tests.cluster import torque as torque_commands
from tests.cluster.daemons import BatchDaemons, raise_exit
from tests.cluster.small_runs import small
from tests.runs import checksum_results


@contextmanager
def running(daemons: BatchDaemons) -> Iterator[None]:
    handler = signal.signal(signal.SIGTERM, raise_exit)
    try:
        daemons.start()
        yield
    finally:
        daemons.stop()
        signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm_daemons.Slurm]:
    """A real SLURM of one node with eight cores and two GPUs that are stand-ins."""
    if not slurm_daemons.is_installed():
        pytest.skip("needs root, and slurmctld, slurmd, slurm-client and munge")
    daemons = slurm_daemons.Slurm(tmp_path_factory.mktemp("slurm"))
    with running(daemons):
        yield daemons


@pytest.fixture(scope="session")
def gridengine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sge.GridEngine]:
    """A real Grid Engine of one host with eight slots."""
    if not sge.is_installed():
        pytest.skip("needs root, a host name that resolves, and gridengine-master, -exec and -client")
    daemons = sge.GridEngine(tmp_path_factory.mktemp("gridengine"))
    with running(daemons):
        yield daemons


@pytest.fixture
def torque(
    slurm: slurm_daemons.Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> slurm_daemons.Slurm:
    """The real SLURM, which `qsub`, `qstat` and `qdel` of the PATH talk to."""
    commands = torque_commands.find_commands()
    if commands is None:
        pytest.skip("needs the commands of slurm-wlm-torque")
    torque_commands.put_on_path(commands, tmp_path / "torque", monkeypatch)
    return slurm


@pytest.fixture
def frequent_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacement of ended jobs within a second."""
    monkeypatch.setattr(replacing, "POLL_S", 1.0)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checksums of the small run's files, computed by one worker in this process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        faket_dask.run(parse(small(folder), folder), client)
    return checksum_results(folder / "data")
