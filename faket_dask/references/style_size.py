"""Reference tilts in the size that their style is taken at."""

from __future__ import annotations

from faket_dask.references.base import Reference
from faket_dask.references.masked_tilt import MaskedTilt


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


def read_style_tilt(reference: Reference, tilt: int, fit_to: tuple[int, int] | None) -> MaskedTilt:
    """Read a tilt with its masks, ``(y, x)``, in the size that its style is taken at."""
    return reference.read_tilt(tilt).resample(style_factor(reference, fit_to))
