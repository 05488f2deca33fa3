"""Section `specimen` of the run file: specimens packed at random, or volumes that exist already."""

from __future__ import annotations

from dataclasses import replace
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
    model_validator,
)

from faket_dask.config.acquisition import PixelSize
from faket_dask.config.limits import LARGEST_THICKNESS_A, MOST_FILES, MOST_SERIES
from faket_dask.config.specimen_presets import apply_preset
from faket_dask.documents.section import Section, kind_or, resolve_path
from faket_dask.specimen.component import Component
from faket_dask.specimen.crowding import Crowding
from faket_dask.specimen.distractors import Distractors
from faket_dask.specimen.fiducials import Fiducials
from faket_dask.specimen.filaments.kinds import Helices, Microtubules, Polymers
from faket_dask.specimen.membranes.kinds import (
    Cisterna,
    Ellipsoid,
    FreeForm,
    Mitochondrion,
    Sheet,
    Torus,
    Tubule,
    Vesicle,
)
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.slab.film import Film
from faket_dask.specimen.slab.lamella import Lamella
from faket_dask.specimen.slab.parts import list_parts
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

MembraneSection = Annotated[
    Annotated[Vesicle, Tag("vesicle")]
    | Annotated[Ellipsoid, Tag("ellipsoid")]
    | Annotated[Torus, Tag("torus")]
    | Annotated[Tubule, Tag("tubule")]
    | Annotated[Cisterna, Tag("cisterna")]
    | Annotated[FreeForm, Tag("free_form")]
    | Annotated[Mitochondrion, Tag("mitochondrion")]
    | Annotated[Sheet, Tag("sheet")],
    kind_or("vesicle"),
]


def _resolve_crowd(section: Any, info: ValidationInfo) -> Any:
    """Make the files of crowding species absolute."""
    if not isinstance(section, dict) or not isinstance(section.get("species"), list | tuple):
        return section
    return {**section, "species": tuple(_resolve_sources(species, info) for species in section["species"])}


CrowdingSection = Annotated[Crowding, BeforeValidator(_resolve_crowd)]


SlabSection = Annotated[Annotated[Film, Tag("film")] | Annotated[Lamella, Tag("lamella")], kind_or("film")]


class BuiltSpecimen(Section):
    """Specimens packed at random from particle classes, membranes, filaments and gold beads.

    `preset` stands for the keys of one of the specimens that come with the package; those that are written beside it
    change them.
    """

    kind: Literal["built"] = "built"
    structures: Literal["auto", "pdb", "phantoms"] = Field(
        default="auto",
        description="pdb: particles with a stand_in are made from their entries of archives; phantoms: from their "
        "stand-ins, all of them; auto: from entries if all can be had, decided once, when the run is planned",
    )
    count: int = Field(default=1, ge=1, le=MOST_SERIES, description="number of specimens")
    thickness_A: float = Field(
        gt=0,
        le=LARGEST_THICKNESS_A,
        description="thickness of the volume; of the ice, too, unless `ice` says otherwise",
    )
    width_factor: float = Field(
        default=2.0,
        ge=1.0,
        le=100.0,
        description="specimen width over field of view, across the tilt axis: 2 keeps tilts of ±60° filled",
    )
    species: tuple[SpeciesSection, ...] = Field(default=(), max_length=MOST_FILES)
    membranes: tuple[MembraneSection, ...] = Field(
        default=(),
        max_length=MOST_FILES,
        description="vesicles, organelles and sheets: keys below, by kind",
    )
    filaments: tuple[FilamentsSection, ...] = Field(
        default=(),
        max_length=MOST_FILES,
        description="helices such as actin, microtubules and other polymers: keys below, by kind",
    )
    fiducials: Fiducials | None = None
    crowding: CrowdingSection | tuple[CrowdingSection, ...] | None = Field(
        default=None, description="unnamed particles that fill the volume, or a list for several compartments"
    )
    distractors: Distractors | None = None
    ice: SlabSection | None = Field(
        default=None,
        description="faces of the ice, a film in a hole of the grid or a lamella: keys below, by kind; the whole "
        "volume by default",
    )
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
    def crowds(self) -> tuple[Crowding, ...]:
        """Crowds of all compartments."""
        if self.crowding is None:
            return ()
        return (self.crowding,) if isinstance(self.crowding, Crowding) else self.crowding

    @property
    def all_species(self) -> tuple[Species, ...]:
        """Particle classes, those of the crowding last."""
        return (*self.species, *(species for crowd in self.crowds for species in crowd.species))

    @property
    def stand_ins(self) -> dict[str, str]:
        """Entry of each species that has a phantom to stand in for it, by name."""
        return {
            species.name: source
            for species in self.all_species
            for source in species.sources
            if species.stand_in is not None
        }

    def choose_structures(self, choice: Literal["pdb", "phantoms"]) -> BuiltSpecimen:
        """Return the specimen with all species made from their entries, or all from their stand-ins."""

        def choose(species: Species) -> Species:
            if species.stand_in is None:
                return species
            source = (species.stand_in,) if choice == "phantoms" else species.source
            assembly = None if choice == "phantoms" else species.assembly
            return replace(species, source=source, assembly=assembly, stand_in=None)

        crowds = tuple(replace(crowd, species=tuple(map(choose, crowd.species))) for crowd in self.crowds)
        return self.model_copy(
            update={
                "structures": choice,
                "species": tuple(map(choose, self.species)),
                "crowding": crowds,
            }
        )

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, section: Any) -> Any:
        return apply_preset(section) if isinstance(section, dict) and "preset" in section else section

    @classmethod
    def key_types(cls) -> dict[str, Any]:
        """Return the keys that a run file may hold in this section, with the types of their values."""
        return super().key_types() | {"preset": str}

    @property
    def components(self) -> tuple[Component, ...]:
        """All objects, in the order of their labels."""
        groups: tuple[Component | None, ...] = (
            *self.species,
            *self.membranes,
            self.fiducials,
            *self.filaments,
            *self.crowds,
            self.distractors,
            *(() if self.ice is None else list_parts(self.ice)),
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
