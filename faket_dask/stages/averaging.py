"""Subtomogram averaging in steps: settings in voxels, boxes about particles, half-sets, and the search of a round."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.geometry.angles import parse_angles
from faket_dask.kernels.averaging.band import Band, choose_band
from faket_dask.kernels.averaging.pose_search import Poses, TurnableReference, search_all, search_near
from faket_dask.kernels.averaging.steps import list_shifts, list_turns
from faket_dask.kernels.averaging.wedge_sum import WedgeSum
from faket_dask.kernels.matching.rotations import LARGEST_STEP_DEG, SMALLEST_STEP_DEG, cover_rotations
from faket_dask.kernels.matching.turning import soft_sphere
from faket_dask.stages.matching import Contrast

LEAST_EDGE = 8
"""Voxels along a box below which there is nothing to align."""

LARGEST_EDGE = 256
"""Voxels along a box that are held in memory many times over."""

MASK_SHARE = 0.4
"""Radius of the mask over the edge of the box, unless one is given."""

SHIFT_SHARE = 1 / 12
"""Largest shift over the edge of the box, unless one is given."""

LEAST_PARTICLES = 20
"""Particles below which two half-sets say nothing."""


class HalfSet(Enum):
    """Halves of the particles, which never meet while they are aligned."""

    A = "half_a"
    B = "half_b"


@dataclass(frozen=True)
class AverageSettings:
    """Settings of an average that its result depends on.

    Parameters
    ----------
    box_A
        Edge of the boxes that are cut out, in Å.
    limit_A
        Finest detail in Å that the alignment may see; beyond it the agreement of averages is no artefact of it.
    tilt_angles
        Degrees of all tilts, or of the first and the last; none for a tomogram without missing wedge.
    radius_A
        Radius of the spherical mask about particle and reference in Å; by default 0.4 of the box.
    shift_A
        Largest shift of a particle off its pick in Å; by default a twelfth of the box, at least one voxel.
    step_deg
        Angle between neighbouring orientations of the search through all of them, in degrees.
    rounds
        Rounds of such searches.
    local_rounds
        Rounds of searches near the orientation found so far; each halves the step.
    contrast
        Grey value of what is dense.
    seed
        Seed of the half-sets and of the orientations of a start without features.

    Raises
    ------
    InputError
        If a number lies outside of its range.
    """

    box_A: float
    limit_A: float
    tilt_angles: tuple[float, ...] = ()
    radius_A: float | None = None
    shift_A: float | None = None
    step_deg: float = 20.0
    rounds: int = 6
    local_rounds: int = 3
    contrast: Contrast = Contrast.DARK
    seed: int = 0

    def __post_init__(self) -> None:
        lengths = {"box": self.box_A, "limit": self.limit_A, "radius": self.radius_A}
        for name, length in lengths.items():
            if length is not None and not (math.isfinite(length) and length > 0):
                raise InputError(f"the {name} of an average is {length:g} Å; it is a length above 0")
        if self.shift_A is not None and not (math.isfinite(self.shift_A) and self.shift_A >= 0):
            raise InputError(f"the largest shift is {self.shift_A:g} Å; it is 0 or more")
        if not SMALLEST_STEP_DEG <= self.step_deg <= LARGEST_STEP_DEG:
            raise InputError(
                f"the step between orientations is {self.step_deg:g}°; it lies between {SMALLEST_STEP_DEG:g}° and "
                f"{LARGEST_STEP_DEG:g}°"
            )
        for name, rounds in (("rounds", self.rounds), ("local rounds", self.local_rounds)):
            if not 0 <= rounds <= 100:
                raise InputError(f"{rounds} {name} cannot be done; give 0 to 100")
        if self.tilt_angles:
            parse_angles(self.tilt_angles)


@dataclass(frozen=True, eq=False)
class BoxAlignment:
    """Settings of an average in the voxels of a tomogram.

    Parameters
    ----------
    settings
        Settings.
    voxel_size_A
        Edge of a voxel in Å.

    Raises
    ------
    InputError
        If box, limit or mask do not suit these voxels.

    Examples
    --------
    >>> BoxAlignment(AverageSettings(box_A=400, limit_A=80), 20.0).edge
    20
    """

    settings: AverageSettings
    voxel_size_A: float

    def __post_init__(self) -> None:
        box, limit, voxel = self.settings.box_A, self.settings.limit_A, self.voxel_size_A
        if not LEAST_EDGE <= self.edge <= LARGEST_EDGE:
            raise InputError(
                f"a box of {box:g} Å has {self.edge} voxels of {voxel:g} Å along an edge; {LEAST_EDGE} to "
                f"{LARGEST_EDGE} are possible (--box-A)"
            )
        if not 2 * voxel <= limit <= box / 2:
            raise InputError(
                f"an alignment that sees {limit:g} Å and coarser needs voxels of at most {limit / 2:g} Å and a box of "
                f"at least {2 * limit:g} Å; they have {voxel:g} and {box:g} Å (--limit-A, --box-A)"
            )
        if not 2 <= self.radius <= self.edge / 2 - 0.5:
            raise InputError(
                f"a mask of {self.radius * voxel:g} Å radius does not fit a box of {box:g} Å, or holds less than two "
                "voxels (--radius-A, --box-A)"
            )
        if self.reach > self.edge / 4:
            raise InputError(
                f"shifts of {self.settings.shift_A:g} Å are more than a quarter of the box of {box:g} Å (--shift-A)"
            )

    @property
    def edge(self) -> int:
        """Voxels along an edge of a box, an even number that transforms fast."""
        edge = min(2 * LARGEST_EDGE, math.ceil(self.settings.box_A / self.voxel_size_A - 1e-6))
        while edge % 2 or scipy.fft.next_fast_len(edge, real=True) != edge:
            edge += 1
        return edge

    @property
    def limit(self) -> float:
        """Highest frequency that the alignment sees, in cycles per voxel."""
        return self.voxel_size_A / self.settings.limit_A

    @property
    def radius(self) -> float:
        """Radius of the mask in voxels."""
        radius_A = self.settings.radius_A
        return MASK_SHARE * self.edge if radius_A is None else radius_A / self.voxel_size_A

    @property
    def reach(self) -> float:
        """Largest shift in voxels."""
        shift_A = self.settings.shift_A
        return max(1.0, SHIFT_SHARE * self.edge) if shift_A is None else shift_A / self.voxel_size_A

    @cached_property
    def mask(self) -> NDArray[np.float32]:
        """Sphere ``(edge, edge, edge)`` about the middle of a box, with a soft edge."""
        return soft_sphere(self.edge // 2, self.radius)[: self.edge, : self.edge, : self.edge]

    @cached_property
    def band(self) -> Band:
        """Coefficients that particles are compared at."""
        return choose_band(self.edge, self.limit, self.settings.tilt_angles)

    @cached_property
    def rotations(self) -> NDArray[np.float64]:
        """``(r, 3, 3)`` orientations of a search through all of them."""
        return cover_rotations(self.settings.step_deg)

    def search(self, boxes: NDArray[np.float32], volume: NDArray[np.float32]) -> Poses:
        """Find the poses of particles relative to a reference among all orientations."""
        masked = boxes * self.mask
        reference = TurnableReference.prepare(volume, self.mask, self.band.whiten(masked))
        return search_all(masked, reference, self.rotations, list_shifts(self.reach))

    def refine(
        self, boxes: NDArray[np.float32], volume: NDArray[np.float32], poses: Poses, level: int
    ) -> Poses:
        """Find the poses of particles near given ones; the step is halved with each level from 1."""
        masked = boxes * self.mask
        reference = TurnableReference.prepare(volume, self.mask, self.band.whiten(masked))
        return _refine(masked, reference, poses, self.settings.step_deg, level)

    def superpose(self, volume: NDArray[np.float32], sums: WedgeSum, levels: int = 4) -> Poses:
        """Find the pose of an average relative to a volume, from what the alignment sees.

        Parameters
        ----------
        volume
            ``(edge, edge, edge)`` reference.
        sums
            Average, at the coefficients that it has measured.
        levels
            Refinements after the search through all orientations.
        """
        band = choose_band(self.edge, self.limit, measured=sums.measured)
        box = (sums.average() * self.mask)[None]
        reference = TurnableReference.prepare(volume, self.mask, band.whiten(box))
        poses = search_all(box, reference, self.rotations, list_shifts(max(self.reach, self.edge / 8)))
        for level in range(1, levels + 1):
            poses = _refine(box, reference, poses, self.settings.step_deg, level)
        return poses


def _refine(
    boxes: NDArray[np.float32], reference: TurnableReference, poses: Poses, step_deg: float, level: int
) -> Poses:
    shift = 0.5**level
    return search_near(
        boxes, reference, poses, list_turns(step_deg * 0.5**level), list_shifts(math.sqrt(2) * shift, shift)
    )


def split_halves(count: int, seed: int) -> dict[HalfSet, NDArray[np.intp]]:
    """Divide particles into two half-sets at random.

    Examples
    --------
    >>> halves = split_halves(5, seed=0)
    >>> [len(rows) for rows in halves.values()], sorted(np.concatenate(list(halves.values())).tolist())
    ([3, 2], [0, 1, 2, 3, 4])
    """
    order = np.random.default_rng([seed, 1]).permutation(count)
    middle = -(-count // 2)
    return {HalfSet.A: np.sort(order[:middle]), HalfSet.B: np.sort(order[middle:])}


def cut_box(
    read: Callable[[tuple[slice, ...]], NDArray[np.float32]],
    voxel: NDArray[np.intp],
    edge: int,
    contrast: Contrast,
) -> NDArray[np.float32]:
    """Cut a box out of a tomogram, with a mean of 0 and a standard deviation of 1, what is dense positive.

    Parameters
    ----------
    read
        Reads a region ``(z, y, x)`` of the tomogram.
    voxel
        ``(z, y, x)`` of its middle, voxel ``edge // 2`` of the box.
    edge
        Voxels along an edge.
    contrast
        Grey value of what is dense in the tomogram.

    Raises
    ------
    InputError
        If the tomogram holds NaN or infinity there.
    """
    starts = [int(at) - edge // 2 for at in voxel]
    values = read(tuple(slice(start, start + edge) for start in starts)).astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            f"the tomogram holds NaN or infinity near voxel {voxel.tolist()} (z, y, x); replace it, for example by the "
            "mean"
        )
    values -= values.mean()
    spread = values.std()
    return (contrast.sign * (values / spread if spread > 0 else values)).astype(np.float32)


def is_whole(voxels: NDArray[np.intp], edge: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell which boxes lie within a tomogram.

    Examples
    --------
    >>> is_whole(np.array([[4, 4, 4], [3, 4, 4], [4, 4, 6]]), 8, (8, 8, 10))
    array([ True, False,  True])
    """
    starts = voxels - edge // 2
    return np.asarray(((starts >= 0) & (starts + edge <= np.array(shape))).all(axis=1))


def compose_poses(poses: Poses, between: Poses) -> Poses:
    """Return poses relative to another reference.

    Parameters
    ----------
    poses
        Poses of particles relative to a first reference.
    between
        Pose of that first reference relative to the other one, a single one.
    """
    rotation, shift = between.rotation[0], between.shift[0]
    return Poses(poses.rotation @ rotation, poses.shift + poses.rotation @ shift, poses.score)
