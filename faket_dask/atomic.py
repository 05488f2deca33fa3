"""Write files atomically: a reader sees the old file or the new one, never a part of either.

Where the running command claimed a name (`faket_dask.outputs`), only a file that this program wrote is replaced.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faket_dask.outputs.claim import OutputKind, temporary_path
from faket_dask.outputs.placing import check_output, put_file_in_place, put_folder_in_place
from faket_dask.outputs.record import absolute


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; rename it to the final one when the block ends without an error.

    Parameters
    ----------
    path
        File to write; one of this name is replaced. Its folder must exist.

    Yields
    ------
    temporary
        Path in the same folder, ``.<name>.<8 hexadecimal digits>.tmp``; removed if the block raises.

    Raises
    ------
    InputError
        If the running command claimed the name, and a file of others has it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "angles.tlt"
    ...     with replace_atomically(path) as temporary:
    ...         _ = temporary.write_text("-60\\n")
    ...     path.read_text()
    '-60\\n'
    """
    path = absolute(path)
    check_output(path, OutputKind.FILE)
    temporary = temporary_path(path)
    try:
        yield temporary
        put_file_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replace_folder_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write to; rename it to the final one when the block ends without an error.

    Parameters
    ----------
    path
        Folder to write, such as a Zarr store; a store of this name is replaced. Its parent must exist.

    Yields
    ------
    temporary
        Path of an empty folder beside it, removed if the block raises.

    Raises
    ------
    InputError
        If a folder of others, or of anything but a Zarr store, has the name.
    """
    path = absolute(path)
    check_output(path, OutputKind.FOLDER)
    temporary = temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        put_folder_in_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file with Unix line ends, atomically.

    Parameters
    ----------
    path
        File to write; replaced whole.
    text
        Contents.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "angles.tlt", "-60\\n")
    ...     [file.name for file in Path(folder).iterdir()]
    ['angles.tlt']
    """
    with replace_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
