"""Live progress of a run in a notebook.

A widget is redrawn every second or two during the run; at its end, a picture takes the widget's place, so that the
saved notebook shows it without a kernel. Without ipywidgets there are lines of text.
"""

from __future__ import annotations

import sys
import time
from html import escape
from importlib.util import find_spec
from typing import Any

from faket_dask.engine.events import Event, RunEnded, RunStopped
from faket_dask.engine.stage import Preview
from faket_dask.engine.unit import Unit
from faket_dask.progress.heatmap import draw, read_preview
from faket_dask.progress.run_state import RunState

REDRAW_S = 1.0
"""Shortest time between two pictures."""

SHARE_OF_TIME = 0.1
"""Largest share of the driver's time that drawing takes."""

FAILURES_SHOWN = 5
"""Number of latest failures below the summary."""

WIDTH_PX = 1000
"""Width of the picture."""


class NotebookDisplay:
    """Display of a run below the cell that runs it; pass it as the run's `watch`.

    Raises
    ------
    ImportError
        If ipywidgets or IPython are not installed.
    """

    def __init__(self) -> None:
        import ipywidgets

        self._state = RunState()
        self._text = ipywidgets.HTML()
        self._image = ipywidgets.Image(format="png", layout={"max_width": "100%", "width": f"{WIDTH_PX}px"})
        self._box = ipywidgets.VBox([self._text, self._image])
        self._shown: Any = None
        self._preview: tuple[Unit | None, Preview | None] = (None, None)
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        self._state(event)
        if isinstance(event, RunEnded | RunStopped):
            self._finish(event)
        elif time.monotonic() >= self._next and self._state.started is not None:
            begin = time.monotonic()
            self._redraw()
            self._next = time.monotonic() + max(REDRAW_S, (time.monotonic() - begin) / SHARE_OF_TIME)

    def _redraw(self) -> None:
        from IPython.display import display

        self._text.value = _text(self._state)
        self._image.value = draw(self._state, self._latest())
        if self._shown is None:
            self._shown = display(self._box, display_id=True)

    def _finish(self, event: RunEnded | RunStopped) -> None:
        from IPython.display import HTML, Image, display

        if self._state.started is not None:
            last: Any = Image(draw(self._state, self._latest(), summary=True), width=WIDTH_PX)
        elif isinstance(event, RunStopped):
            last = HTML(f"stopped: {escape(event.cause)}")
        else:
            last = HTML("everything was done already")
        if self._shown is None:
            display(last)
        else:
            self._shown.update(last)
        for widget in (self._box, self._text, self._image):
            widget.close()

    def _latest(self) -> Preview | None:
        """Return the latest tilt, which is read once."""
        latest = self._state.latest
        if latest is not None and latest != self._preview[0]:
            assert self._state.started is not None
            preview = read_preview(self._state.started.plan, latest)
            self._preview = (latest, preview or self._preview[1])
        return self._preview[1]


def in_notebook() -> bool:
    """Tell whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and shell.has_trait("kernel")


def has_widgets() -> bool:
    """Tell whether this process is a notebook's kernel that can show widgets."""
    return in_notebook() and find_spec("ipywidgets") is not None


def _text(state: RunState) -> str:
    assert state.started is not None
    lines = [escape(state.summary())]
    if state.started.dashboard:
        address = escape(state.started.dashboard)
        lines.append(f'tasks of every worker: <a href="{address}" target="_blank">{address}</a>')
    for failed in state.failures[-FAILURES_SHOWN:]:
        lines.append(f"<b>failed</b> {escape(str(failed.unit))}: {escape(failed.cause)}")
    return "<br>".join(lines)
