"""Noise statistics of the synthetic tilts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    model_validator,
)

from faket_dask.config.limits import MOST_TILTS
from faket_dask.documents.section import Section
from faket_dask.geometry.angles import check_increasing, parse_angles


class GivenCurves(Section):
    """Known noise statistics, at some tilt angles, or one value each for all."""

    tilt_angles_deg: tuple[float, ...] = Field(
        default=(0.0,), max_length=MOST_TILTS, description="tilt angles of the values, increasing"
    )
    signal_scale: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        description="weight of the standardised noiseless tilt, at each angle"
    )
    noise_scale: tuple[Annotated[float, Field(ge=0, le=1000)], ...] = Field(
        description="weight of the standard noise field, at each angle"
    )

    @model_validator(mode="after")
    def _same_length(self) -> GivenCurves:
        if not len(self.tilt_angles_deg) == len(self.signal_scale) == len(self.noise_scale):
            raise ValueError("tilt_angles_deg, signal_scale and noise_scale must have the same length")
        check_increasing(parse_angles(self.tilt_angles_deg))
        return self


class NoiseSection(Section):
    """Source of the noise statistics, and the noise of `content`."""

    statistics: Literal["auto", "paired", "unpaired", "physical", "given"] = Field(
        default="auto",
        description="physical: signal per volt from the recorded intensity, noise from what it leaves; the others "
        "scale the specimen's own variance: paired and unpaired to the reference's signal, given to numbers; by "
        "default `physical` where the signal has a contrast transfer function, else `paired` where all references "
        "have noiseless counterparts, else `unpaired`",
    )
    intensity: Literal["mean", "counting"] = Field(
        default="mean",
        description="of physical statistics, intensity of which a recording's contrast is a share: the mean of each "
        "tilt (counts and what is proportional to them), or that at which its exposure counts the noise of its highest "
        "frequencies (normalised stacks)",
    )
    contrast_factor: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="of physical statistics, contrast of particles in the recording, where some are known, over that "
        "which physics gives them",
    )
    given: GivenCurves | None = None
    order: int = Field(
        default=2,
        ge=0,
        le=6,
        description="order of the polynomial over the tilt angle; lowered for references with too few tilts for it",
    )
    fit_over: Literal["all_references", "own_reference"] = Field(
        default="all_references", description="references whose tilts the statistics are fitted over"
    )
    content_level: float = Field(
        default=0.25, ge=0, le=1000, description="noise in `content`, relative to that in the start image"
    )

    @property
    def is_physical(self) -> bool:
        """True if the signal per volt follows from physics."""
        return self.statistics == "physical"

    @property
    def measures_spectra(self) -> bool:
        """True if the statistics follow from the references' spectra."""
        return self.statistics in ("unpaired", "physical")

    @model_validator(mode="after")
    def _given_agrees_with_statistics(self) -> NoiseSection:
        if (self.statistics == "given") != (self.given is not None):
            raise ValueError("write the section `given` together with `statistics: given`")
        return self
