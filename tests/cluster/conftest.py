"""A SLURM for the tests that are marked `slurm`."""

import signal
from collections.abc import Iterator

import pytest

from tests.cluster.slurm import Slurm, ended_by_signal, is_installed


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A real SLURM of one node with eight cores and two GPUs that only look like some."""
    if not is_installed():
        pytest.skip("needs root, and slurmctld, slurmd, slurm-client and munge")
    running = Slurm(tmp_path_factory.mktemp("slurm"))
    before = signal.signal(signal.SIGTERM, ended_by_signal)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        signal.signal(signal.SIGTERM, before)
