"""Reading of YAML files, with one clear error for a file that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from faket_dask.errors import InputError


def read_document(path: Path, kind: str, advice: str = "") -> Any:
    """Read a YAML file.

    Parameters
    ----------
    path
        File to read, UTF-8.
    kind
        Kind of file, for messages, such as ``"run file"``.
    advice
        Remedy, for messages.

    Raises
    ------
    InputError
        If the file cannot be read or is not valid YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read the {kind} {path}: {reason}{advice and f'; {advice}'}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise InputError(f"{path} is not valid YAML{line}: {getattr(error, 'problem', error)}") from None
