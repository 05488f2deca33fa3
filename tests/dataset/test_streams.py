"""Identifiers of random streams: the numbers that `tests.stages.test_seeds` pins are drawn from their hashes."""

from pathlib import Path

from faket_dask.config import parse
from faket_dask.dataset.streams import series_stream, simulated_reference_stream, specimen_stream
from faket_dask.pipeline.input_checks import resolve
from faket_dask.references import open_reference
from tests.runs import small_document


def test_streams_are_fixed() -> None:
    assert specimen_stream(0) == "specimen-000"
    assert specimen_stream(1234) == "specimen-1234"
    assert simulated_reference_stream("a") == "reference-a"
    assert series_stream("specimen-007", "a") == "specimen-007__a"


def test_dataset_uses_these_streams(tmp_path: Path) -> None:
    spec = resolve(parse(small_document(tmp_path / "data"), tmp_path))
    assert spec.specimens == [specimen_stream(0), specimen_stream(1)]
    assert [series.stream for series in spec.series] == ["specimen-000__b", "specimen-001__a"]
    assert open_reference(spec, "a").simulated_specimen == "reference-a"
