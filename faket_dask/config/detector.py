"""Detector of simulated images."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from faket_dask.config.limits import PIXEL_SIZES_A
from faket_dask.documents.section import Section, resolve_path
from faket_dask.formats.transfer_curve import read_transfer_curve
from faket_dask.kernels.detector import USUAL_PIXEL_A, Detector


class DetectorSection(Section):
    """Transfer of signal and noise by the detector."""

    pixel_size_A: float | None = Field(
        default=None,
        ge=PIXEL_SIZES_A[0] / 10,
        le=PIXEL_SIZES_A[1],
        description=f"pixel size at which images are recorded, before they are binned; by default {USUAL_PIXEL_A:g} Å, "
        "or the images' own where that is smaller",
    )
    dqe_zero: float = Field(
        default=Detector.dqe_zero, ge=1e-3, le=1, description="detective quantum efficiency at zero frequency"
    )
    dqe_nyquist: float = Field(
        default=Detector.dqe_nyquist,
        ge=1e-3,
        le=1,
        description="the same at the detector's Nyquist frequency; a Gaussian between them",
    )
    mtf_nyquist: float = Field(
        default=Detector.mtf_nyquist,
        ge=1e-3,
        le=1,
        description="modulation transfer at the detector's Nyquist frequency; a Gaussian from 1 at zero",
    )
    mtf: Path | None = Field(
        default=None,
        description="measured modulation transfer, in place of mtf_nyquist: RELION's mtf_*.star, or text of two "
        "columns, frequency in 1/pixel up to 0.5 and transfer",
    )

    @field_validator("mtf")
    @classmethod
    def _resolve_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else resolve_path(value, info)

    def to_detector(self) -> Detector:
        """Return the detector; a measured curve is read from its file.

        Raises
        ------
        InputError
            If the file is no transfer curve up to the Nyquist frequency.
        """
        curve = None if self.mtf is None else read_transfer_curve(self.mtf)
        return Detector(self.pixel_size_A, self.dqe_zero, self.dqe_nyquist, self.mtf_nyquist, curve)
