"""Record of the files that this program wrote, by which it tells them from those of others.

An MRC file is this program's if the last label of its header is; programs that change a file append a label of their
own. Everything else is recorded in a hidden file of its folder: size, checksum and, for large files, time of change,
so that a file which was edited since belongs to whoever edited it. A folder, such as a Zarr store, is this program's
while it holds the files that it was recorded with and no others.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

RECORD = ".faket_dask_outputs"
"""Name of the record: a line of JSON for each file; the last one of a name counts."""

LABEL = b"faket_dask"
"""Label in the header of MRC files that this program writes."""

_HEAD_BYTES = 2**20
_HEADER_BYTES, _MAP, _LABEL_COUNT, _LABELS, _LABEL_BYTES = 1024, 208, 220, 224, 80


class Owner(Enum):
    """Author of what lies at a path."""

    NOBODY = "nothing is there"
    PROGRAM = "written by this program and unchanged since"
    OTHERS = "written or changed by others"


@dataclass
class OutputRecord:
    """Files that this program wrote below a folder.

    Parameters
    ----------
    root
        Absolute path of the folder, from which the recorded names start.
    path
        File of the record.
    trusts_unrecorded
        True if files without an entry are this program's: those of a data set, which earlier versions did not record.
    """

    root: Path
    path: Path
    trusts_unrecorded: bool = False

    @classmethod
    def beside(cls, path: Path) -> OutputRecord:
        """Return the record of the folder that a file lies in."""
        folder = absolute(path).parent
        return cls(folder, folder / RECORD)

    @cached_property
    def entries(self) -> dict[str, dict[str, Any]]:
        """Entries by name; damaged lines are left out."""
        entries: dict[str, dict[str, Any]] = {}
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return entries
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                entries[entry.pop("name")] = entry
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
        return entries

    def add(self, path: Path) -> None:
        """Record a file or folder as it is now, unless it carries a label."""
        if path.is_file() and has_own_label(path):
            return
        name, entry = self._name(path), _measure(path)
        self.entries[name] = entry
        with open(self.path, "a", encoding="utf-8") as stream:  # appended lines survive commands side by side
            stream.write(json.dumps({"name": name, **entry}) + "\n")

    def find_owner(self, path: Path) -> Owner:
        """Tell whose the file or folder at a path is.

        Raises
        ------
        OSError
            If the path cannot be looked at.
        """
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return Owner.NOBODY
        if stat.S_ISREG(mode) and has_own_label(path):
            return Owner.PROGRAM
        entry = self.entries.get(self._name(path))
        if entry is not None:
            own = (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and _agrees(entry, path)
        elif stat.S_ISDIR(mode):
            own = next(path.iterdir(), None) is None
        else:
            own = self.trusts_unrecorded and stat.S_ISREG(mode)
        return Owner.PROGRAM if own else Owner.OTHERS

    def list_changed(self) -> list[Path]:
        """List recorded files and folders that were changed since."""
        recorded = (self.root / name for name in self.entries)
        return [path for path in recorded if self.find_owner(path) is Owner.OTHERS]

    def _name(self, path: Path) -> str:
        return absolute(path).relative_to(self.root).as_posix()


def absolute(path: Path) -> Path:
    """Return an absolute path without ``..``, its links as they are but for those that ``..`` leads out of.

    Examples
    --------
    >>> absolute(Path("/absent/b/../c")).as_posix()
    '/absent/c'
    """
    path = Path.cwd() / path
    if ".." not in path.parts:
        return path
    first, *parts = path.parts
    result = Path(first)
    for part in parts:
        result = Path(os.path.realpath(result)).parent if part == ".." else result / part
    return result


def has_own_label(path: Path) -> bool:
    """Tell whether a file is an MRC file whose last label is this program's."""
    try:
        with open(path, "rb") as stream:
            header = stream.read(_HEADER_BYTES)
    except OSError:
        return False
    if len(header) < _HEADER_BYTES or header[_MAP : _MAP + 3] != b"MAP":
        return False
    count = int.from_bytes(header[_LABEL_COUNT : _LABEL_COUNT + 4], "little")
    if not 1 <= count <= 10:
        return False
    start = _LABELS + (count - 1) * _LABEL_BYTES
    return header[start : start + len(LABEL)] == LABEL


def _measure(path: Path) -> dict[str, Any]:
    """Measure a file by its first mebibyte, size and time; a folder by the names and sizes of its files."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            status = file.lstat()
            size = "folder" if stat.S_ISDIR(status.st_mode) else str(status.st_size)
            digest.update(f"{file.relative_to(path).as_posix()}\0{size}\0".encode(errors="surrogateescape"))
        return {"listing_sha256": digest.hexdigest()}
    with open(path, "rb") as stream:
        head = hashlib.sha256(stream.read(_HEAD_BYTES)).hexdigest()
        status = os.fstat(stream.fileno())
    return {"bytes": status.st_size, "head_sha256": head, "modified_ns": status.st_mtime_ns}


def _agrees(entry: dict[str, Any], path: Path) -> bool:
    """Tell whether a file is still as it was recorded; the time counts where its end was not read."""
    try:
        now = _measure(path)
    except OSError:
        return False
    if now.get("bytes", 0) <= _HEAD_BYTES:
        now, entry = ({k: v for k, v in m.items() if k != "modified_ns"} for m in (now, entry))
    return now == entry
