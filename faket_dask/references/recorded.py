"""Recorded references: tilt-series from files, aligned, masked and resampled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import TiltSeriesReference
from faket_dask.dataset.inputs import RecordingInput
from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_stack
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.references.masked_tilt import MaskedTilt
from faket_dask.references.resampling import resample_image, resampled_shape

LEAST_VALID_SHARE = 0.1
"""Smallest share of valid pixels in a tilt with which its statistics mean anything."""


@dataclass(frozen=True)
class RecordedReference:
    """Reference from files; see `faket_dask.references.Reference`.

    Parameters
    ----------
    section
        Section of the run file.
    recording
        Facts about its files.
    nominal_pixel_size_A
        Pixel size of the data set.
    """

    section: TiltSeriesReference
    recording: RecordingInput
    nominal_pixel_size_A: float

    @property
    def name(self) -> str:
        """Name in the run file."""
        return self.section.name

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees."""
        return np.asarray(self.recording.tilt_angles)

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` of its tilts at the data set's pixel size."""
        return resampled_shape(self.recording.shape[1:], self.resampling_factor)

    @property
    def pixel_size_A(self) -> float:
        """Edge of a pixel at which its tilts are used."""
        return self.nominal_pixel_size_A

    @property
    def resampling_factor(self) -> float:
        """Pixels of the data set per recorded pixel; 1 where resampling is not asked for."""
        return self.recording.pixel_size_A / self.nominal_pixel_size_A if self.section.resample else 1.0

    @property
    def nyquist_frequency(self) -> float:
        """Cycles per pixel up to which its tilts hold information."""
        return 0.5 / max(1.0, self.resampling_factor)

    @property
    def knows_alignment(self) -> bool:
        """True if its files tell its alignment, or the run file that it is aligned."""
        return self.section.aligned or self.series.alignment is not None or self.series.needs_alignment

    @property
    def simulated_specimen(self) -> None:
        """Nothing: it is a recording."""
        return None

    @property
    def series(self) -> TiltSeries:
        """Opened tilt-series; opened once per process."""
        return _open_cached(self.section)

    def read_tilt(self, tilt: int) -> MaskedTilt:
        """Read one tilt, ``(y, x)``, at the data set's pixel size; its mask leaves out artefacts and the outside.

        Raises
        ------
        InputError
            If the file has gone or has become shorter, or less than a tenth of the tilt is left.
        """
        image, outside = self.series.read_tilt_and_outside(tilt)
        valid = find_valid_pixels(self.section, self.series, tilt, image, outside)
        return MaskedTilt(image, valid).resample(self.resampling_factor)

    def read_aligned_tilt(self, tilt: int) -> MaskedTilt:
        """Read one tilt, aligned as its files say; see `read_tilt`.

        Raises
        ------
        InputError
            As `read_tilt` does.
        """
        series = _align_cached(self.section)
        image, outside = series.read_tilt_and_outside(tilt)
        valid = find_valid_pixels(self.section, series, tilt, image, outside)
        return MaskedTilt(image, valid).resample(self.resampling_factor)

    def read_given_mask(self, tilt: int) -> NDArray[np.bool_]:
        """Read the usable pixels, ``(y, x)`` as recorded, that the run file's mask leaves of a tilt."""
        return ~open_mask(self.section, self.series).nonzero_pixels(tilt)

    def read_clean_tilt(self, tilt: int) -> NDArray[np.float32] | None:
        """Read the noiseless counterpart of a tilt, where the run file names one."""
        if self.section.clean is None:
            return None
        image = open_clean_series(self.section, self.series).tilt(tilt)
        return resample_image(image, self.resampling_factor)


@lru_cache(maxsize=8)
def _open_cached(section: TiltSeriesReference) -> TiltSeries:
    return open_recording(section)


@lru_cache(maxsize=8)
def _align_cached(section: TiltSeriesReference) -> TiltSeries:
    series = _open_cached(section)
    return series.aligned() if series.needs_alignment else series


def open_recording(section: TiltSeriesReference, *, read_ctf: bool = False) -> TiltSeries:
    """Open the tilt-series that a section names, aligned if it says so.

    Parameters
    ----------
    section
        Section of the run file.
    read_ctf
        True to read the contrast transfer too, which `RecordingInput` keeps.

    Raises
    ------
    InputError
        If one of its files cannot be used.
    """
    series = open_tilt_series(
        section.stack,
        tilt_angles=section.tilt_angles,
        transforms=section.align if isinstance(section.align, Path) else None,
        pixel_size_A=section.pixel_size_A,
        tomogram=section.tomogram,
        sign=section.angle_sign,
        exclude=section.exclude,
        exclude_angles=section.exclude_angles,
        ctf=section.ctf if read_ctf else "none",
        defocus_um=section.defocus_um if read_ctf else None,
    )
    return series.aligned() if section.align else series


def open_clean_series(section: TiltSeriesReference, series: TiltSeries) -> TiltSeries:
    """Open the noiseless counterpart of a reference, its tilts in the same order.

    Raises
    ------
    InputError
        If the section names none, or its stack does not fit.
    """
    if section.clean is None:
        raise InputError(f"the reference {section.name!r} has no noiseless counterpart (its key `clean`)")
    return series.counterpart(open_stack(section.clean, pixel_size_A=section.pixel_size_A))


def open_mask(section: TiltSeriesReference, series: TiltSeries) -> TiltSeries:
    """Open the mask file of a reference, its sections in the order of the reference's tilts.

    Raises
    ------
    InputError
        If the file cannot be read or does not fit.
    """
    assert isinstance(section.mask, Path)
    return series.mask(open_stack(section.mask, pixel_size_A=series.pixel_size_A))


def find_valid_pixels(
    section: TiltSeriesReference,
    series: TiltSeries,
    tilt: int,
    image: NDArray[np.float32],
    outside: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Find the pixels, ``(y, x)`` as recorded, that statistics may use.

    Parameters
    ----------
    section
        Section of the run file.
    series
        Tilt-series that it names.
    tilt
        Index of a tilt.
    image, outside
        ``(y, x)`` of that tilt, and its pixels outside the detector.

    Raises
    ------
    InputError
        If less than a tenth of the tilt is left.
    """
    if section.mask == "none":
        return np.ones(series.shape[1:], dtype=np.bool_)
    if isinstance(section.mask, Path):
        excluded, covering = (
            open_mask(section, series).nonzero_pixels(tilt),
            f"{section.mask} and edges cover",
        )
        advice = f"mark less of it, or leave that tilt out (`exclude: [{series.number(tilt)}]`)"
    else:
        excluded, covering = artefact_mask(image), f"{section.stack}: artefacts and edges cover"
        advice = f"leave that tilt out (`exclude: [{series.number(tilt)}]`), or write `mask: none` for the reference"
    valid = ~(outside | excluded)
    if valid.mean() < LEAST_VALID_SHARE:
        raise InputError(f"{covering} {1 - valid.mean():.0%} of {series.describe_tilt(tilt)}; {advice}")
    return valid
