"""Density of the particle that is searched for, by the name of its source."""

from __future__ import annotations

from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.mrc_header import read_header
from faket_dask.geometry.pixel_size import PIXEL_SIZE_TOLERANCE
from faket_dask.specimen.source_names import SourceKind, check_source, locate_source, names_phantom
from faket_dask.specimen.sources import load_source
from faket_dask.specimen.template import Sampling, Template
from faket_dask.structures import names_entry

MEAN_POTENTIAL_V = 2.5
"""Potential that density maps are scaled to, which scores do not depend on."""


def resolve_source(source: str) -> str:
    """Return the name of a source, absolute if it is a file.

    Raises
    ------
    InputError
        If it is neither a phantom nor an entry of an archive nor a file that exists.

    Examples
    --------
    >>> resolve_source("boot")
    'boot'
    """
    check_source(source, "the template")
    return source if names_phantom(source) or names_entry(source) else str(Path(source).resolve())


def load_search_template(source: str, voxel_size_A: float) -> Template:
    """Load the density of a particle for a tomogram with voxels of a size.

    Structures are built for these voxels, maps are resampled. A map with larger voxels lacks what the tomogram shows.

    Parameters
    ----------
    source
        Phantom, entry of a public archive, or file, as `resolve_source` returns it.
    voxel_size_A
        Edge of the tomogram's voxels in Å.

    Raises
    ------
    InputError
        If the file cannot be used, or is a map with voxels larger than the tomogram's.

    Examples
    --------
    >>> load_search_template("boot", 20.0).name
    'boot'
    """
    path = locate_source(source)
    if path is not None and check_source(source, "the template") is SourceKind.MAP:
        edge_A = float(read_header(path).edges_A[0])
        if edge_A > voxel_size_A * (1 + PIXEL_SIZE_TOLERANCE):
            raise InputError(
                f"the template {path} has voxels of {edge_A:g} Å, and the tomogram smaller ones of {voxel_size_A:g} Å; "
                f"take a map with voxels of {voxel_size_A:g} Å or less, or bin the tomogram"
            )
    return load_source(source, voxel_size_A, Sampling.AVERAGED, mean_potential_V=MEAN_POTENTIAL_V)
