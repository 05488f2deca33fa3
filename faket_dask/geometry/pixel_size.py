"""Pixel sizes of files: tolerance, unknown values, and the size that is used where sources disagree."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from faket_dask.errors import InputError

PIXEL_SIZE_TOLERANCE = 0.01
"""Relative difference of pixel sizes that is taken for rounding in a header."""

UNKNOWN_PIXEL_SIZE_A = 1.0
"""Pixel size that programs write when they do not know it."""


def edges_agree(edges_A: ArrayLike) -> bool:
    """True if the edges of a pixel or voxel are equal but for rounding.

    Parameters
    ----------
    edges_A
        Edges in Å, positive.

    Examples
    --------
    >>> edges_agree([10.0, 10.0, 10.05]), edges_agree([10.0, 10.0, 20.0])
    (True, False)
    """
    edges = np.asarray(edges_A, dtype=np.float64)
    return bool(np.ptp(edges) <= PIXEL_SIZE_TOLERANCE * edges.min())


def resolve_pixel_size(
    source: object,
    edges_A: Sequence[float],
    requested_A: float | None,
    *,
    quantity: str = "pixel size",
    place: str = "header",
    other: tuple[object, float] | None = None,
) -> float:
    """Choose between the pixel size that a file records, one that another file states, and one that the user gives.

    The user's wins, with a warning if the file contradicts it by more than 1 %. Next is the file's own, with a warning
    if the other one contradicts it. A file that says exactly 1 Å counts as one that says nothing: programs write it
    when they do not know.

    Parameters
    ----------
    source
        File, for messages.
    edges_A
        Recorded edges of a pixel (x, y) or voxel (x, y, z) in Å; not finite or not positive where there is none.
    requested_A
        Edge that the user gives, in Å, if any.
    quantity
        ``"pixel size"`` or ``"voxel size"``, for messages.
    place
        Part of the file that records it, for messages.
    other
        Another file that states the size, such as the `.mdoc` of a stack, and the edge that it states in Å.

    Returns
    -------
    pixel_size_A
        Edge in Å.

    Raises
    ------
    InputError
        If the user gives none and the files have none, or different ones along the axes; or if the user's is not
        positive.

    Examples
    --------
    >>> resolve_pixel_size("a.mrc", [3.5, 3.5], None)
    3.5
    >>> resolve_pixel_size("a.mrc", [1.0, 1.0], 3.5)
    3.5
    >>> resolve_pixel_size("a.mrc", [1.0, 1.0], None, other=("a.mdoc", 2.7))
    2.7
    >>> resolve_pixel_size("a.mrc", [1.0, 1.0], None)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    faket_dask.errors.InputError: a.mrc has no pixel size in its header (1 Å, which is ...); give the pixel size in Å
    """
    edges = np.asarray(edges_A, dtype=np.float64)
    recorded = bool(edges.size and np.isfinite(edges).all() and (edges > 0).all())
    known = recorded and not (edges == UNKNOWN_PIXEL_SIZE_A).all()
    texts = [f"{edge:g}" for edge in edges]
    sizes = texts[0] if len(set(texts)) == 1 else " x ".join(texts)
    if requested_A is not None:
        if not (np.isfinite(requested_A) and requested_A > 0):
            raise InputError(f"the {quantity} given for {source} is {requested_A} Å; it must be positive")
        if known and (np.abs(edges / requested_A - 1) > PIXEL_SIZE_TOLERANCE).any():
            warnings.warn(
                f"{source} has a {quantity} of {sizes} Å in its {place}; {requested_A:g} Å is used, as given",
                stacklevel=3,
            )
        return float(requested_A)
    if not known and other is not None and np.isfinite(other[1]) and other[1] > 0:
        return float(other[1])
    if not known:
        reason = "1 Å, which is what programs write when they do not know it" if recorded else "none"
        raise InputError(f"{source} has no {quantity} in its {place} ({reason}); give the {quantity} in Å")
    if not edges_agree(edges):
        raise InputError(f"{source} has a {quantity} of {sizes} Å; they must agree: give the {quantity} in Å")
    if other is not None and not edges_agree([edges.mean(), other[1]]):
        warnings.warn(
            f"{source} has a {quantity} of {sizes} Å in its {place}, and {other[0]} states {other[1]:g} Å; the "
            f"{place}'s is used: if it is wrong, give the {quantity} in Å",
            stacklevel=3,
        )
    return float(edges.mean())
