"""Entries in the user's cache: fetch, locate, list.

The cache holds each file decompressed, and beside it a record with its checksum, so that an entry has the same checksum
wherever it came from. Both appear by a rename, the record last.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.structures.entry import ARCHIVES, Entry
from faket_dask.structures.origin import download
from faket_dask.user_cache import cache_folder, hash_file, writing_to_cache

FOLDER = "structures"
"""Folder of the cache that holds entries, in a folder for each archive."""


@dataclass(frozen=True)
class StoredEntry:
    """Entry in the cache.

    Parameters
    ----------
    path
        Its file, decompressed.
    sha256
        Checksum of the file, recorded when it was fetched.
    address
        Address that it came from.
    """

    path: Path
    sha256: str
    address: str


def fetch(entry: Entry) -> StoredEntry:
    """Fetch an entry into the cache, unless it is there and intact.

    Parameters
    ----------
    entry
        Entry of an archive.

    Warns
    -----
    UserWarning
        If a damaged entry is replaced by a file with another checksum than the one recorded.

    Raises
    ------
    UnavailableEntryError
        If it cannot be had.
    InputError
        If the file is not that entry, or damaged.
    """
    record = _read_record(entry)
    if record is not None and _is_intact(record):
        return record
    with writing_to_cache(FOLDER) as work:
        served = download(entry, work)
        try:
            entry.archive.check(served.path, entry.accession)
        except InputError as error:
            # Messages of readers name the file, which is gone when the message is read.
            fault = str(error).replace(str(served.path), "it")
            raise InputError(
                f"{entry}: the file at {served.address} is not that entry: {fault}; nothing was stored"
            ) from None
        target = _folder(entry) / served.path.name
        stored = StoredEntry(target, hash_file(served.path), served.address)
        target.parent.mkdir(exist_ok=True)
        served.path.replace(target)
        written = work / "record.json"
        written.write_text(json.dumps({**asdict(stored), "path": target.name}, indent=1))
        written.replace(_record_path(entry))
    if record is not None and record.sha256 != stored.sha256:
        warnings.warn(
            f"{entry} was damaged or gone and is fetched anew; its checksum is now {stored.sha256}, and was "
            f"{record.sha256}: the archive has changed it, and data sets of the old one cannot be continued",
            stacklevel=2,
        )
    return stored


def locate(entry: Entry) -> StoredEntry:
    """Return an entry of the cache, after a comparison of its checksum with the record.

    A file is compared once for as long as the process lives and the file does not change.

    Raises
    ------
    InputError
        If it is not there, or damaged.
    """
    remedy = f"`faket-dask structures fetch {entry}`, where there is a network or a mirror"
    record = _read_record(entry)
    if record is None:
        raise InputError(f"{entry} is not here (no {_record_path(entry)}): {remedy}")
    if not record.path.is_file():
        raise InputError(f"{entry} is not here (no {record.path}): {remedy}")
    if not _is_intact(record):
        raise InputError(
            f"{record.path} is corrupted: its checksum is not {record.sha256}, which was recorded when it was fetched; "
            f"{remedy} again"
        )
    return record


def list_entries() -> list[tuple[Entry, StoredEntry]]:
    """Return all entries that were fetched, sorted by archive and code; whether they are intact is not checked."""
    entries = [
        Entry(prefix, path.stem)
        for prefix in ARCHIVES
        for path in sorted((cache_folder() / FOLDER / prefix).glob("*.json"))
    ]
    records = [(entry, _read_record(entry)) for entry in entries]
    return [(entry, record) for entry, record in records if record is not None]


def _folder(entry: Entry) -> Path:
    return cache_folder() / FOLDER / entry.prefix


def _record_path(entry: Entry) -> Path:
    return _folder(entry) / f"{entry.accession}.json"


def _read_record(entry: Entry) -> StoredEntry | None:
    """Read the record of an entry; ``None`` if there is none, or it is damaged."""
    path = _record_path(entry)
    try:
        return _parse_record(path, path.stat().st_mtime_ns)
    except OSError:
        return None


# The time of the last change is part of the key, so a file that changes is read again.
@lru_cache(maxsize=1024)
def _parse_record(path: Path, stamp: int) -> StoredEntry | None:
    try:
        record = json.loads(path.read_text())
        return StoredEntry(path.parent / str(record["path"]), str(record["sha256"]), str(record["address"]))
    except (ValueError, KeyError, TypeError):
        return None


def _is_intact(record: StoredEntry) -> bool:
    try:
        return _has_checksum(record.path, record.path.stat().st_mtime_ns, record.sha256)
    except OSError:
        return False


@lru_cache(maxsize=1024)
def _has_checksum(path: Path, stamp: int, sha256: str) -> bool:
    return hash_file(path) == sha256
