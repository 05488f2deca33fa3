"""Hidden folders of unfinished work beside the file that it is to become."""

from __future__ import annotations

import os
from pathlib import Path

from faket_dask.engine.folder import RunFolder


def may_hold_work(root: Path) -> bool:
    """Tell whether a folder for unfinished work is absent, empty or one that this program made.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     empty = may_hold_work(Path(folder))
    ...     _ = (Path(folder) / "thesis.txt").write_text("mine")
    ...     empty, may_hold_work(Path(folder))
    (True, False)
    """
    if not os.path.lexists(root):
        return True
    return root.is_dir() and (RunFolder(root).progress.is_dir() or next(root.iterdir(), None) is None)
