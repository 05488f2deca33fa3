"""Reference tilts in the size that their style is taken at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.references.base import Reference
from faket_dask.references.resampling import resample_mask, resample_valid


def style_factor(reference: Reference, fit_to: tuple[int, int] | None) -> float:
    """Return the resampling factor with which a reference is no larger than the tilts that are made.

    Parameters
    ----------
    reference
        Reference at the data set's pixel size.
    fit_to
        ``(y, x)`` of the tilts that are made; ``None`` to take the reference in its own size.
    """
    return 1.0 if fit_to is None else min(1.0, max(fit_to) / max(reference.shape))


def read_style_tilt(reference: Reference, tilt: int, fit_to: tuple[int, int] | None) -> NDArray[np.float32]:
    """Read a tilt, ``(y, x)``, in the size that its style is taken at."""
    image, factor = reference.read_tilt(tilt), style_factor(reference, fit_to)
    return image if factor == 1 else resample_valid(image, reference.valid_mask(tilt), factor)


def style_valid_mask(reference: Reference, tilt: int, fit_to: tuple[int, int] | None) -> NDArray[np.bool_]:
    """Return `Reference.valid_mask` in the size of `read_style_tilt`."""
    return resample_mask(reference.valid_mask(tilt), style_factor(reference, fit_to))
