"""Fixtures shared by all tests: the golden arrays and the real data beside the checkout."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster
from hypothesis import settings

import faket_dask
from faket_dask.config import parse
from tests.runs import small_document

# The duration of an example depends on the machine, not on the code. Continuous integration tries the same examples
# each time; elsewhere every run tries others.
settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("untimed")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so all the drivers that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Have a parallel test process that has run all its tests ignore SIGINT.

    Its parent, execnet, sends it one when it is not gone after five seconds, as on a busy machine, and the interrupt
    would strike whatever runs then, such as the callback of a weak reference.
    """
    if hasattr(session.config, "workerinput"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_path(relative: str) -> Path:
    """Return a path below the shared folder; skip where it is absent, except in continuous integration."""
    path = SHARED / relative
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing, and continuous integration must have it")
        pytest.skip(
            f"{path} is missing: the shared folder lies beside the checkout where the project is developed"
        )
    return path


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Load one file of golden arrays by name."""

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(shared_path("golden") / name) as arrays:
            return {key: arrays[key] for key in arrays.files}

    return load


@pytest.fixture(scope="session")
def real_series() -> Path:
    """Folder of the real tilt-series (EMPIAR-10499 series 00254)."""
    return shared_path("data/empiar10499_tiltseries")


@pytest.fixture(scope="session")
def structures() -> Path:
    """Folder of the SHREC 2021 structures."""
    return shared_path("data/shrec2021_structures")


@pytest.fixture(scope="session")
def one_worker() -> Iterator[Client]:
    """Client of one worker in this process."""
    # The client closes before the cluster, whose event loop it uses: a message that it still waits to send when that
    # loop stops would end as an exception that nobody retrieves.
    with (
        LocalCluster(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as connected,
    ):
        yield connected


@contextmanager
def hold_file_lock(path: Path) -> Iterator[None]:
    """Hold a lock that one process has at a time; it is free again when the process ends, however it ends."""
    with open(path, "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def tiny_dataset(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """Two complete series of five 96 x 80 tilts in all modalities, with a report; not to be changed.

    Parallel test processes share it: the first that needs it makes it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, complete = base / "tiny" / "data", base / "tiny" / "complete"
    folder.parent.mkdir(exist_ok=True)
    with hold_file_lock(base / "tiny" / "lock"):
        if complete.exists():
            return faket_dask.open_dataset(folder)
        document = small_document(folder)
        document["outputs"]["report"] = True
        dataset = faket_dask.run(parse(document, folder), one_worker)
        complete.touch()
        return dataset
