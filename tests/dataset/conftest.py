"""A small data set with everything in it, made once by a real run."""

from collections.abc import Iterator

import pytest
from distributed import Client

import faket_dask
from faket_dask.config import parse
from tests.runs import small_document


@pytest.fixture(scope="session")
def one_worker() -> Iterator[Client]:
    """A worker in this process."""
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as connected:
        yield connected


@pytest.fixture(scope="session")
def tiny_dataset(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """Two complete series of five 96 x 80 tilts in all modalities, with a report; look, do not touch."""
    folder = tmp_path_factory.mktemp("tiny") / "data"
    document = small_document(folder)
    document["outputs"]["report"] = True
    return faket_dask.run(parse(document, folder), one_worker)
