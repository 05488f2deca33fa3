"""Stacks that are aligned already, by their name or by what a program noted in their header.

IMOD's aligned stack is ``NAME.ali`` or ``NAME_ali.mrc`` beside ``NAME.st`` and the ``NAME.xf`` that made it. Transforms
and tilt-axis angles of that name are those of the raw stack, and must not be applied once more.
"""

from __future__ import annotations

import re
from pathlib import Path

from faket_dask.formats.compression import strip_compression

_ALIGNED_NAME = re.compile(r"(.+?)(?:[_.](?:ali|aligned|aln)|\.ali\..*)", re.IGNORECASE)
_TRANSFORMED = re.compile(r"NEWSTACK:.*\btransformed\b")


def find_raw_name(path: Path) -> str | None:
    """Return the name that an aligned stack's raw one has, without an ending; ``None`` for a stack of another name.

    Examples
    --------
    >>> [find_raw_name(Path(name)) for name in ("a.ali", "a_ali.mrc", "a_aligned.st", "a.mrc")]
    ['a', 'a', 'a', None]
    """
    plain = strip_compression(path)
    stem = plain.name if plain.suffix.lower() == ".ali" else plain.stem
    match = _ALIGNED_NAME.fullmatch(stem)
    return match.group(1) if match else None


def is_transformed(labels: tuple[str, ...]) -> bool:
    """True if IMOD's newstack noted in a stack's titles that it had transformed the images.

    Examples
    --------
    >>> is_transformed(("NEWSTACK: Images copied, transformed     21-Oct-15  13:21:42",))
    True
    """
    return any(_TRANSFORMED.search(label) for label in labels)
