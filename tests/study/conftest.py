"""Data set of four specimens with tomograms of their noiseless tilts, and studies of seconds on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed import Client

import faket_dask
from faket_dask.config import parse
from tests.runs import small_document

StudyDocument = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def specimens(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """Tomograms of 30 x 48 x 40 voxels of 20 Å; not to be changed."""
    folder = tmp_path_factory.mktemp("specimens") / "data"
    document = small_document(
        Path(folder),
        specimen={
            "count": 4,
            "species": [{"name": "propeller", "count": 4}, {"name": "boot", "count": 4}],
            "fiducials": None,
        },
        acquisition={"tilt_angles": {"start_deg": -40, "stop_deg": 40, "step_deg": 40}},
        references=[],
        outputs={"modalities": []},
        reconstruction={"modalities": ["noiseless"], "binning": 2},
    )
    return faket_dask.run(parse(document, folder), one_worker)


@pytest.fixture
def study_document(specimens: faket_dask.Dataset) -> StudyDocument:
    """Function that returns a study file as a mapping; changes replace its sections."""
    folder = str(specimens.folder)

    def make(root: Path, **changes: Any) -> dict[str, Any]:
        def source(*names: str) -> list[dict[str, Any]]:
            return [{"folder": folder, "modality": "noiseless", "series": list(names)}]

        document: dict[str, Any] = {
            "study": {"folder": str(root)},
            "tomograms": {
                "train": source("specimen-000", "specimen-001"),
                "validation": source("specimen-002"),
                "test": source("specimen-003"),
            },
            "models": {
                "whole": {"modality": "noiseless"},
                "tuned": {"from": "whole", "epoch": 1, "part": ["specimen-001"], "training": {"epochs": 1}},
            },
            "seeds": [1, 2],
            "training": {
                "width": 0.05,
                "patch": 8,
                "batch": 4,
                "shift": 2,
                "epochs": 2,
                "epochs_per_unit": 1,
                "steps": 2,
                "sampling": "classes",
                "loss": "cross_entropy",
                "segmentation": {"block": 64, "rim": 4},
            },
            "picking": {"smallest": {"boot": 3}},
            "scorer": {"radius_A": 100},
        }
        return {**document, **changes}

    return make
