"""Files of entries as they are served: by the archives themselves, or by a mirror."""

from __future__ import annotations

import gzip
import os
import shutil
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from faket_dask.errors import InputError
from faket_dask.structures.entry import Entry
from faket_dask.user_cache import hash_file

MIRROR_VARIABLE = "FAKET_DASK_MIRROR"
"""Environment variable with the folder or address that entries are fetched from, in place of the archives."""

CHECKSUM_FILE = "SHA256SUMS"
"""File of a mirror that may hold the checksums of its files, as the program `sha256sum` writes them."""

_TIMEOUT_S = 60
_GZIP = b"\x1f\x8b"
_UNREACHABLE = (URLError, HTTPException, TimeoutError, ConnectionError)


class UnavailableEntryError(InputError):
    """Entry that neither the mirror nor its archive serves, or that nobody can be asked for."""


@dataclass(frozen=True)
class ServedFile:
    """File of an entry, as it came from an address.

    Parameters
    ----------
    path
        Decompressed file.
    address
        Address that it came from.
    """

    path: Path
    address: str


def download(entry: Entry, folder: Path) -> ServedFile:
    """Download the file of an entry from the mirror, if one is set, or from its archive; decompress it.

    Parameters
    ----------
    entry
        Entry of an archive.
    folder
        Folder to download to.

    Raises
    ------
    UnavailableEntryError
        If no address has it.
    InputError
        If it is damaged, or its checksum is not that in the mirror's list.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    if mirror:
        return _download_from_mirror(entry, mirror, folder)
    failures = []
    for address in entry.archive.addresses(entry.accession):
        try:
            return ServedFile(_unpack(_retrieve(address, folder)), address)
        except _UNREACHABLE as error:
            failures.append(f"{urlsplit(address).hostname}: {_reason(error)}")
    raise UnavailableEntryError(
        f"{entry} cannot be fetched from the {entry.archive.title} ({'; '.join(failures)}): check the code, or where "
        f"there is no network set {MIRROR_VARIABLE} to a folder with its file, "
        f"{entry.archive.mirror_paths(entry.accession)[1]}"
    )


def _download_from_mirror(entry: Entry, mirror: str, folder: Path) -> ServedFile:
    root = _mirror_address(mirror)
    paths = entry.archive.mirror_paths(entry.accession)
    failures = []
    for relative in paths:
        address = f"{root}/{relative}"
        try:
            packed = _retrieve(address, folder)
        except _UNREACHABLE as error:
            failures.append(_reason(error))
            continue
        _compare_with_list(root, relative, packed, folder)
        return ServedFile(_unpack(packed), address)
    reason = "" if root.startswith("file:") else f" ({failures[0]})"
    raise UnavailableEntryError(
        f"{entry}: the mirror {mirror} has none of {', '.join(paths)}{reason}; put the file there, or unset "
        f"{MIRROR_VARIABLE} to ask the {entry.archive.title}"
    )


def _mirror_address(mirror: str) -> str:
    """Return the address of a mirror without a slash at its end.

    Raises
    ------
    InputError
        If a folder does not exist.
    """
    if urlsplit(mirror).scheme in ("file", "http", "https"):
        return mirror.rstrip("/")
    folder = Path(mirror).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"{MIRROR_VARIABLE} is {mirror}, and there is no such folder; correct or unset it")
    return folder.as_uri()


def _compare_with_list(root: str, relative: str, packed: Path, folder: Path) -> None:
    """Refuse a file whose checksum is not that in the mirror's list; warn where the list does not name it."""
    with suppress(*_UNREACHABLE):
        listed = _read_checksums(_retrieve(f"{root}/{CHECKSUM_FILE}", folder))
        if relative not in listed:
            warnings.warn(
                f"{CHECKSUM_FILE} of the mirror {root} does not name {relative}, which is taken unchecked; add it "
                "with sha256sum",
                stacklevel=2,
            )
            return
        checksum = hash_file(packed)
        if listed[relative] != checksum:
            raise InputError(
                f"{root}/{relative} has the checksum {checksum}, and {CHECKSUM_FILE} of the mirror says "
                f"{listed[relative]}; copy the file into the mirror again"
            )


def _read_checksums(path: Path) -> dict[str, str]:
    """Read the checksums of relative paths from a list that `sha256sum` wrote."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    return {pair[1].lstrip("*").removeprefix("./"): pair[0].lower() for pair in pairs if len(pair) == 2}


def _retrieve(address: str, folder: Path) -> Path:
    """Copy what is at an address to a folder, under its own name."""
    target = folder / address.rsplit("/", 1)[1]
    with urlopen(address, timeout=_TIMEOUT_S) as served, open(target, "wb") as file:
        shutil.copyfileobj(served, file)
    return target


def _unpack(packed: Path) -> Path:
    """Decompress a file if it is compressed by gzip, whatever its name."""
    with open(packed, "rb") as file:
        is_compressed = file.read(2) == _GZIP
    target = packed.with_name(packed.name.removesuffix(".gz"))
    if not is_compressed:
        return packed.rename(target)
    part = packed.with_name(f"{target.name}.part")
    try:
        with gzip.open(packed) as source, open(part, "wb") as file:
            shutil.copyfileobj(source, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{packed.name} is damaged ({error}); fetch it again") from None
    return part.rename(target)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error) or type(error).__name__)
