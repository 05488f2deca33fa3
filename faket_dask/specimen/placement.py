"""Placement: one draw of objects, positions and orientations from a recipe.

Vesicles and sheets come first, then particles that sit on them, then everything else from large to small, since a
large object does not fit among small ones. The table lists them in the order of rendering instead, in which
particles displace the membrane that they sit in.
"""

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen import membrane
from faket_dask.specimen.orientation import standing_rotation, uniform_rotations
from faket_dask.specimen.packing import PackingError, SpherePacking
from faket_dask.specimen.particles import ParticleTable, particle_table
from faket_dask.specimen.recipe import FIDUCIAL, SHEET, VESICLE, Recipe, Species, draw, largest
from faket_dask.specimen.sources import load_conformations
from faket_dask.specimen.template import Template

_Row = tuple[str, int, NDArray[np.float64], NDArray[np.float64], float, int]

_MEMBRANE_POSITIONS = 2000


def check_fits(recipe: Recipe) -> None:
    """Check before packing that each object fits alone, and that all together are not too many.

    Parameters
    ----------
    recipe
        Recipe to check.

    Raises
    ------
    InputError
        If a class does not fit into the empty volume in every orientation (both sizes are named), or if the
        particles, by their number and volume alone, need more than the volume.

    Examples
    --------
    >>> check_fits(Recipe((8, 60, 80), 10.0, (Species("coil", count=1),)))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    faket_dask.errors.InputError: specimen: 'coil' is up to ... Å across and the volume only 70 Å in its smallest ...
    """
    smallest = min(recipe.extent)
    sizes = []
    claimed = 0.0
    for species in recipe.species:
        templates = load_conformations(species, recipe.voxel_size_A, recipe.sampling)
        sizes += [(species.name, 2 * template.radius_A) for template in templates]
        claimed += recipe.count_range(species)[0] * min(template.volume_A3 for template in templates)
    for name, group, widening in (
        (VESICLE, recipe.vesicles, 1 + (recipe.vesicles.deformation if recipe.vesicles else 0)),
        (SHEET, recipe.sheets, float(np.hypot(1, recipe.sheets.bend if recipe.sheets else 0))),
    ):
        if group is not None:
            sizes.append((name, 2 * (largest(group.radius_A) * widening + membrane.HALF_THICKNESS_A)))
    if recipe.fiducials is not None:
        sizes.append((FIDUCIAL, largest(recipe.fiducials.diameter_A)))
    for name, size in sizes:
        if size > smallest:
            raise InputError(
                f"specimen: '{name}' is up to {size:.0f} Å across and the volume only {smallest:.0f} Å in "
                f"its smallest direction (shape z, y, x {recipe.shape} at {recipe.voxel_size_A:g} Å); "
                "enlarge the volume or choose smaller objects"
            )
    available = 1e12 * recipe.volume_um3
    if claimed > available:
        raise InputError(
            f"specimen: the particles alone would fill {claimed / available:.0%} of the volume; ask for fewer, "
            "or enlarge the volume"
        )


def place(recipe: Recipe, rng: np.random.Generator) -> ParticleTable:
    """Draw counts, conformations, orientations and positions.

    Parameters
    ----------
    recipe
        Recipe to draw from.
    rng
        Source of all randomness of the specimen.

    Returns
    -------
    table
        Rows in the order of rendering: vesicles, sheets, particles in the order of the recipe, fiducials.

    Raises
    ------
    InputError
        If an object is larger than the volume.
    PackingError
        If the requested number does not fit.

    Examples
    --------
    >>> from faket_dask.specimen import Fiducials
    >>> recipe = Recipe((40, 60, 80), 10.0, (Species("boot", count=3),), fiducials=Fiducials(2))
    >>> place(recipe, np.random.default_rng(0)).counts()
    {'boot': 3, 'fiducial': 2}
    """
    check_fits(recipe)
    gap = max(recipe.spacing_A, recipe.voxel_size_A)
    membrane_rows = _place_membranes(recipe, gap, rng)
    membranes = _membrane_surfaces(recipe, membrane_rows)
    packing = SpherePacking(recipe.extent, gap, membranes, membrane.HALF_THICKNESS_A)

    common = None
    if recipe.balanced:
        common = int(rng.integers(*recipe.common_range, endpoint=True))
    order: list[tuple[float, int, Species | None]] = []
    rows: dict[int, list[_Row]] = {}
    for index, species in enumerate(recipe.species):
        rows[index] = []
        radius = max(
            template.radius_A
            for template in load_conformations(species, recipe.voxel_size_A, recipe.sampling)
        )
        order.append((np.inf if species.on_membrane else radius, index, species))
    fiducials = len(recipe.species)
    rows[fiducials] = []
    if recipe.fiducials is not None:
        order.append((largest(recipe.fiducials.diameter_A) / 2, fiducials, None))
    for _, index, group in sorted(order, key=lambda entry: (-entry[0], entry[1])):
        if group is None:
            rows[index] = _place_fiducials(recipe, packing, rng)
        else:
            count = recipe.draw_count(group, rng) if common is None or not group.labelled else common
            rows[index] = _place_species(recipe, group, count, packing, rng)
    return particle_table(membrane_rows + [row for index in sorted(rows) for row in rows[index]])


def _membrane_surfaces(recipe: Recipe, rows: list[_Row]) -> NDArray[np.float64]:
    """Make the surfaces ``(m, PARAMETERS)`` of rows of vesicles and sheets."""
    surfaces = [
        membrane_surface(recipe, name, centre, rotation, radius, variant)
        for name, _, centre, rotation, radius, variant in rows
    ]
    return np.array(surfaces).reshape(-1, membrane.PARAMETERS)


def membrane_surface(
    recipe: Recipe,
    name: str,
    centre_A: NDArray[np.float64],
    rotation: NDArray[np.float64],
    radius_A: float,
    variant: int,
) -> NDArray[np.float64]:
    """Make the surface of one vesicle or sheet.

    Parameters
    ----------
    recipe
        Recipe with the shape of its membranes.
    name
        `VESICLE` or `SHEET`.
    centre_A, rotation, radius_A, variant
        Columns of the particle table.

    Returns
    -------
    surface
        ``(PARAMETERS,)``, as :func:`faket_dask.specimen.membrane.membrane_row` returns it.
    """
    if name == VESICLE:
        assert recipe.vesicles is not None
        return membrane.membrane_row(
            membrane.CLOSED, centre_A, rotation, radius_A, variant, recipe.vesicles.deformation
        )
    assert recipe.sheets is not None
    return membrane.membrane_row(membrane.OPEN, centre_A, rotation, radius_A, variant, recipe.sheets.bend)


def _place_membranes(recipe: Recipe, gap_A: float, rng: np.random.Generator) -> list[_Row]:
    """Place vesicles, then sheets, apart from one another by their bounding spheres."""
    nothing = np.empty((0, membrane.PARAMETERS))
    packing = SpherePacking(recipe.extent, gap_A, nothing, 0.0)
    rows: list[_Row] = []
    for name, group in ((VESICLE, recipe.vesicles), (SHEET, recipe.sheets)):
        if group is None:
            continue
        requested = recipe.draw_count(group, rng)
        radii = sorted((draw(group.radius_A, rng) for _ in range(requested)), reverse=True)
        for placed, radius in enumerate(radii):
            rotation = uniform_rotations(1, rng)[0]
            variant = int(rng.integers(2**31))
            surface = membrane_surface(recipe, name, np.zeros(3), rotation, radius, variant)
            sphere = np.array([[0.0, 0.0, 0.0, membrane.bounding_radius(surface)]])
            centre = packing.find_position(sphere, rng)
            if centre is None:
                raise _failure(name, requested, placed, packing)
            packing.add(sphere, centre)
            rows.append((name, recipe.class_ids[name], centre, rotation, radius, variant))
    return rows


def _place_species(
    recipe: Recipe, species: Species, requested: int, packing: SpherePacking, rng: np.random.Generator
) -> list[_Row]:
    if requested and species.on_membrane and not len(packing.membranes):
        raise InputError(
            f"specimen: '{species.name}' sits on membranes, and no vesicle or sheet was drawn; give them a "
            "smallest count of 1"
        )
    conformations = rng.integers(len(species.sources), size=requested)
    rotations = uniform_rotations(requested, rng)
    class_id = recipe.class_ids.get(species.name, 0) if species.labelled else 0
    templates = load_conformations(species, recipe.voxel_size_A, recipe.sampling)
    rows: list[_Row] = []
    for conformation, rotation in zip(conformations, rotations, strict=True):
        template = templates[conformation]
        if species.on_membrane:
            placement = _place_on_membrane(species, template, packing, rng)
        else:
            shape = _rotate_spheres(template, rotation)
            centre = packing.find_position(shape, rng)
            placement = None if centre is None else (centre, rotation, shape)
        if placement is None:
            raise _failure(species.name, requested, len(rows), packing)
        centre, rotation, shape = placement
        packing.add(shape, centre)
        rows.append((species.name, class_id, centre, rotation, template.radius_A, int(conformation)))
    return rows


def _place_on_membrane(
    species: Species, template: Template, packing: SpherePacking, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Return centre, rotation and turned spheres, or ``None``; membranes are chosen in proportion to their area."""
    probabilities = membrane.areas(packing.membranes)
    probabilities /= probabilities.sum()
    for _ in range(_MEMBRANE_POSITIONS):
        index = int(rng.choice(len(probabilities), p=probabilities))
        point, normal = membrane.surface_point(packing.membranes[index], rng)
        rotation = standing_rotation(normal, rng.uniform(0, 2 * np.pi))
        shape = _rotate_spheres(template, rotation)
        centre = point + species.membrane_offset_A * normal
        if packing.is_free(shape, centre, index):
            return centre, rotation, shape
    return None


def _place_fiducials(recipe: Recipe, packing: SpherePacking, rng: np.random.Generator) -> list[_Row]:
    assert recipe.fiducials is not None
    requested = recipe.draw_count(recipe.fiducials, rng)
    diameters = sorted((draw(recipe.fiducials.diameter_A, rng) for _ in range(requested)), reverse=True)
    rows: list[_Row] = []
    for diameter in diameters:
        shape = np.array([[0.0, 0.0, 0.0, diameter / 2]])
        centre = packing.find_position(shape, rng)
        if centre is None:
            raise _failure(FIDUCIAL, requested, len(rows), packing)
        packing.add(shape, centre)
        rows.append((FIDUCIAL, recipe.class_ids[FIDUCIAL], centre, np.eye(3), diameter / 2, 0))
    return rows


def _rotate_spheres(template: Template, rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack((template.spheres_A[:, :3] @ rotation.T, template.spheres_A[:, 3]))


def _failure(name: str, requested: int, placed: int, packing: SpherePacking) -> PackingError:
    return PackingError(name, requested, placed, packing.occupied_fraction())
