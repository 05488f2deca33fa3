"""Names of the classes that are no particles, which particles cannot have, and a check of those that they have."""

from faket_dask.errors import InputError

FIDUCIAL = "fiducial"
DISTRACTOR = "distractor"
ICE = "ice"
CARBON = "carbon"
CONTAMINATION = "contamination"
DEPOSITS = (CARBON, CONTAMINATION)
"""Classes of what lies on the faces of the ice, which is in masks and in no list of particles."""

OUTSIDE = "outside"
RESERVED_NAMES = (FIDUCIAL, DISTRACTOR, ICE, CARBON, CONTAMINATION, OUTSIDE)


def check_class_name(name: str, where: str) -> None:
    """Refuse a name that is taken, or that files cannot be called by.

    Raises
    ------
    InputError
        If it is.

    Examples
    --------
    >>> check_class_name("80S ribosome", "species")
    """
    if not name or name in RESERVED_NAMES:
        raise InputError(f"{where}: the names {', '.join(RESERVED_NAMES)} are taken; choose another")
    if not name.isprintable() or any(sign in name for sign in '/\\"'):
        raise InputError(
            f"{where}: exported files have the names of classes, so slashes, quotation marks and line breaks "
            "cannot be in them; choose another"
        )
