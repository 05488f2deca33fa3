"""Run file: one YAML document with everything that a data set is made from.

Each section is a model; a key that no model has is an error, and the name of every length, angle, dose and memory ends
with its unit. Paths are relative to the file that contains them. `load` reads and checks a file and reports all its
mistakes at once, one line each. The contents of the files that it names are checked by
`faket_dask.pipeline.input_checks`.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from faket_dask.config.acquisition import AcquisitionSection, MicroscopeSection, ends
from faket_dask.config.limits import MOST_FILES, MOST_SERIES, MOST_VOXELS
from faket_dask.config.noise import NoiseSection
from faket_dask.config.outputs import (
    SMALLEST_FILTERED,
    ClusterSection,
    DatasetSection,
    OutputsSection,
    ReconstructionSection,
)
from faket_dask.config.references import BlendedReference, Reference, TiltSeriesReference
from faket_dask.config.renamed import RENAMES
from faket_dask.config.signal import NO_CTF, BackgroundSection, SignalSection
from faket_dask.config.specimen import BuiltSpecimen, SpecimenSection
from faket_dask.config.style import StyleSection, names_published_style
from faket_dask.documents.explain import explain
from faket_dask.documents.section import Section
from faket_dask.documents.yaml_file import Document, read_document
from faket_dask.errors import InputError
from faket_dask.kernels.microscope import transmission
from faket_dask.kernels.projector import Projector
from faket_dask.modalities import MODALITIES, SIMULATED, Owner
from faket_dask.specimen.fiducials import Fiducials

FEWEST_ELECTRONS = 100.0
"""Electrons of a simulated image below which it shows nothing, or is zero everywhere."""

STEEPEST_SLAB_DEG = 80.0
"""Largest angle at which an inclined slab is seen: rays through it are then six times as long as at 0°."""

RUN_FILE_VERSION = 2
"""Raised when keys of the run file change their names or their meaning."""


def fill_in_statistics(document: dict[str, Any]) -> dict[str, Any]:
    """Return a run file's document with the noise statistics that fit its references, where it names none.

    They are those of a signal without contrast transfer.

    Parameters
    ----------
    document
        Contents of a run file.
    """
    noise, references = document.get("noise", {}), document.get("references")
    if not isinstance(noise, dict) or not isinstance(references, list | tuple):
        return document
    if noise.get("statistics", "auto") != "auto" or ("given" in noise and noise["given"] is not None):
        return document
    unpaired = any(
        isinstance(reference, dict)
        and reference.get("kind", "tilt_series") == "tilt_series"
        and reference.get("clean") is None
        for reference in references
    )
    return {**document, "noise": {**noise, "statistics": "unpaired" if unpaired else "paired"}}


class RunConfig(Section):
    """Contents of a run file."""

    version: Literal[2] = Field(default=2, description="version of the run file's keys")
    dataset: DatasetSection
    specimen: SpecimenSection = Field(description="specimens, built from classes or read from files")
    acquisition: AcquisitionSection
    microscope: MicroscopeSection = MicroscopeSection()
    references: tuple[Reference, ...] = Field(
        max_length=MOST_FILES,
        description="tilt-series whose style is transferred; [] where no modality is kept that has a style",
    )
    pairing: Literal["cyclic", "random", "all"] = Field(
        default="cyclic",
        description="references of each specimen: one in turn (published), a random one, or all",
    )
    signal: SignalSection = SignalSection()
    background: BackgroundSection = BackgroundSection()
    noise: NoiseSection = NoiseSection()
    style: StyleSection = StyleSection()
    reconstruction: ReconstructionSection = ReconstructionSection()
    outputs: OutputsSection = OutputsSection()
    cluster: ClusterSection = ClusterSection()

    def built_shape(self, specimen: BuiltSpecimen, voxel_size_A: float) -> tuple[int, int, int]:
        """Return the shape in voxels, (z, y, x), of specimens that are built for this acquisition.

        Where the ice does not fill the volume, that is wide enough for all rays at the steepest tilt: beside it, there
        would be neither ice nor vacuum.
        """
        rows, columns = self.acquisition.detector_px
        depth = max(1, round(specimen.thickness_A / voxel_size_A))  # at most 10⁷, by the limits of both
        width = columns * specimen.width_factor
        if specimen.ice is not None:
            steepest = math.radians(self.acquisition.steepest_angle_deg)
            width = max(width, columns / math.cos(steepest) + depth * math.tan(steepest) + 2)
        return depth, rows, round(width)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_published_signal(cls, document: Any) -> Any:
        """Leave contrast transfer out of FakET's published pipeline, where the file does not ask for it."""
        if not isinstance(document, dict):
            return document
        if "signal" not in document and names_published_style(document):
            document = {**document, "signal": {"ctf": NO_CTF}}
        signal = document.get("signal")
        if isinstance(signal, dict) and signal.get("ctf") == NO_CTF:
            return fill_in_statistics(document)
        return document

    @model_validator(mode="before")
    @classmethod
    def _choose_projector(cls, document: Any) -> Any:
        """Fill in the projector that goes with the style, where the file names none."""
        acquisition = document.get("acquisition") if isinstance(document, dict) else None
        if not isinstance(acquisition, dict) or "projector" in acquisition:
            return document
        projector = Projector.BILINEAR if names_published_style(document) else Projector.PIXEL
        return {**document, "acquisition": {**acquisition, "projector": projector}}

    @model_validator(mode="after")
    def _number_of_series_is_possible(self) -> RunConfig:
        blends = [reference for reference in self.references if isinstance(reference, BlendedReference)]
        paired = len(blends or self.references) if self.pairing == "all" else 1
        series = self.specimen.count * max(1, paired)
        if series > MOST_SERIES:
            raise ValueError(
                f"pairing: {self.specimen.count} specimens with {paired} references each are {series} series; a data "
                f"set has at most {MOST_SERIES}: make several data sets"
            )
        return self

    @model_validator(mode="after")
    def _specimen_is_possible(self) -> RunConfig:
        if isinstance(self.specimen, BuiltSpecimen):
            for voxel_size_A in self.acquisition.pixel_sizes_A:
                shape = self.built_shape(self.specimen, voxel_size_A)
                if math.prod(shape) > MOST_VOXELS:
                    raise ValueError(
                        f"specimen: {shape[2]} x {shape[1]} x {shape[0]} voxels (x y z) of {voxel_size_A:g} Å are "
                        f"{math.prod(shape):.3g}, more than the {MOST_VOXELS:.3g} that are possible; lower "
                        "thickness_A, width_factor or acquisition.detector_px"
                    )
                self.specimen.recipe(shape, voxel_size_A, self.acquisition.sampling)
        return self

    @model_validator(mode="after")
    def _wedge_is_given_once(self) -> RunConfig:
        if self.microscope.ice_wedge_deg and isinstance(self.specimen, BuiltSpecimen) and self.specimen.ice:
            raise ValueError(
                "microscope.ice_wedge_deg: specimen.ice has faces of its own, whose thickness the volume shows; remove "
                "ice_wedge_deg, and give specimen.ice.wedge_deg"
            )
        return self

    @model_validator(mode="after")
    def _electrons_pass_the_ice(self) -> RunConfig:
        made = self.specimen
        simulates = SIMULATED in self.outputs.modalities or any(
            reference.kind == "simulated" for reference in self.references
        )
        if simulates and isinstance(made, BuiltSpecimen):
            steepest = self.acquisition.steepest_angle_deg
            microscope = self.microscope.to_column(made.thickness_A)
            pixels = math.prod(self.acquisition.detector_px)
            incident = (
                ends(self.microscope.dose_e_per_A2)[0] * self.acquisition.pixel_sizes_A[0] ** 2 * pixels
            )
            passing = transmission(microscope, steepest) if microscope.energy_filter else 1.0
            if incident * passing < FEWEST_ELECTRONS:
                raise ValueError(
                    f"acquisition.tilt_angles: at {steepest:g}° no electrons pass ice that is {made.thickness_A:g} Å "
                    "thick at 0°, so no image can be simulated; give smaller tilt angles or thinner ice"
                )
        return self

    @model_validator(mode="after")
    def _matched_reference_is_recorded(self) -> RunConfig:
        name = self.microscope.match_amplitudes
        recorded = [
            reference.name for reference in self.references if isinstance(reference, TiltSeriesReference)
        ]
        if name is not None and name not in recorded:
            raise ValueError(
                f"microscope.match_amplitudes: {name!r} is no recorded reference of this file; it has "
                f"{', '.join(recorded) or 'none'}"
            )
        return self

    @model_validator(mode="after")
    def _background_is_seen_from_above(self) -> RunConfig:
        inclination, angles = self.background.inclination_deg, self.acquisition.end_angles_deg
        steepest = max((angle + inclination for angle in angles), key=abs)
        if inclination and abs(steepest) > STEEPEST_SLAB_DEG:
            raise ValueError(
                f"background.inclination_deg: at {inclination:g}° the slab would be seen at {steepest:g}° in the most "
                f"tilted image, almost from its edge; at most {STEEPEST_SLAB_DEG:g}° are possible: lower it"
            )
        return self

    @model_validator(mode="after")
    def _reconstructions_are_possible(self) -> RunConfig:
        section = self.reconstruction
        for name in section.modalities:
            if name not in MODALITIES.kept(self.outputs.modalities):
                raise ValueError(
                    f"reconstruction.modalities: {name!r} is not kept; add it to outputs.modalities"
                )
        rows, columns = self.acquisition.detector_px
        smallest = min(rows, columns) // section.pixels_per_voxel
        thickness_A = section.thickness_A or 0.0
        depth = thickness_A / (self.acquisition.pixel_sizes_A[0] * section.pixels_per_voxel)
        if depth * (rows // section.pixels_per_voxel) * (columns // section.pixels_per_voxel) > MOST_VOXELS:
            raise ValueError(
                f"reconstruction.thickness_A: {thickness_A:g} Å are {depth:.3g} layers of voxels, and a tomogram has "
                f"at most {MOST_VOXELS:.3g} voxels; lower it, or raise binning"
            )
        if section.modalities and smallest < SMALLEST_FILTERED:
            raise ValueError(
                f"reconstruction.binning: {section.pixels_per_voxel} pixels per voxel leave {smallest} voxels "
                "along a side of the detector; "
                f"at least {SMALLEST_FILTERED} are needed"
            )
        return self

    @model_validator(mode="after")
    def _signal_is_distinguishable(self) -> RunConfig:
        made = self.specimen
        if (
            self.noise.statistics == "unpaired"
            and made.kind == "built"
            and all(isinstance(component, Fiducials) for component in made.components)
        ):
            raise ValueError(
                "noise.statistics: `unpaired` needs the spectrum of the specimens' signal to differ from that of "
                "noise, and for beads in ice alone it does not; add species, membranes or filaments, or write "
                "`statistics: given` with the noise curves of specimens with particles"
            )
        return self

    @model_validator(mode="after")
    def _references_are_given(self) -> RunConfig:
        styled = [name for name in self.outputs.modalities if MODALITIES.get(name).owner is Owner.SERIES]
        if styled and not self.references:
            raise ValueError(
                f"references: the list is empty, and {styled[0]!r} of outputs.modalities needs one; give a reference, "
                f"or keep only {', '.join(MODALITIES.select(Owner.SPECIMEN)[1:])}"
            )
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> RunConfig:
        names = Counter(reference.name for reference in self.references)
        for name, count in names.items():
            if count > 1:
                raise ValueError(f"references: the name {name!r} is used more than once")
        plain = {reference.name for reference in self.references if reference.kind != "blend"}
        for reference in self.references:
            if isinstance(reference, BlendedReference):
                for name in reference.weights:
                    if name not in plain:
                        raise ValueError(
                            f"references: the blend {reference.name!r} names {name!r}, "
                            f"which is not another reference; there are {sorted(plain)}"
                        )
            elif reference.kind == "simulated" and self.specimen.kind != "built":
                raise ValueError(
                    f"references: {reference.name!r} is simulated, which needs `specimen.kind: built` to "
                    "make a specimen of its own from; give a recorded tilt-series instead"
                )
            elif (
                self.noise.statistics == "paired"
                and isinstance(reference, TiltSeriesReference)
                and reference.clean is None
            ):
                raise ValueError(
                    f"noise.statistics: `paired` needs a noiseless stack beside the reference "
                    f"{reference.name!r} (its key `clean`); a recorded series has none, so write "
                    "`statistics: unpaired`"
                )
        return self


def parse(document: Any, base: Path, source: Document | None = None) -> RunConfig:
    """Check a parsed YAML document.

    Parameters
    ----------
    document
        Contents of the YAML file: a mapping of sections.
    base
        Folder that relative paths start from.
    source
        File that the document comes from, for messages.

    Raises
    ------
    InputError
        If anything is wrong; one line for each mistake.
    """
    if not isinstance(document, dict):
        raise InputError("a run file is a mapping of sections (dataset, specimen, acquisition, …)")
    version = document.get("version", RUN_FILE_VERSION)
    if version != RUN_FILE_VERSION:
        raise InputError(
            f"version: run files of version {version!r} cannot be read, only those of version {RUN_FILE_VERSION}; "
            "write the keys of that version, or use the faket_dask that the file was written for"
        )
    try:
        return RunConfig.model_validate(document, context={"base": base})
    except ValidationError as error:
        raise InputError(explain(error, RunConfig, RENAMES, source)) from None


def parse_reconstruction(**values: Any) -> ReconstructionSection:
    """Check the settings of tomograms alone.

    Raises
    ------
    InputError
        If anything is wrong; one line for each mistake.

    Examples
    --------
    >>> parse_reconstruction(binning=2, post_binning=2).pixels_per_voxel
    4
    """
    try:
        return ReconstructionSection.model_validate(values)
    except ValidationError as error:
        raise InputError(explain(error, ReconstructionSection)) from None


def load(path: str | Path) -> RunConfig:
    """Read a run file.

    Raises
    ------
    InputError
        When the file cannot be read, is no YAML, or any value in it is wrong; one line per mistake.
    """
    path = Path(path)
    document = read_document(path, "run file")
    return parse(document.content, path.resolve().parent, document)


def dump(config: RunConfig) -> str:
    """Return a configuration as YAML, which `load` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
