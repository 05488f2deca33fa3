"""Section `specimen` of the run file: specimens packed at random, or volumes that exist already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

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
from faket_dask.specimen.crowding import Crowding
from faket_dask.specimen.distractors import Distractors
from faket_dask.specimen.fiducials import Fiducials
from faket_dask.specimen.filaments.kinds import Helices, Microtubules, Polymers
from faket_dask.specimen.membranes import Sheets, Vesicles
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.source_names import names_phantom
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Sampling
from faket_dask.structures import names_entry


def _resolve_source(source: str, info: ValidationInfo) -> str:
    """Make the path of a file absolute; phantoms and entries of archives stay as they are."""
    if names_phantom(source) or names_entry(source):
        return source
    address = urlsplit(source)
    path = url2pathname(address.path) if address.scheme == "file" else source
    return str(resolve_path(Path(path), info))


def _resolve_sources(section: Any, info: ValidationInfo) -> Any:
    """Make the files that a class names absolute; anything but strings is left for the validation that follows."""
    if not isinstance(section, dict):
        return section
    if isinstance(section.get("states"), list | tuple):
        section = {**section, "states": tuple(_resolve_state(state, info) for state in section["states"])}
    if section.get("source") is None:
        return section
    sources = [section["source"]] if isinstance(section["source"], str) else section["source"]
    if not isinstance(sources, list | tuple) or not all(isinstance(source, str) for source in sources):
        return section
    return {**section, "source": tuple(_resolve_source(source, info) for source in sources)}


def _resolve_state(section: Any, info: ValidationInfo) -> Any:
    """Make the files that a state names absolute."""
    if not isinstance(section, dict):
        return section
    files = {key: section[key] for key in ("source", "trajectory") if isinstance(section.get(key), str)}
    return {**section, **{key: _resolve_source(file, info) for key, file in files.items()}}


SpeciesSection = Annotated[Species, BeforeValidator(_resolve_sources)]


def _resolve_subunit(section: Any, info: ValidationInfo) -> Any:
    """Make the file of a filament's subunit absolute."""
    source = section.get("source") if isinstance(section, dict) else None
    return {**section, "source": _resolve_source(source, info)} if isinstance(source, str) else section


_ResolveSubunit = BeforeValidator(_resolve_subunit)
FilamentsSection = Annotated[
    Annotated[Helices, _ResolveSubunit, Tag("helix")]
    | Annotated[Microtubules, _ResolveSubunit, Tag("microtubule")]
    | Annotated[Polymers, _ResolveSubunit, Tag("polymer")],
    kind_or("helix"),
]


def _resolve_crowd(section: Any, info: ValidationInfo) -> Any:
    """Make the files of crowding species absolute."""
    if not isinstance(section, dict) or not isinstance(section.get("species"), list | tuple):
        return section
    return {**section, "species": tuple(_resolve_sources(species, info) for species in section["species"])}


CrowdingSection = Annotated[Crowding, BeforeValidator(_resolve_crowd)]


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
    crowding: CrowdingSection | None = None
    distractors: Distractors | None = None
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
    cut_surfaces: bool = Field(
        default=Recipe.cut_surfaces,
        description="whether the slab's surfaces cut objects, as in a lamella",
    )
    balanced: bool = Field(
        default=Recipe.balanced,
        description="the same number of particles of every labelled class in each specimen",
    )

    @property
    def all_species(self) -> tuple[Species, ...]:
        """Particle classes, those of the crowding last."""
        return self.species + (() if self.crowding is None else self.crowding.species)

    @property
    def components(self) -> tuple[Component, ...]:
        """All objects, in the order of their labels."""
        groups: tuple[Component | None, ...] = (
            *self.species,
            self.vesicles,
            self.fiducials,
            self.sheets,
            *self.filaments,
            self.crowding,
            self.distractors,
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
            cut_surfaces=self.cut_surfaces,
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
