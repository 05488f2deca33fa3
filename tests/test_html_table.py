"""Tables of plans and data sets in notebooks."""

import dataclasses
from html.parser import HTMLParser

import faket_dask
from faket_dask.engine.events import UnitFailed
from faket_dask.engine.unit import Item, Unit
from faket_dask.pipeline.plan import plan_spec


class Cells(HTMLParser):
    """Parser of the texts of a table's cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts.append(data)


def test_plan_shows_every_stage_and_their_sum(tiny_dataset: faket_dask.Dataset) -> None:
    plan = plan_spec(tiny_dataset.spec)
    cells = Cells(plan._repr_html_()).texts
    assert {batch.stage for batch in plan.batches} <= set(cells)
    assert str(sum(batch.count for batch in plan.batches)) in cells


def test_data_set_shows_its_series_and_failures(tiny_dataset: faket_dask.Dataset) -> None:
    failed = UnitFailed(Unit("project", Item("specimen-000"), 1), "ValueError: <cosmic> ray", final=True)
    html = dataclasses.replace(tiny_dataset, failures=(failed,))._repr_html_()
    assert set(tiny_dataset.series) <= set(Cells(html).texts)
    assert "ValueError: &lt;cosmic&gt; ray" in html
    assert str(tiny_dataset.folder.parent) not in html
