"""The one exception that a user's input can cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that says what is wrong, where, and what to do about it; the command line
    prints it without a traceback.
    """


_DAMAGE = (
    *(LookupError, TypeError, ValueError, AttributeError, OSError, ArithmeticError, RuntimeError),
    MemoryError,  # sizes that cannot be
)


@contextmanager
def wrap_as_input_error(what: str) -> Iterator[None]:
    """Turn what libraries raise at damaged files into an `InputError`.

    Of damaged metadata, libraries say whatever happens to go wrong first, as an exception of any kind, and NumPy warns
    of numbers that do not fit.

    Parameters
    ----------
    what
        Beginning of the message, such as ``"a.zarr is not a volume"``; what the library said follows in brackets.

    Raises
    ------
    InputError
        In place of what was raised in the block.
    """
    import numpy as np  # whoever reads files has it; the command line, which needs the class above, starts without

    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            yield
    except InputError:
        raise
    except _DAMAGE as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{what} ({type(error).__name__}: {said})") from None
