"""Sections for the data set's folder, its outputs, tomograms, and workers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
)

from faket_dask.config.limits import LARGEST_THICKNESS_A, MOST_TILTS
from faket_dask.documents.section import Section, resolve_path
from faket_dask.kernels.ctf_correction import CorrectionMethod, PhaseFlip, Wiener
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

CtfKind = Literal["none", "phase_flip", "wiener"]

HalvesKind = Literal["tilts", "dose"]

DEFAULT_WIENER_SNR = 10.0
"""Signal-to-noise ratio of the Wiener filter."""

SMALLEST_FILTERED = 8
"""Smallest side of a binned tilt, in pixels, that can be filtered."""


class DatasetSection(Section):
    """Folder of the data set, and the seed of all its random numbers."""

    folder: Path = Field(description="folder of the data set")
    seed: int = Field(ge=0, description="seed of all random numbers")

    _resolve_folder = field_validator("folder")(resolve_path)


class ReconstructionSection(Section):
    """Tomograms of the series, by weighted back-projection."""

    modalities: tuple[KnownModality, ...] = Field(
        default=(), description="modalities to reconstruct, each of them kept"
    )
    filter: FilterKind = Field(
        default="hann",
        description="ramp, crowther (ramp up to the Crowther frequency), hann (ramp and Hann window), "
        "exact (exact weighting), shrec",
    )
    binning: int = Field(
        default=1, ge=1, le=1024, description="binning of the tilts, before they are filtered"
    )
    post_binning: int = Field(
        default=1, ge=1, le=1024, description="further binning of the tomogram, after back-projection"
    )
    tilt_stride: int = Field(
        default=1, ge=1, le=MOST_TILTS, description="use every n-th tilt, counted from 0°"
    )
    thickness_A: float | None = Field(
        default=None,
        gt=0,
        le=LARGEST_THICKNESS_A,
        description="thickness of the tomogram; default: the specimen's",
    )
    erase_beads: bool = Field(
        default=False, description="replace gold beads and hot pixels by their surroundings before filtering"
    )
    ctf: CtfKind = Field(
        default="none",
        description="correction of the contrast transfer function, with the defocus of each column of a tilted image: "
        "none, phase_flip, wiener",
    )
    wiener_snr: float = Field(
        default=DEFAULT_WIENER_SNR,
        gt=0,
        le=1e6,
        description="for wiener: power of the signal before the lens over that of noise, at all frequencies alike",
    )
    dose_weighting: bool = Field(
        default=False, description="weight each frequency of a tilt by the signal that radiation has left"
    )
    halves: tuple[HalvesKind, ...] = Field(
        default=(),
        description="further tomograms of half of the tilts each: tilts (odd and even ones), dose (first and second "
        "half in time)",
    )
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="device of the back-projection")

    def list_settings(self) -> dict[str, Any]:
        """Return what a tomogram depends on; a key that changes nothing is left out."""
        unused = {"modalities", "halves"}
        if not self.erase_beads:
            unused.add("erase_beads")
        if not self.dose_weighting:
            unused.add("dose_weighting")
        if self.ctf == "none":
            unused.add("ctf")
        if self.ctf != "wiener":
            unused.add("wiener_snr")
        return self.model_dump(mode="json", exclude=unused)

    @property
    def ctf_method(self) -> CorrectionMethod | None:
        """Method of the correction of the contrast transfer function, if there is to be one."""
        match self.ctf:
            case "phase_flip":
                return PhaseFlip()
            case "wiener":
                return Wiener(self.wiener_snr)
        return None

    @property
    def pixels_per_voxel(self) -> int:
        """Number of recorded pixels along the edge of a voxel."""
        return self.binning * self.post_binning


class OutputsSection(Section):
    """Modalities and files to keep; noiseless projections, density and labels are kept always."""

    modalities: tuple[OptionalModality, ...] = Field(default=("faket",), description="modalities to keep")
    report: bool = Field(default=True, description="write report.html")
    splits: dict[str, Annotated[float, Field(ge=1e-6, le=1e6)]] = Field(
        default={},
        description="relative sizes of splits by name, such as {train: 8, test: 2}, which share neither specimens "
        "nor references; written to manifest.csv",
    )

    @property
    def main_modality(self) -> str:
        """Modality that commands take where none is named: faket, or else the first that is kept."""
        return "faket" if "faket" in self.modalities else (*self.modalities, "noiseless")[0]


class ClusterSection(Section):
    """Number and memory of the workers; results do not depend on it."""

    workers: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="largest number; default: one per core, or that of the cluster profile",
    )
    memory_per_worker_GiB: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="default: an equal share of the machine, or the need of a task and a quarter more",
    )
    retries: int = Field(default=2, ge=0, le=1000, description="number of further attempts at a failed unit")
