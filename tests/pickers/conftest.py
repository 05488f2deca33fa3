"""Data set of two specimens with tomograms of their noiseless tilts, and tomograms in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from distributed import Client

import faket_dask
from faket_dask.config import parse
from tests.runs import small_document


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tomogram_dataset(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """Tomograms of 30 x 48 x 40 voxels of 20 Å; not to be changed."""
    folder = tmp_path_factory.mktemp("tomograms") / "data"
    document = small_document(
        Path(folder),
        outputs={"modalities": []},
        reconstruction={"modalities": ["noiseless"], "binning": 2},
    )
    return faket_dask.run(parse(document, folder), one_worker)
