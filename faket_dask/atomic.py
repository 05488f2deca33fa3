"""Write files atomically: a reader sees the old file or the new one, never a part of either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


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
    # Process numbers would not do: one file may be written from several hosts at once.
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
