"""Crowding: unnamed particles that fill a specimen to a share of its volume."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION
from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.composition import MOLECULAR_VOLUME_A3_PER_DA
from faket_dask.specimen.occupancy import Region, Where
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.species import Species, find_free
from faket_dask.specimen.voxel_grid import VoxelGrid

LARGEST_FRACTION = 0.45
"""Share of the volume that molecules of real shapes may be asked to fill; their labels fill a third more."""

LARGEST_MASS_DA = 3.5e6
"""Largest particle of the crowd: an 80S ribosome has 3.3 MDa."""

RIBOSOME_MASS_DA = 2e6
"""Mass from which on a particle counts as a ribosome: a bacterial one has 2.3 MDa, a proteasome 2.5 MDa or less."""

MOST_RIBOSOMES = 0.5
"""Largest share of ribosomes in the crowd."""

_MASS_TOLERANCE = 1.1  # of masses that follow from the potential in a map
_TRIALS = 50_000
_ORIENTATIONS = 5
_TOLERANCE = 0.02


class CrowdingError(InputError):
    """Crowding that does not reach its fraction.

    Parameters
    ----------
    requested, reached
        Fraction of the volume by molecular volume.
    labelled
        Fraction of the voxels that objects have taken.
    """

    def __init__(self, requested: float, reached: float, labelled: float) -> None:
        super().__init__(
            f"specimen.crowding: molecules fill {reached:.1%} of the volume, not {requested:.1%}, and their voxels "
            f"{labelled:.1%}, and no more find room; lower fraction to {reached:.2f} or less, spacing_A, or the counts "
            "of other objects, or give small species a larger share"
        )
        self.requested = requested
        self.reached = reached
        self.labelled = labelled

    def __reduce__(self) -> tuple[type["CrowdingError"], tuple[float, float, float]]:
        # As for PackingError.
        return CrowdingError, (self.requested, self.reached, self.labelled)


@dataclass(frozen=True)
class Crowding:
    """Particles that fill the volume up to a fraction, those of other species included.

    Particles are placed from large to small by their shapes, each in an orientation that is drawn before its place.
    Where five orientations in a row find no place, what is left goes to the smaller species.

    Parameters
    ----------
    fraction
        Share of the volume, or of the compartment, that molecules fill, at 1.21 Å³ per dalton: 0.2 to 0.3 in cytosol.
        Their labels at 10 Å take about a third more.
    species
        Particles with their `share` of the crowd by molecular volume; ribosomes, which are those of 2 MDa and more,
        have at most half.
    labelled
        True if the particles have labels and are listed in the masks.
    inside
        Name of the membranes whose compartments are filled, ``outside`` for what none encloses; everything by default.

    Raises
    ------
    InputError
        If a number is impossible, or species have no share.
    """

    __pydantic_config__ = SECTION

    fraction: float
    species: tuple[Species, ...]
    labelled: bool = False
    inside: str | None = None

    layer: ClassVar[Layer] = Layer.CROWDING

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= LARGEST_FRACTION:
            raise InputError(
                f"crowding: fraction is {self.fraction:g}; it lies between 0 and {LARGEST_FRACTION}, of which cytosol "
                "has 0.2 to 0.3"
            )
        if not self.species:
            raise InputError("crowding: there are no species; list those that crowd the specimen")
        for species in self.species:
            if species.share is None:
                raise InputError(
                    f"crowding: species '{species.name}' has no share; give it one in place of count or "
                    "density_per_um3"
                )
            if species.on_membrane or species.chain or species.cluster or species.inside:
                raise InputError(
                    f"crowding: species '{species.name}' has on_membrane, inside, chain or cluster, which belong into "
                    "specimen.species"
                )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the species."""
        return tuple(species.name for species in self.species)

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return one of each species: how many there are is known when they are drawn."""
        return len(self.species), len(self.species)

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the diameter in Å of the largest species."""
        return max(species.measure_size(grid) for species in self.species)

    def check(self, grid: VoxelGrid) -> None:
        """Check sizes, masses, and the share of ribosomes."""
        ribosomes = 0.0
        for species, mass_Da in zip(self.species, self._masses(grid), strict=True):
            species.check(grid)
            if mass_Da > _MASS_TOLERANCE * LARGEST_MASS_DA:
                raise InputError(
                    f"crowding: '{species.name}' has {mass_Da / 1e6:.1f} MDa, and nothing above "
                    f"{LARGEST_MASS_DA / 1e6:.1f} MDa crowds a cell; remove it, or list it in specimen.species"
                )
            if mass_Da >= RIBOSOME_MASS_DA:
                ribosomes += self._share(species)
        if ribosomes > MOST_RIBOSOMES + 1e-9:
            raise InputError(
                f"crowding: particles of {RIBOSOME_MASS_DA / 1e6:g} MDa and more have {ribosomes:.0%} of the crowd, "
                f"and at most {MOST_RIBOSOMES:.0%} are possible; give other species a larger share"
            )

    def draw(self, scene: Scene) -> None:
        """Fill the volume, from the largest species to the smallest."""
        region = scene.region(None if self.inside is None else [self.inside])
        voxel_A3 = scene.grid.voxel_size_A**3
        if self.inside is None:
            taken_A3 = scene.shown_molecular_volume_A3
            volume_A3 = self.fraction * scene.occupancy.ice_volume_A3 - taken_A3
            margin_A3 = self.fraction * scene.occupancy.margin_size * voxel_A3
            margin_A3 -= scene.molecular_volume_A3 - taken_A3
        else:
            volume_A3, margin_A3 = (self.fraction * n * voxel_A3 for n in scene.occupancy.count_free(region))
        goal = np.maximum([volume_A3, margin_A3], 0.0)
        masses = dict(zip(self.class_names, self._masses(scene.grid), strict=True))
        order = sorted(self.species, key=lambda species: -masses[species.name])
        left = goal.copy()
        for index, species in enumerate(order):
            share = self._share(species) / sum(self._share(other) for other in order[index:])
            left -= self._fill(species, share * left, scene, region)
        # A small compartment may lack less than its smallest molecule.
        if left[0] > _TOLERANCE * goal[0] + MOLECULAR_VOLUME_A3_PER_DA * min(masses.values()):
            missing = self.fraction * left[0] / goal[0]
            raise CrowdingError(self.fraction, self.fraction - missing, scene.occupancy.occupied_fraction())

    def _fill(
        self, species: Species, goal: NDArray[np.float64], scene: Scene, region: Region
    ) -> NDArray[np.float64]:
        """Add particles of a species.

        Parameters
        ----------
        species
            One of the crowd.
        goal
            ``(2,)`` Å³ of molecules to add to the volume and to the margin, so that both end equally crowded.
        scene, region
            Specimen so far, and the voxels that may be used.

        Returns
        -------
        filled
            ``(2,)`` Å³ that were added.
        """
        templates = species.load_templates(scene.grid)
        filled, failures = np.zeros(2), np.zeros(2, int)
        while True:
            variant = species.draw_variant(scene.rng)
            template = templates[variant]
            left = np.where(failures < _ORIENTATIONS, goal - filled, 0.0)
            left[left < template.molecular_volume_A3 / 2] = 0.0
            if not left.any():
                return filled
            part = int(scene.rng.uniform() * left.sum() >= left[0])
            rotation = uniform_rotations(1, scene.rng)[0]
            where = (Where.CENTRED, Where.CENTRED_BEYOND)[part]
            place = find_free(template, rotation, scene, region, trials=_TRIALS, where=where)
            if place is None:
                failures[part] += 1
                continue
            failures[part] = 0
            species.add(variant, template, place, scene)
            filled[part] += template.molecular_volume_A3

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the radius in Å of a particle's support."""
        return self._find_species(row).measure_reach(row, grid)

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add a particle."""
        self._find_species(row).render(canvas, row, grid)

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of filling the whole volume; the count is not known beforehand."""
        work = []
        for species in self.species:
            molecule = np.mean([template.molecular_volume_A3 for template in species.load_templates(grid)])
            particles = self.fraction * self._share(species) * grid.volume_A3 / float(molecule)
            work.append(species.estimate(grid, particles))
        return Workload(*(sum(parts) for parts in zip(*work, strict=True)))

    def _find_species(self, row: Row) -> Species:
        return next(species for species in self.species if species.name == row.class_name)

    def _share(self, species: Species) -> float:
        assert species.share is not None
        return species.share / sum(other.share or 0.0 for other in self.species)

    def _masses(self, grid: VoxelGrid) -> list[float]:
        return [
            max(template.mass_Da for template in species.load_templates(grid)) for species in self.species
        ]
