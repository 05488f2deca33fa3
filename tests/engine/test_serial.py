"""Dask driver and serial reference executor compute the same data set."""

from pathlib import Path

import pytest

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import Event, UnitDone
from faket_dask.engine.marker import Marker
from faket_dask.engine.plan import read_plan
from faket_dask.engine.serial import execute_serially
from faket_dask.engine.unit import Unit
from faket_dask.pipeline.plan import plan
from tests.runs import checksum_results, copy_without, small_document


def read_results(folder: Path) -> dict[Unit, tuple[object, ...]]:
    """Read what markers say of every unit's result: fingerprint, checksums of files, and findings."""
    completed = CompletedUnits.read(read_plan(folder))
    markers: dict[Unit, Marker] = {
        batch.unit(index): marker
        for batch in completed.plan.batches
        for index, marker in completed.read_markers(batch.stage, batch.item).items()
    }
    return {unit: (marker.inputs, marker.files, marker.findings) for unit, marker in markers.items()}


@pytest.mark.parametrize(("threads", "reports"), [(1, True), (3, False)])
def test_driver_computes_what_the_serial_executor_computes(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path, threads: int, reports: bool
) -> None:
    document = small_document(tmp_path / "data", outputs={"report": reports})
    planned = plan(parse(document, tmp_path))
    planned.spec.write()
    events: list[Event] = []
    execute_serially(planned, CompletedUnits.read(planned), events.append, threads=threads)
    assert [event.unit for event in events if isinstance(event, UnitDone)] == list(planned.units())
    assert checksum_results(tmp_path / "data") == checksum_results(tiny_dataset.folder)
    results, expected = read_results(tmp_path / "data"), read_results(tiny_dataset.folder)
    assert results == {unit: expected[unit] for unit in planned.units()}
    assert not reports or results == expected
    assert len(results) == sum(batch.count for batch in planned.batches)


def test_serial_executor_computes_missing_units_only(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    (copy / "progress/project/specimen-001/1.json").unlink()
    planned = read_plan(copy)
    completed = CompletedUnits.read(planned)
    events: list[Event] = []
    execute_serially(planned, completed, events.append)
    units = [f"synthesise specimen-000__b {index}" for index in range(5)] + ["project specimen-001 1"]
    assert sorted(str(event.unit) for event in events if isinstance(event, UnitDone)) == sorted(units)
    assert not any(completed.missing(batch) for batch in planned.batches)
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)
