"""Specimens: recipes, particle tables, and the density and labels that follow from them."""

from faket_dask.specimen.crowding import Crowding, CrowdingError
from faket_dask.specimen.distractors import Distractors
from faket_dask.specimen.fiducials import Fiducials
from faket_dask.specimen.groups import Chain, Cluster
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
from faket_dask.specimen.occupancy import PackingError
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.placement import check_fits, place
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.render import Block, render_block
from faket_dask.specimen.slab.deposits import Carbon, Contamination
from faket_dask.specimen.slab.film import Film
from faket_dask.specimen.slab.lamella import Lamella
from faket_dask.specimen.slab.parts import list_parts
from faket_dask.specimen.species import Species

__all__ = [
    "PHANTOMS",
    "Block",
    "Carbon",
    "Chain",
    "Cisterna",
    "Cluster",
    "Contamination",
    "Crowding",
    "CrowdingError",
    "Distractors",
    "Ellipsoid",
    "Fiducials",
    "Film",
    "FreeForm",
    "Lamella",
    "Mitochondrion",
    "PackingError",
    "ParticleTable",
    "Recipe",
    "Sheet",
    "Species",
    "Torus",
    "Tubule",
    "Vesicle",
    "check_fits",
    "list_parts",
    "place",
    "read_particles",
    "render_block",
]
