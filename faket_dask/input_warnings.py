"""Warnings about input files, which are told once: when the files are first recorded in a data set."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_known: set[str] = set()


def is_known(message: str) -> bool:
    """Tell whether a warning has been told in this process, or is recorded in a data set; it counts as told then."""
    if message in _known:
        return True
    _known.add(message)
    return False


def forget_known() -> None:
    """Have all warnings told again, as by the next command."""
    _known.clear()


def mark_known(messages: Iterable[str]) -> None:
    """Count warnings as told."""
    _known.update(messages)


@contextmanager
def hold_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Hold the warnings of a block back, each message once; after an error in the block they are given."""
    held: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                yield held
            finally:
                held.extend({str(warning.message): warning for warning in caught}.values())
    except BaseException:
        give_warnings(held)
        raise


def give_warnings(held: Iterable[warnings.WarningMessage]) -> None:
    """Give warnings that were held back."""
    for warning in held:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
