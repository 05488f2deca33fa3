"""What is kept, what is reconstructed, and where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
)

from faket_dask.config.section import Section, resolve_path
from faket_dask.modalities import MODALITIES


def _check_optional(name: str) -> str:
    if name not in MODALITIES.optional:
        raise ValueError(f"must be one of {', '.join(MODALITIES.optional)}")
    return name


def _check_known(name: str) -> str:
    if name not in MODALITIES:
        raise ValueError(f"must be one of {', '.join(MODALITIES.names)}")
    return name


OptionalModality = Annotated[str, AfterValidator(_check_optional)]
"""Name of a modality that a data set keeps if its run file says so."""

KnownModality = Annotated[str, AfterValidator(_check_known)]
"""Name of any modality."""

FilterKind = Literal["ramp", "crowther", "hann", "exact", "shrec"]


SMALLEST_FILTERED = 8
"""Pixels along either side of a tilt, once binned, below which filtering means nothing."""


class DatasetSection(Section):
    """Where the data set goes and the seed that all its random numbers come from."""

    folder: Path
    seed: int = Field(ge=0)

    _resolve_folder = field_validator("folder")(resolve_path)


class ReconstructionSection(Section):
    """Tomograms of the series, by weighted back-projection."""

    modalities: tuple[KnownModality, ...] = Field(
        default=(), description="modalities that are reconstructed; each must be among those kept"
    )
    filter: FilterKind = Field(
        default="hann",
        description="ramp, crowther (level where tilts part), hann (window), exact (weighting), shrec",
    )
    binning: int = Field(default=1, ge=1, description="of the tilts, before they are filtered")
    post_binning: int = Field(default=1, ge=1, description="of the tomogram, further, after back-projection")
    tilt_stride: int = Field(default=1, ge=1, description="every n-th tilt is used, counted from 0°")
    thickness_A: float | None = Field(default=None, gt=0, description="default: the specimen's")
    device: Literal["cpu", "cuda"] = "cpu"

    @property
    def pixels_per_voxel(self) -> int:
        """Recorded pixels along the edge of a voxel."""
        return self.binning * self.post_binning


class OutputsSection(Section):
    """What is kept. The noiseless projections, the density and its labels always are."""

    modalities: tuple[OptionalModality, ...] = ("faket",)
    report: bool = True
    splits: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="parts of the data set by name, such as {train: 8, test: 2}, that share neither specimens "
        "nor references; written to manifest.csv",
    )


class ClusterSection(Section):
    """Where it runs; nothing here changes a result."""

    workers: int | None = Field(
        default=None, ge=1, description="at most; default: one per core, or as the cluster profile says"
    )
    memory_per_worker_GiB: float | None = Field(
        default=None, gt=0, description="default: a fair share, or what a task needs and a quarter more"
    )
    retries: int = Field(default=2, ge=0, description="of a failed unit of work")
