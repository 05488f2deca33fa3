"""YAML files that people write, read with one clear error for what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from faket_dask.errors import InputError


def read_document(path: Path, what: str, advice: str = "") -> Any:
    """What a YAML file holds.

    Parameters
    ----------
    path
        File to read, UTF-8.
    what
        What the file is, for messages.
    advice
        What to give instead, when it cannot be read.

    Raises
    ------
    InputError
        When the file cannot be read or is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read the {what} {path}: {reason}{advice and f'; {advice}'}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise InputError(f"{path} is not valid YAML{line}: {getattr(error, 'problem', error)}") from None
