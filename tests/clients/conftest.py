"""Data set with tomograms, exported to every format, for client programs to open."""

from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import Client as DaskClient

import faket_dask
from faket_dask.config import parse
from faket_dask.interchange.export import export
from faket_dask.interchange.exporters import exporter_names
from tests.clients.environments import Client, ClientMissingError, install_client
from tests.runs import small_document


@pytest.fixture(scope="session")
def binned_dataset(one_worker: DaskClient, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """Two complete series of five 96 x 80 tilts with vesicles, and their tomograms in voxels of two pixels."""
    folder = tmp_path_factory.mktemp("clients") / "data"
    document = small_document(
        folder,
        specimen={"membranes": [{"kind": "vesicle", "count": 1, "radius_A": [120, 150]}]},
        reconstruction={"modalities": ["faket"], "binning": 2},
        outputs={"splits": {"train": 1, "valid": 1}},
    )
    return faket_dask.run(parse(document, folder), one_worker)


@pytest.fixture(scope="session")
def exported(binned_dataset: faket_dask.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with that data set in every format, each in a folder of the format's name; not to be changed."""
    folder = tmp_path_factory.mktemp("exported")
    for name in exporter_names():
        list(export(binned_dataset, [name], folder, ["faket"]))
    return folder


@pytest.fixture(scope="session")
def install() -> Callable[..., Client]:
    """Function that installs a client by name, and skips the test where it cannot be had."""

    def install_or_skip(name: str, python: str | None = None) -> Client:
        try:
            return install_client(name, python) if python else install_client(name)
        except ClientMissingError as error:
            pytest.skip(str(error))

    return install_or_skip
