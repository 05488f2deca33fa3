"""Correction of recorded tilt-series by what their files tell of defocus and exposures."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import ReconstructionSection
from faket_dask.errors import InputError
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.kernels.ctf_correction import CtfCorrection
from faket_dask.kernels.dose_weighting import DoseWeighting
from faket_dask.kernels.optics import Optics
from faket_dask.stages.reconstruction import Restoration


def restore_series(
    series: TiltSeries, section: ReconstructionSection, tilts: NDArray[np.intp]
) -> Restoration | None:
    """Return the correction that the settings ask for, if any, of some tilts of a series.

    Parameters
    ----------
    series
        Recorded series.
    section
        Settings.
    tilts
        Indices of the tilts that are used.

    Raises
    ------
    InputError
        If the files tell nothing of the defocus, or of the exposures, and these are needed.
    """
    method = section.ctf_method
    if method is None and not section.dose_weighting:
        return None
    optics = _find_optics(series)
    ctf = dose = None
    if method is not None:
        if series.ctf is None:
            raise InputError(
                f"{series.images[0][0].path} cannot be corrected for its CTF: no file of the series tells the defocus "
                "of its tilts; give one (--ctf-file: IMOD's .defocus, text of CTFFIND or AreTomo, an .mdoc, a table "
                "of RELION or Warp) or the defocus of all tilts (--defocus-um), or leave the correction out"
            )
        ctf = CtfCorrection(method, optics, series.ctf.defocus)
    if section.dose_weighting:
        before, exposure = _find_exposures(series, "weighted by its dose")
        dose = DoseWeighting(optics.voltage_kV, tuple(before.tolist()), tuple(exposure.tolist()))
    return Restoration(series.pixel_size_A, ctf, dose).select(tilts)


def check_restorable(series: TiltSeries, section: ReconstructionSection, tilts: NDArray[np.intp]) -> None:
    """Check that the files of a series tell what the settings need; a warning tells what is assumed beyond them.

    Parameters
    ----------
    series
        Recorded series.
    section
        Settings.
    tilts
        Indices of the tilts that are used.

    Raises
    ------
    InputError
        As `restore_series`; if there is one tilt alone, which has no halves; or if the tilts are to be halved by
        their exposures, and the files tell none.
    """
    restoration = restore_series(series, section, tilts)
    if restoration is not None and (series.ctf is None or series.ctf.voltage_kV is None):
        source = series.images[0][0].path if series.ctf is None else series.ctf.source
        warnings.warn(
            f"{source} does not tell the voltage of the microscope; {_find_optics(series).voltage_kV:g} kV is assumed",
            stacklevel=3,
        )
    if section.halves and tilts.size < 2:
        raise InputError(
            f"{series.images[0][0].path}: one tilt has no halves; use more tilts, or leave the halves out"
        )
    if "dose" in section.halves:
        _find_exposures(series, "halved by its dose")


def _find_optics(series: TiltSeries) -> Optics:
    return Optics() if series.ctf is None else series.ctf.complete(Optics())


def _find_exposures(series: TiltSeries, use: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exposure before each tilt and that of each."""
    geometry = series.geometry
    before, exposure = geometry.exposure_before_e_per_A2, geometry.exposure_e_per_A2
    path = series.images[0][0].path
    if before is None or exposure is None:
        raise InputError(
            f"{path} cannot be {use}: no file of the series tells the exposure and the order of its tilts; put its "
            ".mdoc beside it, or leave this out"
        )
    if not (exposure > 0).all():
        tilt = series.describe_tilt(int(np.argmin(exposure)))
        raise InputError(
            f"{path} cannot be {use}: its files tell an exposure of 0 for {tilt}; correct them, or leave out the tilt "
            "or this"
        )
    return before, exposure
