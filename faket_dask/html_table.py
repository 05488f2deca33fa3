"""Tables in notebooks: plain HTML, which code hosts show, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table under a caption; whatever is in its cells is shown as text."""
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return f"<p>{escape(caption)}</p><table><thead><tr>{_cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"


def _cells(tag: str, values: Sequence[object]) -> str:
    return "".join(f"<{tag}>{escape(str(value))}</{tag}>" for value in values)
