"""What the Dask dashboard makes of the units of work."""

from itertools import combinations

from dask.utils import key_split
from distributed.utils import color_of

from faket_dask.engine.in_flight import DASHBOARD_NAMES
from faket_dask.pipeline import STAGES


def shown() -> dict[str, str]:
    """What tasks are called on the dashboard, by stage."""
    return {
        stage: key_split((DASHBOARD_NAMES.get(stage, stage), "specimen-000__a", 3, 0)) for stage in STAGES
    }


def test_tasks_are_called_after_their_stage() -> None:
    for stage, name in shown().items():
        assert name.split("-")[0] == stage


def test_no_two_stages_have_the_same_colour() -> None:
    colours = {stage: color_of(name) for stage, name in shown().items()}
    assert [pair for pair in combinations(colours, 2) if colours[pair[0]] == colours[pair[1]]] == []
