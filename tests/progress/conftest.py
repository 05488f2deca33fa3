"""Small data set, and the events of its run."""

from collections.abc import Iterator

import pytest
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.events import Event
from faket_dask.engine.follow import RunFollower
from faket_dask.pipeline.plan import plan_spec
from tests.runs import small_document


@pytest.fixture(scope="session")
def quick_dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[faket_dask.Dataset]:
    """Two series of three tilts; for reading only."""
    folder = tmp_path_factory.mktemp("quick") / "data"
    document = small_document(
        folder,
        acquisition={"tilt_angles": {"start_deg": -40, "stop_deg": 40, "step_deg": 40}},
        outputs={"modalities": ["faket"], "report": False},
    )
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        yield faket_dask.run(parse(document, folder), client)


@pytest.fixture
def events(quick_dataset: faket_dask.Dataset) -> list[Event]:
    """Events of its run, in order."""
    return RunFollower(plan_spec(quick_dataset.spec)).look()
