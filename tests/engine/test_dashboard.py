"""Names of tasks on the Dask dashboard."""

from dask.utils import key_split

from faket_dask.pipeline import TILT_SERIES

LABELS = {stage.name: key_split((stage.label, "specimen-000__a", 3, 0)) for stage in TILT_SERIES.stages}
"""Names that the dashboard makes of the keys of tasks, by stage."""


def test_labels_of_stages_are_distinct() -> None:
    assert len(set(LABELS.values())) == len(TILT_SERIES.stages)


def test_labels_start_with_the_name_of_their_stage() -> None:
    assert [name for name, label in LABELS.items() if label.split("-")[0] != name] == []
