"""Consolidated metadata of Zarr stores: a copy of all metadata in one file, with which a store opens in one read.

Readers believe the copy without a look at the arrays, so one that is out of date hides what was added since. Set-up
removes it before it changes a store, and writes it anew from what is there; a set-up that is killed in between leaves
a store without the copy, which is read correctly and opens more slowly. The format is that of zarr-python; Zarr 3 has
none of its own, and readers that do not know the copy pass over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faket_dask.atomic import write_text

METADATA = "zarr.json"
"""Name of the file that describes a group or an array."""

CONSOLIDATED = "consolidated_metadata"
"""Key of the copy in the metadata of a group."""

Document = dict[str, Any]


def find_store(group: Path) -> Path:
    """Return the store of a group: the nearest folder called ``.zarr`` around it, otherwise the group itself.

    Examples
    --------
    >>> find_store(Path("series/a.zarr/tilts")).as_posix()
    'series/a.zarr'
    """
    return next((folder for folder in (group, *group.parents) if folder.suffix == ".zarr"), group)


def remove_consolidated(store: Path) -> None:
    """Remove the copies from all groups of a store, the outermost first; unreadable metadata is passed over."""
    for path, document in _iterate_nodes(store):
        if document is not None and CONSOLIDATED in document:
            _write(path, {key: value for key, value in document.items() if key != CONSOLIDATED})


def consolidate(store: Path) -> None:
    """Write the copies into all groups of a store, the outermost last; nothing where any metadata is unreadable."""
    documents = _read_store(store)
    for path in sorted(documents or (), reverse=True):
        assert documents is not None
        if _is_group(documents[path]):
            _write(path, {**documents[path], CONSOLIDATED: _compose(path, documents)})


def is_consolidated(group: Path) -> bool:
    """Tell whether the copy in a group agrees with the metadata below it; True where some cannot be read."""
    documents = _read_store(group)
    if not documents or not _is_group(documents[group / METADATA]):
        return True
    stored = json.loads((group / METADATA).read_bytes()).get(CONSOLIDATED)
    return bool(stored == _compose(group / METADATA, documents))


def _compose(path: Path, documents: dict[Path, Document]) -> Document:
    """Return the copy for the group that a metadata file describes."""
    nodes = {
        node.parent.relative_to(path.parent).as_posix(): document
        for node, document in documents.items()
        if node != path and node.is_relative_to(path.parent)
    }
    return _wrap(
        {
            name: {**nodes[name], CONSOLIDATED: _wrap({})} if _is_group(nodes[name]) else nodes[name]
            for name in sorted(nodes)
        }
    )


def _wrap(nodes: Document) -> Document:
    return {"kind": "inline", "must_understand": False, "metadata": nodes}


def _is_group(document: Document) -> bool:
    return document.get("node_type") == "group"


def _read_store(store: Path) -> dict[Path, Document] | None:
    """Return the metadata of all nodes without copies, by file; ``None`` where any cannot be read."""
    documents = {}
    for path, document in _iterate_nodes(store):
        if document is None:
            return None
        documents[path] = {key: value for key, value in document.items() if key != CONSOLIDATED}
    return documents


def _iterate_nodes(folder: Path) -> Iterator[tuple[Path, Document | None]]:
    """Yield the metadata of a group or array and of all below it; ``None`` for what cannot be read."""
    path = folder / METADATA
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        document = None
    readable = isinstance(document, dict)
    yield path, document if readable else None
    if not readable or _is_group(document):
        for child in sorted(folder.iterdir()):
            if child.is_dir():
                yield from _iterate_nodes(child)


def _write(path: Path, document: Document) -> None:
    write_text(path, json.dumps(document))  # not indented, for speed
