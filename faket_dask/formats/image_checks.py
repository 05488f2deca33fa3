"""Check of recorded images for pixels that no method can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.tilt_list import suggest_exclusion


def check_finite(image: NDArray[Any], path: Path, section: int, sections: int, number: int) -> None:
    """Refuse an image with pixels that are NaN or infinite.

    Parameters
    ----------
    image
        ``(y, x)`` pixels.
    path
        File of the image.
    section
        Section of the file, from 0.
    sections
        Number of sections.
    number
        Number by which the series of the image excludes it.

    Raises
    ------
    InputError
        Naming the first such pixel as the file counts.

    Examples
    --------
    >>> check_finite(np.array([[1.0, np.nan]]), Path("a.mrc"), 3, 41, 4)
    Traceback (most recent call last):
    faket_dask.errors.InputError: a.mrc, view 4 of 41 (counted from 1; ZValue 3): the pixel x = 1, y = 0 is nan; \
repair the image, or leave it out: --exclude 4, or `exclude: [4]` in a run file
    """
    broken = ~np.isfinite(image)
    if not broken.any():
        return
    y, x = (int(index) for index in np.argwhere(broken)[0])
    count = int(broken.sum())
    others = f", and {count - 1} more are not finite" if count > 1 else ""
    raise InputError(
        f"{path}, view {section + 1} of {sections} (counted from 1; ZValue {section}): the pixel x = {x}, y = {y} is "
        f"{image[y, x]}{others}; repair the image, or leave it out: {suggest_exclusion([number])}"
    )
