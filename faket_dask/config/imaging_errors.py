"""Errors of simulated images: of the lens, of the stage, of alignment, and of the detector."""

from __future__ import annotations

from pydantic import Field

from faket_dask.documents.section import Section


class ErrorsSection(Section):
    """Errors of the images of a series; with all of them 0, as they are by default, images are ideal.

    Standard deviations are those of normal distributions, drawn anew for each tilt; what was drawn is stored.
    """

    defocus_um: float = Field(default=0.0, ge=0, le=10, description="standard deviation of the defocus")
    astigmatism_um: float = Field(
        default=0.0, ge=0, le=10, description="standard deviation of either component of the astigmatism"
    )
    tilt_angle_deg: float = Field(
        default=0.0,
        ge=0,
        le=5,
        description="standard deviation of the true tilt angle about the one that is told",
    )
    shift_A: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="standard deviation of the image's displacement along x and along y",
    )
    drift_A: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="standard deviation of the drift during an exposure along x and y",
    )
    motion_A: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="root mean square of irregular motion during an exposure, per axis",
    )
    gain: float = Field(
        default=0.0, ge=0, le=1, description="standard deviation of the pixels' gain, the same in all tilts"
    )
    hot_pixels: float = Field(
        default=0.0, ge=0, le=0.1, description="share of pixels that are hot, the same in all tilts"
    )
