"""Invaginations of an inner membrane, as the cristae of mitochondria are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.surfaces.closed import grid_spacing
from faket_dask.specimen.surfaces.surface import Surface, make_surface


class Cristae(NamedTuple):
    """Flat invaginations across the x axis of an organelle.

    Parameters
    ----------
    places_A
        ``(n,)`` places along x in Å.
    normals
        ``(n, 3)`` unit vectors across each, close to the x axis.
    directions
        ``(n, 3)`` unit vectors in the plane of each, towards the side that it comes from.
    depths_A
        ``(n,)`` distances in Å by which each reaches past the x axis; negative for those that end before it.
    width_A
        Distance in Å between the middles of both bilayers of a crista.
    """

    places_A: NDArray[np.float64]
    normals: NDArray[np.float64]
    directions: NDArray[np.float64]
    depths_A: NDArray[np.float64]
    width_A: float


def draw_cristae(
    half_length_A: float,
    half_breadth_A: float,
    width_A: float,
    spacing_A: float,
    rng: np.random.Generator,
) -> Cristae:
    """Draw cristae at a mean spacing along an organelle.

    Parameters
    ----------
    half_length_A, half_breadth_A
        Half of the inner membrane's length and breadth in Å.
    width_A
        Distance between the middles of both bilayers of a crista, in Å.
    spacing_A
        Distance between the middles of cristae in Å, more than twice `width_A`.
    rng
        Source of randomness.

    Examples
    --------
    >>> cristae = draw_cristae(2000.0, 800.0, 240.0, 600.0, np.random.default_rng(0))
    >>> len(cristae.places_A)
    5
    """
    count = max(0, int((2 * half_length_A - 1.5 * spacing_A) // spacing_A))
    slack = 0.5 * (spacing_A - 2 * width_A)
    places = (np.arange(count) - (count - 1) / 2) * spacing_A + rng.uniform(-0.5, 0.5, count) * slack
    # Neighbours stay apart although they are tilted: by less than the slack over the breadth.
    tilt = 0.5 * slack / half_breadth_A
    normals = np.column_stack((np.ones(count), rng.uniform(-tilt, tilt, (count, 2)) / np.sqrt(2)))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    angles = rng.uniform(0, 2 * np.pi, count)
    directions = np.column_stack((np.zeros(count), np.cos(angles), np.sin(angles)))
    directions -= (directions * normals).sum(axis=1, keepdims=True) * normals
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # A passage of twice the width is left beside each, which is shorter near the ends of the organelle.
    section = half_breadth_A * np.sqrt(np.maximum(0.0, 1 - (places / half_length_A) ** 2))
    depths = rng.uniform(-0.4, 1.0, count) * (section - 2 * width_A)
    wide = section > 2.5 * width_A
    return Cristae(places[wide], normals[wide], directions[wide], depths[wide], width_A)


def folded_membrane(outer: Surface, gap_A: float, cristae: Cristae) -> Surface:
    """Make an inner membrane at a distance from an outer one, folded inward at cristae.

    A crista is a flat sac that opens to the gap between both membranes along its rim; its inner edge is round, and its
    mouth rounded by the width of the sac.

    Parameters
    ----------
    outer
        Outer membrane.
    gap_A
        Distance between the middles of both bilayers, in Å.
    cristae
        Invaginations.

    Examples
    --------
    >>> from faket_dask.specimen.surfaces.closed import ellipsoid
    >>> cristae = draw_cristae(720.0, 440.0, 140.0, 400.0, np.random.default_rng(0))
    >>> outer = ellipsoid((900.0, 650.0, 620.0), 500.0)
    >>> folded = folded_membrane(outer, 180.0, cristae)
    >>> folded.area_A2 > 1.2 * outer.offset(-180.0).area_A2
    True
    """
    half = cristae.width_A / 2

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        grid = np.broadcast_arrays(x, y, z)
        points = np.stack([axis.ravel() for axis in grid], axis=1)
        boundary = (outer.distances(points) + gap_A).reshape(grid[0].shape)
        boundary = np.minimum(boundary, 1e4)
        sacs = np.full(grid[0].shape, 1e4)
        for place, normal, direction, depth in zip(
            cristae.places_A, cristae.normals, cristae.directions, cristae.depths_A, strict=True
        ):
            from_middle = x - place
            across = normal[0] * from_middle + normal[1] * y + normal[2] * z
            along = direction[0] * from_middle + direction[1] * y + direction[2] * z
            short = np.maximum(0.0, -along - depth)
            np.minimum(sacs, np.sqrt(across * across + short * short) - half, out=sacs)
        return _smooth_maximum(boundary, -sacs, cristae.width_A)

    lower, upper = outer.bounds_A
    extent = np.maximum(np.abs(lower), np.abs(upper)) - gap_A
    return make_surface(implicit, (extent[0], extent[1], extent[2]), 1.5 * grid_spacing(half))


def _smooth_maximum(
    first: NDArray[np.float64], second: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Return the larger of two functions, rounded where they are closer than a width."""
    share = np.maximum(0.0, 1 - np.abs(first - second) / width)
    return np.maximum(first, second) + share * share * (width / 4)
