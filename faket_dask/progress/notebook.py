"""Live progress of a run in a notebook.

While the run goes on, a widget is redrawn every second or two; when it has ended, a picture takes its place, so
that the saved notebook shows it without a kernel. Without ipywidgets there are lines of text.
"""

from __future__ import annotations

import sys
import time
from html import escape
from importlib.util import find_spec
from typing import Any

from faket_dask.engine.events import Event, RunEnded, RunStopped
from faket_dask.engine.unit import Unit
from faket_dask.progress.picture import Preview, draw, preview_of
from faket_dask.progress.tally import Tally

REDRAW_S = 1.0
"""Between two pictures, at least."""

SHARE_OF_TIME = 0.1
"""Most of the driver's time that drawing may take."""

FAILURES_SHOWN = 5

WIDTH_PX = 1000


class NotebookDisplay:
    """Watches a run and shows it below the cell that runs; use as the run's watcher.

    Raises
    ------
    ImportError
        Where ipywidgets or IPython are not installed.
    """

    def __init__(self) -> None:
        import ipywidgets

        self._tally = Tally()
        self._text = ipywidgets.HTML()
        self._image = ipywidgets.Image(format="png", layout={"max_width": "100%", "width": f"{WIDTH_PX}px"})
        self._box = ipywidgets.VBox([self._text, self._image])
        self._shown: Any = None
        self._preview: tuple[Unit | None, Preview | None] = (None, None)
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        self._tally(event)
        if isinstance(event, RunEnded | RunStopped):
            self._finish(event)
        elif time.monotonic() >= self._next and self._tally.started is not None:
            begin = time.monotonic()
            self._redraw()
            self._next = time.monotonic() + max(REDRAW_S, (time.monotonic() - begin) / SHARE_OF_TIME)

    def _redraw(self) -> None:
        from IPython.display import display

        self._text.value = _text(self._tally)
        self._image.value = draw(self._tally, self._latest())
        if self._shown is None:
            self._shown = display(self._box, display_id=True)

    def _finish(self, event: RunEnded | RunStopped) -> None:
        from IPython.display import HTML, Image, display

        if self._tally.started is not None:
            last: Any = Image(draw(self._tally, self._latest(), summary=True), width=WIDTH_PX)
        elif isinstance(event, RunStopped):
            last = HTML(f"stopped: {escape(event.cause)}")
        else:
            last = HTML("everything was done before")
        if self._shown is None:
            display(last)
        else:
            self._shown.update(last)
        for widget in (self._box, self._text, self._image):
            widget.close()

    def _latest(self) -> Preview | None:
        """The last tilt that was made; read again only when it is another one."""
        latest = self._tally.latest
        if latest is not None and latest != self._preview[0]:
            assert self._tally.started is not None
            found = preview_of(self._tally.started.plan.spec, latest)
            self._preview = (latest, found or self._preview[1])
        return self._preview[1]


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and shell.has_trait("kernel")


def has_widgets() -> bool:
    """Whether this process is a notebook's kernel that can show widgets."""
    return in_notebook() and find_spec("ipywidgets") is not None


def _text(tally: Tally) -> str:
    assert tally.started is not None
    lines = [escape(tally.summary())]
    if tally.started.dashboard:
        address = escape(tally.started.dashboard)
        lines.append(f'tasks of every worker: <a href="{address}" target="_blank">{address}</a>')
    for failed in tally.failures[-FAILURES_SHOWN:]:
        lines.append(f"<b>failed</b> {escape(str(failed.unit))}: {escape(failed.cause)}")
    return "<br>".join(lines)
