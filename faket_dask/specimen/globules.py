"""Globules: phantoms of a given mass, where no structure of a particle is at hand.

``globule:559kDa`` is a compact arrangement of smooth blobs as dense as protein, or as RNA and protein, that takes the
volume and has the potential of its mass at any voxel size. Its shape follows from the mass alone, has no symmetry, and
resembles no molecule.
"""

import re
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.composition import potential_per_dalton, solid_potential
from faket_dask.specimen.groups import draw_direction
from faket_dask.specimen.phantoms import choose_edge, sample_blobs
from faket_dask.specimen.template import OVERSAMPLING, Sampling, Template, centred_template, check_edge

SMALLEST_KDA, LARGEST_KDA = 5.0, 20_000.0

_NAME = re.compile(r"globule:(\d+(?:\.\d+)?)kDa")
_KDA_PER_BLOB = 18.0
_BLOBS = (4, 40)
_PROPOSALS = 2
"""Places of a further blob, of which that nearest to the others is taken: more make a rounder globule."""

_FILLED = 0.88
"""Share of molecule between the surfaces of blobs: structures have 2.2 to 2.6 V within their labels at 10 Å."""

_COARSE = 48
"""Points along the edge of the grid that the size of a globule is found on."""


def names_globule(source: str) -> bool:
    """Tell whether a source is written as a globule.

    Examples
    --------
    >>> names_globule("globule:559kDa"), names_globule("boot")
    (True, False)
    """
    return source.startswith("globule:")


def parse_mass(source: str) -> float:
    """Return the mass in dalton that a globule's name gives.

    Raises
    ------
    InputError
        If it gives none, or one that is no particle's.

    Examples
    --------
    >>> parse_mass("globule:559kDa")
    559000.0
    """
    match = _NAME.fullmatch(source)
    mass_kDa = float(match[1]) if match else 0.0
    if not SMALLEST_KDA <= mass_kDa <= LARGEST_KDA:
        raise InputError(
            f"'{source}' is no globule; write its mass, from {SMALLEST_KDA:g} to {LARGEST_KDA:g} kDa, as in "
            "globule:559kDa"
        )
    return 1000 * mass_kDa


def globule_template(
    source: str, voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED, rna_fraction: float = 0.0
) -> Template:
    """Make the template of a globule.

    Parameters
    ----------
    source
        Name with the mass, as in ``globule:559kDa``.
    voxel_size_A
        Edge of the specimen's voxels in Å; the template is sampled twice as finely.
    sampling
        Frequencies that the specimen's voxels keep.
    rna_fraction
        Share of RNA in the mass, 0 to 1.

    Raises
    ------
    InputError
        If the name gives no mass, or the grid is too large.

    Examples
    --------
    >>> template = globule_template("globule:100kDa", 10.0)
    >>> round(float(template.density.sum()) * template.voxel_size_A**3 / template.mass_Da, 2)
    4.1
    """
    mass_Da = parse_mass(source)
    potential_VA3 = mass_Da * potential_per_dalton(rna_fraction)
    edge_A = choose_edge(voxel_size_A)
    blobs = _scale(_draw_blobs(mass_Da), potential_VA3, _FILLED * solid_potential(rna_fraction), edge_A)
    fine_A = voxel_size_A / OVERSAMPLING
    size = 2 * (int(np.ceil((_measure_reach(blobs) * 1.15 + edge_A) / fine_A)) + 2)
    check_edge(source, size, fine_A)
    sample = partial(sample_blobs, spheres=blobs, size=size, voxel_size_A=fine_A, edge_A=edge_A)
    blobs[:, 4] *= potential_VA3 / (float(sample(np.zeros(3)).sum(dtype=np.float64)) * fine_A**3)
    return replace(centred_template(source, sample, fine_A, sampling), mass_Da=mass_Da)


def _draw_blobs(mass_Da: float) -> NDArray[np.float64]:
    """Draw blobs ``(n, 5)``, ``(x, y, z)``, radius and 1, each of which touches one before it."""
    rng = np.random.default_rng(round(mass_Da))
    blobs = np.zeros((int(np.clip(round(mass_Da / 1000 / _KDA_PER_BLOB), *_BLOBS)), 5))
    blobs[:, 3] = rng.uniform(0.75, 1.25, len(blobs))
    blobs[:, 4] = 1.0
    for index in range(1, len(blobs)):
        middle = blobs[:index, :3].mean(axis=0)
        proposals = []
        for _ in range(_PROPOSALS):
            other = blobs[rng.integers(index)]
            distance = 0.8 * (other[3] + blobs[index, 3])
            proposals.append(other[:3] + distance * draw_direction(rng))
        crowded = [
            np.linalg.norm(place - middle) - np.linalg.norm(blobs[:index, :3] - place, axis=1).min()
            for place in proposals
        ]
        blobs[index, :3] = proposals[int(np.argmin(crowded))]
    blobs[:, :3] -= np.average(blobs[:, :3], axis=0, weights=blobs[:, 3] ** 3)
    return blobs


def _scale(
    blobs: NDArray[np.float64], potential_VA3: float, solid_V: float, edge_A: float
) -> NDArray[np.float64]:
    """Return blobs in Å that are as dense as a solid, and have a potential together."""
    scaled = blobs.copy()
    scaled[:, 4] = solid_V
    scaled[:, :4] *= (potential_VA3 / solid_V / (4 / 3 * np.pi * (blobs[:, 3] ** 3).sum())) ** (1 / 3)
    for _ in range(4):
        spacing_A = 2 * (_measure_reach(scaled) + edge_A) / _COARSE
        coarse = sample_blobs(np.zeros(3), scaled, _COARSE, spacing_A, edge_A)
        total = float(coarse.sum(dtype=np.float64)) * spacing_A**3
        scaled[:, :4] *= (potential_VA3 / total) ** (1 / 3)
    return scaled


def _measure_reach(blobs: NDArray[np.float64]) -> float:
    return float((np.linalg.norm(blobs[:, :3], axis=1) + blobs[:, 3]).max())
