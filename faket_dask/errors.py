"""The one exception that a user's input can cause."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that says what is wrong, where, and what to do about it; the command line
    prints it without a traceback.
    """
