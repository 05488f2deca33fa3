"""Recorded references: from the configuration's section to an opened series, and which of its pixels to believe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import TiltSeriesReference
from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_stack
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.kernels.artefacts import artefact_mask

LEAST_BELIEVED = 0.1
"""Share of a tilt that must be left, so that its statistics mean something."""


def open_reference(section: TiltSeriesReference) -> TiltSeries:
    """The tilt-series that a section names, aligned if it says so.

    Raises
    ------
    InputError
        When one of its files cannot be used.
    """
    series = open_tilt_series(
        section.stack,
        tilt_angles=section.tilt_angles,
        transforms=section.align if isinstance(section.align, Path) else None,
        pixel_size_A=section.pixel_size_A,
        tomogram=section.tomogram,
        sign=section.angle_sign,
    )
    return series.aligned() if section.align else series


def open_counterpart(section: TiltSeriesReference, series: TiltSeries) -> TiltSeries:
    """The noiseless counterpart of a reference that has one, its tilts in the same order.

    Raises
    ------
    InputError
        When the section names none, or its stack does not fit.
    """
    if section.clean is None:
        raise InputError(f"the reference {section.name!r} has no noiseless counterpart (its key `clean`)")
    return series.counterpart(open_stack(section.clean, pixel_size_A=section.pixel_size_A))


def open_mask(section: TiltSeriesReference, series: TiltSeries) -> TiltSeries:
    """The mask file of a reference that has one, its sections in the order of the reference's tilts.

    Raises
    ------
    InputError
        When the file cannot be read or does not fit.
    """
    assert isinstance(section.mask, Path)
    return series.mask(open_stack(section.mask, pixel_size_A=series.pixel_size_A))


def believed(section: TiltSeriesReference, series: TiltSeries, tilt: int) -> NDArray[np.bool_]:
    """Pixels ``(y, x)`` of a tilt, as it is read, that statistics may see.

    Raises
    ------
    InputError
        When next to nothing is left of the tilt.
    """
    if section.mask == "none":
        return np.ones(series.shape[1:], dtype=np.bool_)
    if isinstance(section.mask, Path):
        left_out, covering = (
            open_mask(section, series).nonzero_pixels(tilt),
            f"{section.mask} and edges cover",
        )
        advice = "mark less of it"
    else:
        left_out, covering = artefact_mask(series.tilt(tilt)), f"{section.stack}: artefacts and edges cover"
        advice = "leave that tilt out, or write `mask: none` for the reference"
    seen = ~(series.outside_detector(tilt) | left_out)
    if seen.mean() < LEAST_BELIEVED:
        raise InputError(f"{covering} {1 - seen.mean():.0%} of tilt {tilt}; {advice}")
    return seen
