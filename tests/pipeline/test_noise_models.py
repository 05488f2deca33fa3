"""Noise models of a data set."""

from pathlib import Path

from faket_dask.config import parse
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.serial import execute_serially
from faket_dask.pipeline.plan import plan
from tests.runs import small_document


def test_transfer_noise_is_studied_where_only_noisy_tilts_are_kept(tmp_path: Path) -> None:
    document = small_document(
        tmp_path / "data",
        specimen={"count": 1},
        acquisition={"tilt_angles": [-20, 0, 20], "detector_px": [64, 64]},
        references=[{"kind": "simulated", "name": "a"}],
        style={"noise": "spectral"},
        outputs={"modalities": ["noisy"]},
    )
    planned = plan(parse(document, tmp_path))
    planned.spec.write()
    completed = CompletedUnits.read(planned)
    execute_serially(planned, completed)
    assert all(not progress.missing() for progress in completed.batches.values())
