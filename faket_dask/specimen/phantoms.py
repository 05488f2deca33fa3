"""Phantoms: built-in particle classes that need no file.

Each is a rigid arrangement of smooth blobs with the contrast of protein in ice. None has a rotational or a
mirror symmetry, so that orientation and handedness can always be told from the density. The diameters of particles
differ clearly from one another; the subunits of filaments have the mass of the proteins that they stand for.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.composition import PROTEIN_V_A3_PER_DA
from faket_dask.specimen.template import OVERSAMPLING, Sampling, Template, centred_template, check_edge

_Blob = tuple[float, float, float, float, float]


def _ring(count: int, radius: float, z: float, blob_radius: float, volts: float) -> tuple[_Blob, ...]:
    angles = 2 * np.pi * np.arange(count) / count
    return tuple((radius * np.cos(a), radius * np.sin(a), z, blob_radius, volts) for a in angles)


# Diameter in Å, then blobs (x, y, z, radius, volts over ice); lengths in units that are scaled to the
# diameter.
PARTICLES: dict[str, tuple[float, tuple[_Blob, ...]]] = {
    "comma": (
        80.0,
        ((0, 0, 0, 12, 2.6), (9, 5, 2, 10, 2.3), (13, 15, 6, 8, 2.8), (-6, -8, 7, 8, 2.2)),
    ),
    "boot": (
        110.0,
        (
            (0, 0, 12, 10, 2.4),
            (0, 0, 0, 11, 2.7),
            (11, 2, -6, 10, 2.5),
            (21, 6, -9, 8, 2.9),
            (-6, 11, 8, 7, 2.3),
        ),
    ),
    "propeller": (
        140.0,
        (
            (0, 0, 0, 11, 2.8),
            (15, 0, 3, 10, 2.4),
            (-8, 14, -2, 9, 2.6),
            (-9, -15, 6, 8, 2.3),
            (0, 4, 13, 8, 2.9),
        ),
    ),
    "lantern": (
        180.0,
        (
            *_ring(6, 11.0, -9.0, 7.5, 2.5),
            *_ring(6, 11.0, 0.0, 7.5, 2.5),
            *_ring(6, 11.0, 9.0, 7.5, 2.5),
            (0, 0, 21, 10, 2.8),
            (13, 6, 23, 8, 2.4),
            (18, -8, -14, 7, 2.9),
        ),
    ),
    "anvil": (
        220.0,
        (
            (0, 0, -12, 14, 2.7),
            (0, 0, 4, 10, 2.4),
            (-14, 0, 14, 12, 2.6),
            (2, 3, 15, 11, 2.5),
            (17, 5, 13, 11, 2.8),
            (28, 13, 8, 8, 2.3),
        ),
    ),
    "two_lobes": (
        260.0,
        (
            (0, 0, 0, 20, 2.8),
            (14, 10, 6, 13, 2.9),
            (-5, 4, 26, 14, 2.5),
            (9, -9, 27, 10, 2.4),
            (-20, -8, 4, 9, 2.6),
            (6, 24, -4, 8, 2.3),
        ),
    ),
    "coil": (
        300.0,
        tuple(
            (16.0 * np.cos(0.55 * k), 16.0 * np.sin(0.55 * k), 4.2 * k - 34.0, 9.0 + 0.25 * k, 2.3 + 0.04 * k)
            for k in range(16)
        ),
    ),
}

_Lobe = tuple[float, float, float, float, float]

ACTIN_LIKE = "actin-like"
TUBULIN_LIKE = "tubulin-like"
ATP_SYNTHASE_LIKE = "atp-synthase-like"
TRANSPORTER_LIKE = "transporter-like"


def _tubulin_monomer(z: float, excess_kDa: float) -> tuple[_Lobe, ...]:
    return (
        (-19, 5, z - 5, 10.0, 13),
        (-13, -11, z + 6, 10.0, 13),
        (4, 11, z + 7, 10.5, 12),
        (9, -9, z - 6, 10.5, 12 - excess_kDa),
        (22, 3, z + 2, 8.5, 5 + excess_kDa),
    )


def _lobe_ring(count: int, radius: float, z: float, width: float, kDa: float) -> tuple[_Lobe, ...]:
    angles = 2 * np.pi * np.arange(count) / count
    return tuple((radius * np.cos(a), radius * np.sin(a), z, width, kDa) for a in angles)


# Lobes (x, y, z, standard deviation, kDa) in Å. Subunits of filaments: x points outward, z to the plus end. Membrane
# proteins: z = 0 is the middle of the bilayer, z points to the side of their larger part.
SUBUNITS: dict[str, tuple[_Lobe, ...]] = {
    # The four subdomains of actin by their residues: 1 and 2 outside, 3 and 4 near the axis, 2 and 4 to the minus end.
    ACTIN_LIKE: (
        (10, -6.5, 11.5, 10.0, 16.5),
        (9.5, -4.5, -16.5, 7.2, 4.3),
        (-7.5, 7, 12.5, 9.5, 11.6),
        (-8.5, 2.5, -12.5, 9.2, 9.6),
    ),
    # Two monomers of 55 kDa that differ little, 41 Å apart.
    TUBULIN_LIKE: (*_tubulin_monomer(-20.5, 0.0), *_tubulin_monomer(20.5, 1.5)),
    # Ring and arm in the membrane, two stalks, a head of unequal lobes 120 Å above and one beside it: 630 kDa.
    ATP_SYNTHASE_LIKE: (
        *_lobe_ring(8, 22, 0, 10.5, 14),
        (46, 6, 2, 11, 20),
        (40, -16, -6, 11, 16),
        *((0, 0, z, 9.5, 14) for z in (28, 46, 64, 82)),
        *((56 - 0.1 * z, 0, z, 9.5, 13) for z in (24, 44, 64, 84, 104, 124)),
        (48, 22, 128, 11, 24),
        (28, 0, 118, 13, 30),
        (14, 26, 126, 17, 84),
        (-14, 24, 118, 14.5, 44),
        (-28, 0, 124, 16.5, 72),
        (-14, -24, 117, 13, 26),
        (14, -24, 121, 16, 68),
    ),
    # Twelve helices' worth of protein in the membrane, and a domain of unequal lobes above: 150 kDa.
    TRANSPORTER_LIKE: (
        *_lobe_ring(5, 15, 0, 11.5, 15),
        (8, 4, 40, 12, 30),
        (-12, -8, 48, 10.5, 20),
        (18, -10, 56, 10, 17),
        (4, 16, -28, 8.5, 8),
    ),
}

PHANTOMS = (*PARTICLES, *SUBUNITS)
"""Names of all phantoms."""


def _scale_blobs(blobs: NDArray[np.float64], diameter: float) -> NDArray[np.float64]:
    spheres = blobs.copy()
    middle = (spheres[:, :3] * spheres[:, 3:4] ** 3).sum(axis=0) / (spheres[:, 3] ** 3).sum()
    spheres[:, :3] -= middle
    spheres[:, :4] *= 0.5 * diameter / (np.linalg.norm(spheres[:, :3], axis=1) + spheres[:, 3]).max()
    return spheres


def sample_blobs(
    offset_A: NDArray[np.float64], spheres: NDArray[np.float64], size: int, voxel_size_A: float, edge_A: float
) -> NDArray[np.float32]:
    """Sample the density of smooth blobs on a grid.

    Parameters
    ----------
    offset_A
        ``(x, y, z)`` in Å of the point that comes to the middle of the grid, voxel ``size // 2``.
    spheres
        ``(n, 5)``: ``(x, y, z)`` and radius in Å, and volts over ice, of each blob.
    size
        Voxels along each edge of the grid.
    voxel_size_A
        Edge of a voxel in Å.
    edge_A
        Width in Å over which a blob fades.

    Returns
    -------
    density
        ``(size, size, size)``, axes ``(z, y, x)``, volts over ice.
    """
    axis = (np.arange(size) - size // 2) * voxel_size_A
    vacancy = np.ones((size, size, size))
    weight = np.zeros_like(vacancy)
    potential = np.zeros_like(vacancy)
    for x, y, z, radius, volts in spheres:
        away = [axis + offset - middle for offset, middle in zip(offset_A[::-1], (z, y, x), strict=True)]
        # Only the part of the cube that the blob reaches is computed.
        near = tuple(_span(np.abs(distance) < radius + edge_A) for distance in away)
        dz, dy, dx = (distance[span] for distance, span in zip(away, near, strict=True))
        distance = np.sqrt((dx**2)[None, None, :] + (dy**2)[None, :, None] + (dz**2)[:, None, None])
        ramp = np.clip(0.5 + (radius - distance) / edge_A, 0.0, 1.0)
        inside = ramp * ramp * (3 - 2 * ramp)
        vacancy[near] *= 1 - inside
        weight[near] += inside
        potential[near] += volts * inside
    return ((1 - vacancy) * potential / np.maximum(weight, 1e-12)).astype(np.float32)


def _span(chosen: NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(chosen)
    return slice(places[0], places[-1] + 1) if places.size else slice(0)


def choose_edge(voxel_size_A: float) -> float:
    """Return the width in Å of a surface: as sharp as voxels allow, and never sharper than that of a protein.

    Examples
    --------
    >>> choose_edge(10.0), choose_edge(2.0)
    (15.0, 6.0)
    """
    return max(1.5 * voxel_size_A, 6.0)


def phantom_template(name: str, voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED) -> Template:
    """Make the template of a built-in phantom.

    Parameters
    ----------
    name
        One of :data:`PHANTOMS`.
    voxel_size_A
        Edge of the specimen's voxels in Å; the template is sampled twice as finely.
    sampling
        Frequencies that the specimen's voxels keep.

    Returns
    -------
    template
        Density in volts over ice, about the centroid of its labelled part.

    Examples
    --------
    >>> template = phantom_template("comma", 10.0)
    >>> template.voxel_size_A, template.density.ndim
    (5.0, 3)
    """
    if name in SUBUNITS:
        return _subunit_template(name, voxel_size_A, sampling)
    diameter, blobs = PARTICLES[name]
    return blob_template(name, np.array(blobs, dtype=np.float64), diameter, voxel_size_A, sampling)


def blob_template(
    name: str, blobs: NDArray[np.float64], diameter_A: float, voxel_size_A: float, sampling: Sampling
) -> Template:
    """Make the template of a rigid arrangement of smooth blobs.

    Parameters
    ----------
    name
        Name of the arrangement, for messages.
    blobs
        ``(n, 5)``: ``(x, y, z)`` and radius in any unit, and volts over ice, of each blob.
    diameter_A
        Diameter in Å that the arrangement is scaled to.
    voxel_size_A
        Edge of the specimen's voxels in Å.
    sampling
        Frequencies that the specimen's voxels keep.
    """
    spheres = _scale_blobs(blobs, diameter_A)
    return replace(_join_spheres(f"phantom '{name}'", spheres, diameter_A, voxel_size_A, sampling), name=name)


def sphere_template(
    name: str, spheres: NDArray[np.float64], voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED
) -> Template:
    """Make the template of overlapping spheres in a frame of their own, such as the beads of a coarse model.

    Parameters
    ----------
    name
        Name of the particle, for messages.
    spheres
        ``(n, 5)``: ``(x, y, z)`` and radius in Å, and volts over ice, of each sphere.
    voxel_size_A
        Edge of the specimen's voxels in Å.
    sampling
        Frequencies that the specimen's voxels keep.

    Raises
    ------
    InputError
        If they reach further than a template can.

    Examples
    --------
    >>> template = sphere_template("bead", np.array([[100.0, 0.0, 0.0, 30.0, 2.1]]), 10.0)
    >>> template.centre_A.round(3)
    array([100.,   0.,   0.])
    """
    middle = np.average(spheres[:, :3], axis=0, weights=spheres[:, 3] ** 3)
    moved = np.column_stack((spheres[:, :3] - middle, spheres[:, 3:]))
    diameter_A = 2 * float((np.linalg.norm(moved[:, :3], axis=1) + moved[:, 3]).max())
    template = _join_spheres(name, moved, diameter_A, voxel_size_A, sampling)
    return replace(template, centre_A=middle + template.centre_A)


def _join_spheres(
    name: str, spheres: NDArray[np.float64], diameter_A: float, voxel_size_A: float, sampling: Sampling
) -> Template:
    fine = voxel_size_A / OVERSAMPLING
    edge = choose_edge(voxel_size_A)
    reach = 0.5 * diameter_A * 1.15 + edge
    size = 2 * (int(np.ceil(reach / fine)) + 2)
    check_edge(name, size, fine)
    sample = partial(sample_blobs, spheres=spheres, size=size, voxel_size_A=fine, edge_A=edge)
    return centred_template(name, sample, fine, sampling)


def _subunit_template(name: str, voxel_size_A: float, sampling: Sampling) -> Template:
    lobes = np.array(SUBUNITS[name], dtype=np.float64)
    lobes[:, :3] -= np.average(lobes[:, :3], axis=0, weights=lobes[:, 4])
    lobes[:, 3] = np.hypot(lobes[:, 3], sampling.blur * voxel_size_A)
    fine = voxel_size_A / OVERSAMPLING
    reach = (np.linalg.norm(lobes[:, :3], axis=1) + 4.5 * lobes[:, 3]).max()
    size = 2 * (int(np.ceil(reach / fine)) + 2)
    check_edge(f"phantom '{name}'", size, fine)
    sample = partial(_sample_lobes, lobes=lobes, size=size, voxel_size_A=fine)
    return replace(centred_template(name, sample, fine, sampling), mass_Da=1000 * float(lobes[:, 4].sum()))


def _sample_lobes(
    offset_A: NDArray[np.float64], lobes: NDArray[np.float64], size: int, voxel_size_A: float
) -> NDArray[np.float32]:
    axis = (np.arange(size) - size // 2) * voxel_size_A
    density = np.zeros((size, size, size))
    for x, y, z, width, mass_kDa in lobes:
        gz, gy, gx = (
            np.exp(-0.5 * ((axis + offset - middle) / width) ** 2) / (np.sqrt(2 * np.pi) * width)
            for offset, middle in zip(offset_A[::-1], (z, y, x), strict=True)
        )
        density += 1000 * mass_kDa * PROTEIN_V_A3_PER_DA * gz[:, None, None] * gy[:, None] * gx
    return density.astype(np.float32)
