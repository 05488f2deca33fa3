"""Section `specimen` of the run file: specimens packed at random, or volumes that exist already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from faket_dask.config.acquisition import PixelSize
from faket_dask.config.limits import LARGEST_THICKNESS_A, MOST_FILES, MOST_SERIES
from faket_dask.documents.section import Section, kind_or, resolve_path
from faket_dask.specimen.component import Component
from faket_dask.specimen.fiducials import Fiducials
from faket_dask.specimen.filaments.kinds import Helices, Microtubules, Polymers
from faket_dask.specimen.membranes import Sheets, Vesicles
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Sampling


def _resolve_sources(section: Any, info: ValidationInfo) -> Any:
    """Make the files that a class names absolute; anything but strings is left for the validation that follows."""
    if not isinstance(section, dict) or section.get("source") is None:
        return section
    sources = [section["source"]] if isinstance(section["source"], str) else section["source"]
    if not isinstance(sources, list | tuple) or not all(isinstance(source, str) for source in sources):
        return section
    paths = (name if name in PHANTOMS else str(resolve_path(Path(name), info)) for name in sources)
    return {**section, "source": tuple(paths)}


SpeciesSection = Annotated[Species, BeforeValidator(_resolve_sources)]


def _resolve_subunit(section: Any, info: ValidationInfo) -> Any:
    """Make the file of a filament's subunit absolute."""
    source = section.get("source") if isinstance(section, dict) else None
    if not isinstance(source, str) or source in PHANTOMS:
        return section
    return {**section, "source": str(resolve_path(Path(source), info))}


_ResolveSubunit = BeforeValidator(_resolve_subunit)
FilamentsSection = Annotated[
    Annotated[Helices, _ResolveSubunit, Tag("helix")]
    | Annotated[Microtubules, _ResolveSubunit, Tag("microtubule")]
    | Annotated[Polymers, _ResolveSubunit, Tag("polymer")],
    kind_or("helix"),
]


class BuiltSpecimen(Section):
    """Specimens packed at random from particle classes, membranes, filaments and gold beads."""

    kind: Literal["built"] = "built"
    count: int = Field(default=1, ge=1, le=MOST_SERIES, description="number of specimens")
    thickness_A: float = Field(gt=0, le=LARGEST_THICKNESS_A, description="thickness of the ice")
    width_factor: float = Field(
        default=2.0,
        ge=1.0,
        le=100.0,
        description="specimen width over field of view, across the tilt axis: 2 keeps tilts of ±60° filled",
    )
    species: tuple[SpeciesSection, ...] = Field(default=(), max_length=MOST_FILES)
    vesicles: Vesicles | None = None
    sheets: Sheets | None = None
    filaments: tuple[FilamentsSection, ...] = Field(
        default=(),
        max_length=MOST_FILES,
        description="helices such as actin, microtubules and other polymers: keys below, by kind",
    )
    fiducials: Fiducials | None = None
    ice_texture: float = Field(
        default=Recipe.ice_texture, ge=0, le=100, description="density fluctuations of the ice; 1 is physical"
    )
    surroundings_V: float = Field(
        default=Recipe.surroundings_V,
        ge=-100,
        le=100,
        description="mean potential over ice of what particles displace: about 0.8 for cytosol",
    )
    spacing_A: float = Field(
        default=Recipe.spacing_A, ge=0, le=LARGEST_THICKNESS_A, description="smallest gap between two objects"
    )
    balanced: bool = Field(
        default=Recipe.balanced,
        description="the same number of particles of every labelled class in each specimen",
    )

    @property
    def components(self) -> tuple[Component, ...]:
        """All objects, in the order of their labels."""
        groups: tuple[Component | None, ...] = (
            *self.species,
            self.vesicles,
            self.fiducials,
            self.sheets,
            *self.filaments,
        )
        return tuple(group for group in groups if group is not None)

    def recipe(self, shape: tuple[int, int, int], voxel_size_A: float, sampling: Sampling) -> Recipe:
        """Make the recipe of a specimen.

        Parameters
        ----------
        shape
            Voxels ``(z, y, x)``.
        voxel_size_A
            Edge of a voxel in Å.
        sampling
            Frequencies that voxels keep.

        Raises
        ------
        InputError
            When nothing is requested, classes repeat, or membranes are missing that particles sit on.
        """
        return Recipe(
            shape=shape,
            voxel_size_A=voxel_size_A,
            components=self.components,
            ice_texture=self.ice_texture,
            surroundings_V=self.surroundings_V,
            spacing_A=self.spacing_A,
            balanced=self.balanced,
            sampling=sampling,
        )


class ExistingVolume(Section):
    """One specimen volume from a file (MRC, or a Zarr array), with its labels where they exist."""

    density: Path = Field(description="MRC file or Zarr array of the density")
    class_mask: Path | None = Field(
        default=None, description="volume of class labels, of the density's shape"
    )
    instance_mask: Path | None = Field(
        default=None, description="volume of instance labels, of the density's shape"
    )
    particles: Path | None = Field(default=None, description="particle table (CSV)")
    voxel_size_A: PixelSize | None = Field(default=None, description="overrides the header")

    _resolve_paths = field_validator("density", "class_mask", "instance_mask", "particles")(
        lambda path, info: None if path is None else resolve_path(path, info)
    )


class VolumeSpecimens(Section):
    """Specimens from files ("grandmodels"), one per entry."""

    kind: Literal["volume"]
    volumes: tuple[ExistingVolume, ...] = Field(min_length=1, max_length=MOST_FILES)

    @property
    def count(self) -> int:
        """Number of specimens."""
        return len(self.volumes)


SpecimenSection = Annotated[
    Annotated[BuiltSpecimen, Tag("built")] | Annotated[VolumeSpecimens, Tag("volume")], kind_or("built")
]
