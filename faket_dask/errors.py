"""Errors that a user can act on; the command line prints them without a traceback.

A caller tells them apart by class, never by text. Every message is one sentence that says what is wrong, where, and
what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class FaketDaskError(Exception):
    """Base class of all errors that this package raises on purpose."""


class InputError(FaketDaskError, ValueError):
    """Run file, argument or input file that cannot be used."""


class DatasetBusyError(FaketDaskError):
    """Data set that another run is working on, or has taken over."""


class DiskFullError(FaketDaskError):
    """Disk without space for the results."""


class ClusterError(FaketDaskError):
    """Batch system that is missing or refuses jobs, or worker jobs that end before their workers come."""


class UnfinishedError(FaketDaskError):
    """Data set, or part of it, that is not complete yet."""


_DAMAGE = (
    *(LookupError, TypeError, ValueError, AttributeError, OSError, ArithmeticError, RuntimeError),
    MemoryError,  # sizes that cannot be
)


@contextmanager
def wrap_as_input_error(what: str) -> Iterator[None]:
    """Turn any error that a library raises at a damaged file into an `InputError`.

    Libraries report the first thing that goes wrong in damaged metadata, as an exception of any kind, and NumPy warns
    of numbers that do not fit.

    Parameters
    ----------
    what
        Beginning of the message, such as ``"a.zarr is not a volume"``; the library's own message follows in brackets.

    Raises
    ------
    InputError
        In place of the error raised in the block; errors of this package pass unchanged.

    Examples
    --------
    >>> with wrap_as_input_error("a.rawtlt is no angle file"):
    ...     float("forty")
    Traceback (most recent call last):
    faket_dask.errors.InputError: a.rawtlt is no angle file (ValueError: could not convert string to float: 'forty')
    """
    import numpy as np  # imported late: the command line needs the classes above and starts without it

    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            yield
    except FaketDaskError:
        raise
    except _DAMAGE as error:
        message = " ".join(str(error).split())[:200]
        raise InputError(f"{what} ({type(error).__name__}: {message})") from None
