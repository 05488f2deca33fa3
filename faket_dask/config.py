"""The run file: one YAML document that says everything a data set is made from.

Each section is a model below; a key that no model knows is an error, and every length, angle, dose and
memory carries its unit in its name. Paths are relative to the file they are written in. `load` reads and
checks a file and reports all its mistakes at once, one line each. What the file says can be checked here;
whether the files it names are usable is checked by `faket_dask.dataset.inputs`.
"""

from __future__ import annotations

import difflib
import itertools
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from faket_dask.errors import InputError
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.recipe import Fiducials, Recipe, Sheets, Species, Vesicles

Modality = Literal["noisy", "content", "baseline", "spectral", "faket", "benchmark"]
FilterKind = Literal["ramp", "crowther", "hann", "exact", "shrec"]

SMALLEST_FILTERED = 8
"""Pixels along either side of a tilt, once binned, below which filtering means nothing."""


def _resolve(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base", Path.cwd())
    return (base / path.expanduser()).resolve()


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and a value once read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DatasetSection(Section):
    """Where the data set goes and the seed that all its random numbers come from."""

    folder: Path
    seed: int = Field(ge=0)

    _resolve_folder = field_validator("folder")(_resolve)


Count = Annotated[int, Field(ge=0)] | tuple[int, int]
Amount = float | tuple[float, float]


class SpeciesSection(Section):
    """Particles of one class; give `count` or `density_per_um3`, a number or a range drawn from per specimen.

    `source` is a built-in phantom or the path of a structure (PDB, mmCIF) or density map (MRC), or a list of
    them, one per conformation; by default it is `name`.
    """

    name: str
    source: str | tuple[str, ...] | None = None
    count: Count | None = None
    density_per_um3: Amount | None = None
    labelled: bool = True
    on_membrane: bool = False
    membrane_offset_A: float = 0.0
    assembly: str | None = None
    map_potential_V: float = 2.1

    @field_validator("source")
    @classmethod
    def _resolve_files(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            return None
        sources = (value,) if isinstance(value, str) else value
        return tuple(s if s in PHANTOMS else str(_resolve(Path(s), info)) for s in sources)

    @model_validator(mode="after")
    def _usable(self) -> SpeciesSection:
        self.species()
        return self

    def species(self) -> Species:
        fields = self.model_dump(exclude={"source"})
        return Species(sources=tuple(self.source or (self.name,)), **fields)


class VesiclesSection(Section):
    """Closed membranes."""

    count: Count = 1
    radius_A: Amount = (250.0, 450.0)
    deformation: float = 0.1

    @model_validator(mode="after")
    def _usable(self) -> VesiclesSection:
        self.vesicles()
        return self

    def vesicles(self) -> Vesicles:
        return Vesicles(**self.model_dump())


class SheetsSection(Section):
    """Open membranes."""

    count: Count = 1
    radius_A: Amount = (250.0, 500.0)
    bend: float = 0.3

    @model_validator(mode="after")
    def _usable(self) -> SheetsSection:
        self.sheets()
        return self

    def sheets(self) -> Sheets:
        return Sheets(**self.model_dump())


class FiducialsSection(Section):
    """Gold beads."""

    count: Count = 6
    diameter_A: Amount = (90.0, 110.0)

    @model_validator(mode="after")
    def _usable(self) -> FiducialsSection:
        self.fiducials()
        return self

    def fiducials(self) -> Fiducials:
        return Fiducials(**self.model_dump())


class BuiltSpecimen(Section):
    """Specimens packed at random from particle classes, membranes and gold beads."""

    kind: Literal["built"] = "built"
    count: int = Field(default=1, ge=1)
    thickness_A: float = Field(gt=0)
    width_factor: float = Field(
        default=2.0,
        ge=1.0,
        description="specimen width over field of view, across the tilt axis: 2 keeps tilts of ±60° filled",
    )
    species: tuple[SpeciesSection, ...] = ()
    vesicles: VesiclesSection | None = None
    sheets: SheetsSection | None = None
    fiducials: FiducialsSection | None = None
    ice_texture: float = Field(
        default=1.0, ge=0, description="density fluctuations of the ice; 1 is physical"
    )
    spacing_A: float = Field(default=0.0, ge=0, description="smallest gap between two objects")

    def recipe(self, shape: tuple[int, int, int], voxel_size_A: float) -> Recipe:
        """What a specimen of this shape, (z, y, x) voxels, is made of.

        Raises
        ------
        InputError
            When nothing is requested, classes repeat, or membranes are missing that particles sit on.
        """
        return Recipe(
            shape=shape,
            voxel_size_A=voxel_size_A,
            species=tuple(section.species() for section in self.species),
            vesicles=self.vesicles.vesicles() if self.vesicles else None,
            sheets=self.sheets.sheets() if self.sheets else None,
            fiducials=self.fiducials.fiducials() if self.fiducials else None,
            ice_texture=self.ice_texture,
            spacing_A=self.spacing_A,
        )


class ExistingVolume(Section):
    """One specimen volume from a file (MRC, or a Zarr array), with its labels where they exist."""

    density: Path
    class_mask: Path | None = None
    instance_mask: Path | None = None
    particles: Path | None = None
    voxel_size_A: float | None = Field(default=None, gt=0)

    _resolve_paths = field_validator("density", "class_mask", "instance_mask", "particles")(
        lambda path, info: None if path is None else _resolve(path, info)
    )


class VolumeSpecimens(Section):
    """Specimens that exist already ("grandmodels"), one per entry."""

    kind: Literal["volume"]
    volumes: tuple[ExistingVolume, ...] = Field(min_length=1)

    @property
    def count(self) -> int:
        return len(self.volumes)


def _kind_or(default: str) -> Discriminator:
    """Choose a section's model by its key `kind`, which may be left out for the usual one."""

    def choose(value: Any) -> str:
        return str(value.get("kind", default) if isinstance(value, dict) else value.kind)

    return Discriminator(choose)


SpecimenSection = Annotated[
    Annotated[BuiltSpecimen, Tag("built")] | Annotated[VolumeSpecimens, Tag("volume")], _kind_or("built")
]


class AngleRange(Section):
    """Evenly spaced tilt angles, both ends included."""

    start_deg: float = Field(ge=-90, le=90)
    stop_deg: float = Field(ge=-90, le=90)
    step_deg: float = Field(gt=0)

    @model_validator(mode="after")
    def _whole_steps(self) -> AngleRange:
        if self.stop_deg <= self.start_deg:
            raise ValueError("stop_deg must be greater than start_deg")
        steps = (self.stop_deg - self.start_deg) / self.step_deg
        if abs(steps - round(steps)) > 1e-6:
            raise ValueError(f"{self.step_deg}° does not divide {self.start_deg}° … {self.stop_deg}°")
        return self

    def angles(self) -> np.ndarray:
        steps = round((self.stop_deg - self.start_deg) / self.step_deg)
        return self.start_deg + self.step_deg * np.arange(steps + 1)


class AcquisitionSection(Section):
    """What the synthetic microscope records: angles, pixels and field of view."""

    tilt_angles: AngleRange | tuple[float, ...]
    pixel_size_A: float = Field(gt=0)
    detector_px: tuple[int, int] = Field(description="rows (along the tilt axis) and columns")

    @field_validator("detector_px")
    @classmethod
    def _large_enough(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 32:
            raise ValueError("must be at least 32 x 32: the network's deepest layer sees nothing smaller")
        return value

    @field_validator("tilt_angles")
    @classmethod
    def _increasing(cls, value: AngleRange | tuple[float, ...]) -> AngleRange | tuple[float, ...]:
        if isinstance(value, tuple):
            if not value:
                raise ValueError("the list of tilt angles is empty")
            if any(not -90 <= angle <= 90 for angle in value):
                raise ValueError("tilt angles lie between -90 and 90 degrees")
            if any(b <= a for a, b in itertools.pairwise(value)):
                raise ValueError("tilt angles must increase, each given once: sort them and drop duplicates")
        return value

    @property
    def angles_deg(self) -> np.ndarray:
        """Tilt angles, (tilt,) float64, degrees, increasing."""
        if isinstance(self.tilt_angles, AngleRange):
            return self.tilt_angles.angles()
        return np.asarray(self.tilt_angles, dtype=np.float64)


class MicroscopeSection(Section):
    """The physics of simulated references and of the `benchmark` modality."""

    voltage_kV: float = Field(default=300.0, gt=0)
    spherical_aberration_mm: float = Field(default=2.7, ge=0)
    amplitude_contrast: float = Field(default=0.08, ge=0, le=1)
    defocus_um: float = Field(default=3.0, description="positive is underfocus")
    astigmatism_um: float = 0.0
    astigmatism_angle_deg: float = 0.0
    dose_e_per_A2: float = Field(default=2.0, gt=0, description="per tilt")
    tilt_order: Literal["dose_symmetric", "increasing", "decreasing"] = "dose_symmetric"


class TiltSeriesReference(Section):
    """A recorded tilt-series whose style is transferred.

    `clean` names a noiseless stack of the same content, where one exists (a simulated reference): noise
    statistics can then be paired.
    """

    kind: Literal["tilt_series"] = "tilt_series"
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    stack: Path = Field(
        description="stack, .mdoc, RELION-5 .star, Warp .tomostar, or a folder with one tilt-series"
    )
    tilt_angles: Path | tuple[float, ...] | None = Field(
        default=None,
        description="a .tlt, .rawtlt or .mdoc file, or a list with this project's sign; default: the file "
        "beside the stack",
    )
    angle_sign: Literal["imod", "warp"] = Field(
        default="imod", description="of angle files: IMOD's and SerialEM's, or Warp's, which is the opposite"
    )
    tomogram: str | None = Field(default=None, description="which one of a RELION table")
    align: bool | Path = Field(
        default=False,
        description="align first: by an .xf file, or true for the one beside the stack or the project's own",
    )
    mask: Literal["artefacts", "none"] = Field(
        default="artefacts",
        description="leave beads, dead pixels and what lies beyond the detector out of statistics and scaling",
    )
    clean: Path | None = None
    pixel_size_A: float | None = Field(default=None, gt=0, description="overrides the header")
    resample: bool = Field(
        default=False, description="bring the reference to the acquisition's pixel size when they differ"
    )

    _resolve_paths = field_validator("stack", "clean")(
        lambda path, info: None if path is None else _resolve(path, info)
    )

    @field_validator("tilt_angles", "align")
    @classmethod
    def _resolve_angles(cls, value: Any, info: ValidationInfo) -> Any:
        return _resolve(value, info) if isinstance(value, Path) else value


class SimulatedReference(Section):
    """A reference made by the microscope model from a specimen of its own, never one of the data set's."""

    kind: Literal["simulated"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")


class BlendedReference(Section):
    """A weighted mixture of the styles of other references."""

    kind: Literal["blend"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)


Reference = Annotated[
    Annotated[TiltSeriesReference, Tag("tilt_series")]
    | Annotated[SimulatedReference, Tag("simulated")]
    | Annotated[BlendedReference, Tag("blend")],
    _kind_or("tilt_series"),
]


class GivenCurves(Section):
    """Noise statistics known beforehand, at some tilt angles or (one value each) at all."""

    tilt_angles_deg: tuple[float, ...] = (0.0,)
    signal_scale: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    noise_scale: tuple[Annotated[float, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _same_length(self) -> GivenCurves:
        if not len(self.tilt_angles_deg) == len(self.signal_scale) == len(self.noise_scale):
            raise ValueError("tilt_angles_deg, signal_scale and noise_scale must have the same length")
        if any(b <= a for a, b in itertools.pairwise(self.tilt_angles_deg)):
            raise ValueError("tilt_angles_deg must increase: sort them, with what belongs to each")
        return self


class NoiseSection(Section):
    """How much of a tilt is signal and how much is noise."""

    statistics: Literal["paired", "unpaired", "given"] = Field(
        default="paired",
        description="by default `paired` where all references have noiseless counterparts, else `unpaired`",
    )
    given: GivenCurves | None = None
    order: int = Field(default=2, ge=0, le=6, description="of the polynomial over the tilt angle")
    average: Literal["all", "own"] = Field(
        default="all", description="fit the statistics over all references, or over the series' own"
    )
    content_level: float = Field(default=0.25, ge=0, description="noise in `content` over noise in the start")

    @model_validator(mode="after")
    def _given_where_said(self) -> NoiseSection:
        if (self.statistics == "given") != (self.given is not None):
            raise ValueError("write the section `given` together with `statistics: given`")
        return self


STYLE_PRESETS: dict[str, dict[str, Any]] = {
    "published": {},
    "recorded": {
        "start": "spectral",
        "scaling": "tilt",
        "style_layers": {1: 1, 6: 1, 11: 1, 20: 1, 29: 1},
        "content_weight": 0.03,
        "iterations": 10,
        "step_size": 0.04,
        "step_unit": "start_std",
        "decay": 0.0,
    },
}
"""Settings by name: FakET's as published, and those that come nearest to a recorded tilt-series."""


class StyleSection(Section):
    """The style transfer; the defaults are the published setting.

    `preset` stands for the values of one of `STYLE_PRESETS`; keys that are written beside it go before its own.
    """

    weights: str = Field(
        default="vgg19-imagenet1k-v1",
        description="vgg19-imagenet1k-v1, vgg19-normalised, random, or the path of a state dict",
    )
    random_seed: int = Field(default=0, ge=0, description="of `weights: random`")
    start: Literal["noisy", "spectral"] = Field(
        default="noisy",
        description="with white noise (published), or with noise of the reference's spectrum",
    )
    pooling: Literal["max", "average", "l2"] = "max"
    content_layers: dict[int, Annotated[float, Field(gt=0)]] = {8: 1.0}
    style_layers: dict[int, Annotated[float, Field(gt=0)]] = {1: 256, 6: 64, 11: 16, 20: 4, 29: 1}
    content_weight: float = Field(default=1.0, ge=0)
    tv_weight: float = Field(default=0.0, ge=0)
    iterations: int = Field(default=1, ge=1)
    step_size: float = Field(default=0.15, gt=0)
    step_unit: Literal["absolute", "start_std"] = Field(
        default="absolute", description="of the [0, 1] range, or of the start image's standard deviation"
    )
    decay: float = Field(default=0.99, ge=0, lt=1)
    scaling: Literal["stack", "tilt"] = Field(
        default="stack",
        description="to [0, 1]: of whole stacks by their extrema (published), or of each tilt by its moments, "
        "recorded ones without beads and ramps",
    )
    clip_percent: float = Field(
        default=0.0,
        ge=0,
        lt=50,
        description="per cent of pixels clipped at either end when scaling to [0, 1]; 0 is min-max",
    )
    reference_size: Literal["own", "shrink"] = Field(
        default="own", description="shrink: a reference larger than the tilts is shrunk to them (published)"
    )
    angle_match: Literal["nearest", "interpolate"] = "nearest"
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(default=1, ge=1, description="per task; part of the result's rounding")
    tile: Literal["auto", "whole"] | Annotated[int, Field(ge=16, multiple_of=16)] = Field(
        default="auto",
        description="pixels; side of the tiles that gradients are computed in, or the whole image at once. "
        "auto: the largest that memory_per_task_GiB allows, settled once, when the run is planned",
    )
    memory_per_task_GiB: float = Field(default=4.0, gt=0, description="of a worker process, for tile: auto")

    @property
    def tile_px(self) -> int | None:
        """Side of a tile, ``None`` for the whole image; of a resolved configuration, where it is settled."""
        if self.tile == "auto":
            raise ValueError("style.tile is still `auto`: it is settled when the run is planned")
        return None if self.tile == "whole" else self.tile

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "preset" not in value:
            return value
        name = value["preset"]
        if name not in STYLE_PRESETS:
            raise ValueError(f"preset must be one of {', '.join(STYLE_PRESETS)}, not {name!r}")
        return STYLE_PRESETS[name] | {key: given for key, given in value.items() if key != "preset"}

    @field_validator("weights")
    @classmethod
    def _resolve_file(cls, value: str, info: ValidationInfo) -> str:
        return str(_resolve(Path(value), info)) if "/" in value else value


class ReconstructionSection(Section):
    """Tomograms of the series, by weighted back-projection."""

    of: tuple[Literal["noiseless"] | Modality, ...] = Field(
        default=(), description="modalities that are reconstructed; each must be among those kept"
    )
    filter: FilterKind = Field(
        default="hann",
        description="ramp, crowther (level where tilts part), hann (window), exact (weighting), shrec",
    )
    binning: int = Field(default=1, ge=1, description="of the tilts, before they are filtered")
    every: int = Field(default=1, ge=1, description="every n-th tilt, counted from 0°")
    thickness_A: float | None = Field(default=None, gt=0, description="default: the specimen's")
    device: Literal["cpu", "cuda"] = "cpu"


class OutputsSection(Section):
    """What is kept. The noiseless projections, the density and its labels always are."""

    modalities: tuple[Modality, ...] = ("faket",)
    report: bool = True
    splits: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="parts of the data set by name, such as {train: 8, test: 2}, that share neither specimens "
        "nor references; written to manifest.csv",
    )


class ClusterSection(Section):
    """Where it runs; nothing here changes a result."""

    workers: int | None = Field(default=None, ge=1, description="default: one per core")
    memory_per_worker_GiB: float | None = Field(default=None, gt=0, description="default: a fair share")
    retries: int = Field(default=2, ge=0, description="of a failed unit of work")


class RunConfig(Section):
    """A whole run file."""

    dataset: DatasetSection
    specimen: SpecimenSection
    acquisition: AcquisitionSection
    microscope: MicroscopeSection = MicroscopeSection()
    references: tuple[Reference, ...] = Field(min_length=1)
    pairing: Literal["cyclic", "random", "all"] = "cyclic"
    noise: NoiseSection = NoiseSection()
    style: StyleSection = StyleSection()
    reconstruction: ReconstructionSection = ReconstructionSection()
    outputs: OutputsSection = OutputsSection()
    cluster: ClusterSection = ClusterSection()

    def built_shape(self, specimen: BuiltSpecimen) -> tuple[int, int, int]:
        """(z, y, x) voxels of specimens that are built for this acquisition."""
        rows, columns = self.acquisition.detector_px
        depth = max(1, round(specimen.thickness_A / self.acquisition.pixel_size_A))
        return depth, rows, round(columns * specimen.width_factor)

    @model_validator(mode="before")
    @classmethod
    def _choose_statistics(cls, document: Any) -> Any:
        """Write down the noise statistics that the references allow, where none are asked for."""
        if not isinstance(document, dict):
            return document
        noise, references = document.get("noise", {}), document.get("references")
        if not isinstance(noise, dict) or not isinstance(references, list | tuple):
            return document
        unpaired = any(
            isinstance(reference, dict)
            and reference.get("kind", "tilt_series") == "tilt_series"
            and reference.get("clean") is None
            for reference in references
        )
        if unpaired and not {"statistics", "given"} & noise.keys():
            return {**document, "noise": {**noise, "statistics": "unpaired"}}
        return document

    @model_validator(mode="after")
    def _specimen_is_possible(self) -> RunConfig:
        if isinstance(self.specimen, BuiltSpecimen):
            self.specimen.recipe(self.built_shape(self.specimen), self.acquisition.pixel_size_A)
        return self

    @model_validator(mode="after")
    def _reconstructions_are_possible(self) -> RunConfig:
        section = self.reconstruction
        for name in section.of:
            if name != "noiseless" and name not in self.outputs.modalities:
                raise ValueError(f"reconstruction.of: {name!r} is not kept; add it to outputs.modalities")
        smallest = min(self.acquisition.detector_px) // section.binning
        if section.of and smallest < SMALLEST_FILTERED:
            raise ValueError(
                f"reconstruction.binning: {section.binning} leaves {smallest} of the detector's pixels; "
                f"at least {SMALLEST_FILTERED} are needed"
            )
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> RunConfig:
        names = [reference.name for reference in self.references]
        for name in names:
            if names.count(name) > 1:
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


def parse(document: Any, base: Path) -> RunConfig:
    """Check a parsed YAML document.

    Parameters
    ----------
    document : mapping
        What the YAML file holds.
    base : Path
        Folder that relative paths start from.

    Raises
    ------
    InputError
        Naming every mistake, one line each.
    """
    if not isinstance(document, dict):
        raise InputError("a run file is a mapping of sections (dataset, specimen, acquisition, …)")
    try:
        return RunConfig.model_validate(document, context={"base": base})
    except ValidationError as error:
        mistakes = {_where(item): item for item in reversed(error.errors())}
        lines = [_explain(where, item) for where, item in reversed(mistakes.items())]
        raise InputError("\n".join(lines)) from None


def parse_reconstruction(**values: Any) -> ReconstructionSection:
    """Check the settings of tomograms alone, as the command line gives them.

    Raises
    ------
    InputError
        Naming every mistake, one line each.
    """
    try:
        return ReconstructionSection.model_validate(values)
    except ValidationError as error:
        raise InputError("\n".join(_explain(_where(item), item) for item in error.errors())) from None


def load(path: str | Path) -> RunConfig:
    """Read a run file.

    Raises
    ------
    InputError
        When the file cannot be read, is no YAML, or any value in it is wrong; one line per mistake.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read the run file {path}: {reason}") from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise InputError(f"{path} is not valid YAML{line}: {getattr(error, 'problem', error)}") from None
    return parse(document, path.resolve().parent)


def dump(config: RunConfig) -> str:
    """The resolved configuration as YAML that `load` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


_TAGS = {"built", "volume", "tilt_series", "simulated", "blend", "int"}


def _where(item: Any) -> str:
    """Dotted path of a mistake, without pydantic's own names for the members of a union."""
    parts = (str(part) for part in item["loc"])
    return ".".join(
        part for part in parts if part not in _TAGS and "[" not in part and not part.startswith("constrained")
    )


def _explain(where: str, item: Any) -> str:
    """One line for one mistake that pydantic found: where, what is wrong, what to write instead."""
    if item["type"] == "extra_forbidden":
        name = str(item["loc"][-1])
        close = difflib.get_close_matches(name, _field_names(RunConfig), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{where}: there is no such key{hint}"
    if item["type"] == "missing":
        return f"{where}: is missing"
    if item["type"] == "union_tag_invalid":
        return f"{where}.kind: must be one of {item['ctx']['expected_tags']} (got {item['ctx']['tag']!r})"
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given = item.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{where or 'run file'}: {message}{shown}"


def _field_names(model: type[BaseModel]) -> list[str]:
    """All key names below a model, for suggestions."""
    found: list[str] = []
    pending: list[Any] = [model]
    while pending:
        current = pending.pop()
        if isinstance(current, type) and issubclass(current, BaseModel):
            for name, field in current.model_fields.items():
                found.append(name)
                pending.append(field.annotation)
        else:
            pending.extend(getattr(current, "__args__", ()))
    return found
