"""What is imaged: specimens packed at random, or volumes that exist already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from faket_dask.config.section import Section, kind_or, resolve_path
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.recipe import Fiducials, Recipe, Sheets, Species, Vesicles

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
        return tuple(s if s in PHANTOMS else str(resolve_path(Path(s), info)) for s in sources)

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
    balanced: bool = Field(
        default=False, description="the same number of particles of every labelled class in each specimen"
    )

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
            balanced=self.balanced,
        )


class ExistingVolume(Section):
    """One specimen volume from a file (MRC, or a Zarr array), with its labels where they exist."""

    density: Path
    class_mask: Path | None = None
    instance_mask: Path | None = None
    particles: Path | None = None
    voxel_size_A: float | None = Field(default=None, gt=0)

    _resolve_paths = field_validator("density", "class_mask", "instance_mask", "particles")(
        lambda path, info: None if path is None else resolve_path(path, info)
    )


class VolumeSpecimens(Section):
    """Specimens that exist already ("grandmodels"), one per entry."""

    kind: Literal["volume"]
    volumes: tuple[ExistingVolume, ...] = Field(min_length=1)

    @property
    def count(self) -> int:
        return len(self.volumes)


SpecimenSection = Annotated[
    Annotated[BuiltSpecimen, Tag("built")] | Annotated[VolumeSpecimens, Tag("volume")], kind_or("built")
]
