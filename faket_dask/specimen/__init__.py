"""Specimens: recipes, particle tables, and the density and labels that follow from them."""

from faket_dask.specimen.packing import PackingError
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.placement import check_fits, place
from faket_dask.specimen.recipe import Fiducials, Recipe, Sheets, Species, Vesicles
from faket_dask.specimen.render import Block, render_block

__all__ = [
    "PHANTOMS",
    "Block",
    "Fiducials",
    "PackingError",
    "ParticleTable",
    "Recipe",
    "Sheets",
    "Species",
    "Vesicles",
    "check_fits",
    "place",
    "read_particles",
    "render_block",
]
