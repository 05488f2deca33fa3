"""Kinds of membranes, each a section of the run file."""

from faket_dask.specimen.membranes.kinds.cisterna import Cisterna
from faket_dask.specimen.membranes.kinds.double import DoubleMembraneGroup
from faket_dask.specimen.membranes.kinds.ellipsoid import Ellipsoid
from faket_dask.specimen.membranes.kinds.free_form import FreeForm
from faket_dask.specimen.membranes.kinds.mitochondrion import Mitochondrion
from faket_dask.specimen.membranes.kinds.sheet import Sheet
from faket_dask.specimen.membranes.kinds.torus import Torus
from faket_dask.specimen.membranes.kinds.tubule import Tubule
from faket_dask.specimen.membranes.kinds.vesicle import Vesicle

KINDS = (Vesicle, Ellipsoid, Torus, Tubule, Cisterna, FreeForm, Mitochondrion, Sheet)
"""All kinds, in the order in which they are documented."""

__all__ = [
    "KINDS",
    "Cisterna",
    "DoubleMembraneGroup",
    "Ellipsoid",
    "FreeForm",
    "Mitochondrion",
    "Sheet",
    "Torus",
    "Tubule",
    "Vesicle",
]
