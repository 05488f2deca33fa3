"""Hidden folders of unfinished work beside the file that it is to become."""

from __future__ import annotations

import json
import os
from pathlib import Path

from faket_dask.engine.folder import RunFolder
from faket_dask.engine.specification import Specification


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


def is_other_work(spec: Specification) -> bool:
    """Tell whether the folder of a specification holds work of another one, or its description is damaged."""
    try:
        before = json.loads(spec.folder.description.read_bytes())["fingerprint"]
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return bool(before != spec.fingerprint)
