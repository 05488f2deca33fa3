"""Live progress of a run in a notebook.

While the run goes on, a widget is redrawn every second or two; when it has ended, a picture takes its place, so
that the saved notebook shows it without a kernel. Without ipywidgets there are lines of text.
"""

from __future__ import annotations

import time
from html import escape
from importlib.util import find_spec
from typing import Any

from faket_dask.dataset.events import Event, RunEnded, RunStopped
from faket_dask.progress.picture import Preview, draw, preview_of
from faket_dask.progress.tally import Tally

REDRAW_S = 1.0
"""Between two pictures, at least."""

SHARE_OF_TIME = 0.1
"""Most of the driver's time that drawing may take."""

FAILURES_SHOWN = 5


class NotebookDisplay:
    """Watches a run and shows it below the cell that made this; use as the run's watcher.

    Raises
    ------
    ImportError
        Where ipywidgets or IPython are not installed.
    """

    def __init__(self) -> None:
        import ipywidgets
        from IPython.display import display

        self._tally = Tally()
        self._text = ipywidgets.HTML("waiting for the run to begin")
        self._image = ipywidgets.Image(format="png", layout={"max_width": "100%", "width": "1000px"})
        self._box = ipywidgets.VBox([self._text])
        self._shown: Any = display(self._box, display_id=True)
        self._preview: tuple[object, Preview | None] = (None, None)
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        self._tally(event)
        if isinstance(event, RunEnded | RunStopped):
            self._finish()
        elif time.monotonic() >= self._next:
            begin = time.monotonic()
            self._redraw()
            self._next = time.monotonic() + max(REDRAW_S, (time.monotonic() - begin) / SHARE_OF_TIME)

    def _redraw(self) -> None:
        if self._tally.started is None:
            return
        self._text.value = _text(self._tally)
        self._image.value = draw(self._tally, self._latest())
        if self._image not in self._box.children:
            self._box.children = (self._text, self._image)

    def _finish(self) -> None:
        from IPython.display import HTML, Image

        self._box.close()
        if self._tally.started is None:
            self._shown.update(HTML("everything was done before"))
            return
        self._shown.update(Image(draw(self._tally, self._latest(), summary=True), width=1000))

    def _latest(self) -> Preview | None:
        """The last tilt that was made; read again only when it is another one."""
        latest = self._tally.latest
        if latest is not None and latest != self._preview[0]:
            assert self._tally.started is not None
            found = preview_of(self._tally.started.plan.blueprint, latest)
            self._preview = (latest, found or self._preview[1])
        return self._preview[1]


def has_widgets() -> bool:
    """Whether this process is a notebook's kernel that can show widgets."""
    if find_spec("ipywidgets") is None or find_spec("IPython") is None:
        return False
    return in_notebook()


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and shell.has_trait("kernel")


def _text(tally: Tally) -> str:
    assert tally.started is not None
    lines = [escape(tally.summary())]
    if tally.started.dashboard:
        address = escape(tally.started.dashboard)
        lines.append(f'tasks of every worker: <a href="{address}" target="_blank">{address}</a>')
    for failed in tally.failures[-FAILURES_SHOWN:]:
        lines.append(f"<b>failed</b> {escape(str(failed.unit))}: {escape(failed.cause)}")
    return "<br>".join(lines)
