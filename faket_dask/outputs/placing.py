"""Final names for complete files and folders, as far as the running command's claims allow."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.outputs.claim import OutputKind, find_claim, temporary_path
from faket_dask.outputs.record import OutputRecord, Owner, absolute

_ZARR_METADATA = (".zgroup", ".zarray", "zarr.json")


def check_output(path: Path, kind: OutputKind) -> None:
    """Refuse a path that the running command claimed and must not write.

    Raises
    ------
    InputError
        If it is an input, of others, or cannot be a file of this name.
    """
    path = absolute(path)
    claim = find_claim(path)
    if claim is not None:
        claim.check(path, kind)


def put_file_in_place(complete: Path, path: Path) -> None:
    """Give a complete file its final name, and record it if that is claimed.

    Raises
    ------
    InputError
        If what lies there meanwhile is not this program's.
    """
    path = absolute(path)
    claim = find_claim(path)
    if claim is None:
        complete.replace(path)
        return
    claim.check(path, OutputKind.FILE)
    if claim.record.find_owner(path) is not Owner.NOBODY or not _link(complete, path):
        claim.check(path, OutputKind.FILE)
        complete.replace(path)
    claim.record.add(path)


def put_folder_in_place(complete: Path, path: Path) -> None:
    """Give a complete folder its final name, in place of an earlier one, and record it if that is claimed.

    Raises
    ------
    InputError
        If what lies there is not this program's; without a claim, if it is a folder with files that is no Zarr store.
    """
    path = absolute(path)
    claim = find_claim(path)
    is_folder = path.is_dir() and not path.is_symlink()
    if claim is not None:
        claim.check(path, OutputKind.FOLDER)
    elif is_folder and any(path.iterdir()) and not any((path / name).exists() for name in _ZARR_METADATA):
        raise InputError(f"{path} is a folder and no Zarr store; choose another name, or move it away")
    before = temporary_path(path)
    if is_folder:
        path.rename(before)
    elif os.path.lexists(path):
        path.unlink()
    complete.rename(path)
    shutil.rmtree(before, ignore_errors=True)
    if claim is not None:
        claim.record.add(path)


def remove_own_output(path: Path) -> None:
    """Remove a file of an earlier command that would be out of date, if it is there and this program's."""
    path = absolute(path)
    if OutputRecord.beside(path).find_owner(path) is Owner.PROGRAM:
        path.unlink()


def _link(complete: Path, path: Path) -> bool:
    """Name a file, unless the name was taken meanwhile; ``False`` if that, or the file system, prevents it."""
    try:
        os.link(complete, path)
    except OSError:
        return False
    complete.unlink()
    return True
