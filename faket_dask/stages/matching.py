"""Template matching of one block: template, orientations and blocks as settings ask for them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.geometry.angles import parse_angles
from faket_dask.kernels.matching.correlation import BestMatch, correlate_block
from faket_dask.kernels.matching.null_template import Null, null_template
from faket_dask.kernels.matching.rotations import LARGEST_STEP_DEG, SMALLEST_STEP_DEG, cover_rotations
from faket_dask.kernels.matching.template_filter import mean_transfer, sampled_frequencies
from faket_dask.kernels.matching.turning import TurnableTemplate
from faket_dask.kernels.optics import Optics
from faket_dask.specimen.template import Template

MASK_MARGIN_PX = 1.0
"""Voxels by which the mask reaches beyond the particle."""

LEAST_RADIUS_PX = 1.5
"""Radius of a particle in voxels below which its orientation and shape are lost."""

LEAST_TRANSFORM_EDGE = 192
"""Voxels along the transform of a block: shorter ones consist of margins, longer ones are not faster."""


ORIENTATIONS_PER_GROUP = 2000
"""Orientations that are tried in one unit: their scores take space on disk until all groups are done."""


class Contrast(Enum):
    """Grey value of what is dense.

    Examples
    --------
    >>> Contrast("dark").sign
    -1
    """

    DARK = "dark"
    BRIGHT = "bright"

    @property
    def sign(self) -> int:
        """Sign of the grey value of what is denser than ice."""
        return -1 if self is Contrast.DARK else 1


@dataclass(frozen=True)
class MatchSettings:
    """Settings of a search that its scores depend on.

    Parameters
    ----------
    tilt_angles
        Degrees of all tilts, or of the first and the last; none for a tomogram without missing wedge.
    step_deg
        Angle between neighbouring orientations in degrees.
    contrast
        Grey value of what is dense.
    defocus_um
        Mean defocus of the tilts in µm, underfocus positive; ``None`` to leave contrast transfer out.
    phase_flipped
        True for tomograms of tilts whose phases were flipped.
    optics
        Microscope, for the contrast transfer.

    Raises
    ------
    InputError
        If a number lies outside of its range.
    """

    tilt_angles: tuple[float, ...] = ()
    step_deg: float = 10.0
    contrast: Contrast = Contrast.DARK
    defocus_um: float | None = None
    phase_flipped: bool = False
    optics: Optics = field(default_factory=Optics)

    def __post_init__(self) -> None:
        if not SMALLEST_STEP_DEG <= self.step_deg <= LARGEST_STEP_DEG:
            raise InputError(
                f"the step between orientations is {self.step_deg:g}°; it lies between {SMALLEST_STEP_DEG:g}° and "
                f"{LARGEST_STEP_DEG:g}°"
            )
        if self.tilt_angles:
            parse_angles(self.tilt_angles)
        if self.phase_flipped and self.defocus_um is None:
            raise InputError("flipped phases are those of a contrast transfer: give the defocus, too")
        if self.defocus_um is not None and not 0 < abs(self.defocus_um) <= 100:
            raise InputError(f"the defocus is {self.defocus_um:g} µm; it is not 0, and at most 100 µm")

    @cached_property
    def rotations(self) -> NDArray[np.float64]:
        """``(n, 3, 3)`` orientations that are tried, particle to specimen."""
        return cover_rotations(self.step_deg)


def prepare_template(
    template: Template, voxel_size_A: float, settings: MatchSettings, null: Null | None = None
) -> TurnableTemplate:
    """Prepare a particle's density for a search.

    Parameters
    ----------
    template
        Density of the particle, made for these voxels.
    voxel_size_A
        Edge of the tomogram's voxels in Å.
    settings
        Settings of the search.
    null
        Kind of a null search; ``None`` for the particle itself.

    Raises
    ------
    InputError
        If the particle is too small for these voxels.
    """
    size = template.radius_A / voxel_size_A
    if size < LEAST_RADIUS_PX:
        raise InputError(
            f"{template.name} has a radius of {template.radius_A:.0f} Å, less than {LEAST_RADIUS_PX:g} voxels of "
            f"{voxel_size_A:g} Å; take a tomogram with smaller voxels"
        )
    density = template.density if null is None else null_template(template.density, null)
    radius = size + MASK_MARGIN_PX
    reach = math.ceil(radius + 0.5)
    edge = 2 * reach + 1
    transfer: NDArray[np.floating] | None = None
    if settings.tilt_angles or settings.defocus_um is not None:
        edge = scipy.fft.next_fast_len(3 * reach + 1, real=True)
        transfer = np.ones((edge, edge, edge // 2 + 1))
        if settings.tilt_angles:
            transfer *= sampled_frequencies(edge, settings.tilt_angles)
        if settings.defocus_um is not None:
            transfer *= mean_transfer(
                edge,
                voxel_size_A,
                settings.optics,
                settings.defocus_um,
                phase_flipped=settings.phase_flipped,
            )
        transfer = transfer.astype(np.float32)
    return TurnableTemplate(
        density=settings.contrast.sign * density,
        oversampling=voxel_size_A / template.voxel_size_A,
        radius=radius,
        transfer=transfer,
        edge=edge,
    )


@dataclass(frozen=True)
class MatchBlocks:
    """Blocks of a tomogram that are searched one at a time.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)`` of the tomogram.
    reach
        Voxels of the margin that a block is compared with beyond its faces.

    Examples
    --------
    >>> blocks = MatchBlocks((60, 300, 192), reach=10)
    >>> blocks.block_shape, len(blocks), blocks.region(1)
    ((60, 172, 172), 4, (slice(0, 60, None), slice(0, 172, None), slice(172, 192, None)))
    """

    shape: tuple[int, int, int]
    reach: int

    @property
    def block_shape(self) -> tuple[int, ...]:
        """Voxels of a block; those at the far sides may have fewer."""
        edge = max(LEAST_TRANSFORM_EDGE, 6 * self.reach) - 2 * self.reach
        return tuple(min(size, edge) for size in self.shape)

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of blocks along each axis."""
        return tuple(-(-size // edge) for size, edge in zip(self.shape, self.block_shape, strict=True))

    def __len__(self) -> int:
        return math.prod(self.grid)

    def __iter__(self) -> Iterator[tuple[slice, ...]]:
        return map(self.region, range(len(self)))

    def region(self, index: int) -> tuple[slice, slice, slice]:
        """Return the voxels of a block, without its margin."""
        place = np.unravel_index(index, self.grid)
        layers, rows, columns = (
            slice(int(at) * edge, min((int(at) + 1) * edge, size))
            for at, edge, size in zip(place, self.block_shape, self.shape, strict=True)
        )
        return layers, rows, columns

    def clip(self, index: int) -> tuple[slice, ...]:
        """Return the voxels of the tomogram in a block and its margin."""
        return tuple(
            slice(max(0, at.start - self.reach), min(size, at.stop + self.reach))
            for at, size in zip(self.region(index), self.shape, strict=True)
        )

    def extend(self, index: int, clipped: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return a block with its whole margin, mirrored where it lies outside of the tomogram.

        Parameters
        ----------
        index
            Number of the block.
        clipped
            Voxels of `clip`.
        """
        pairs = zip(self.region(index), self.clip(index), strict=True)
        missing = [
            (self.reach - (at.start - kept.start), self.reach - (kept.stop - at.stop)) for at, kept in pairs
        ]
        return np.pad(np.asarray(clipped, dtype=np.float32), missing, mode="symmetric")


def group_orientations(count: int) -> list[slice]:
    """Divide orientations into groups of about equal size.

    Examples
    --------
    >>> group_orientations(4401)
    [slice(0, 1467, None), slice(1467, 2934, None), slice(2934, 4401, None)]
    """
    groups = -(-count // ORIENTATIONS_PER_GROUP)
    ends = [count * number // groups for number in range(groups + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(ends)]


def match_group(
    block: NDArray[np.float32], template: TurnableTemplate, settings: MatchSettings, group: int, device: str
) -> BestMatch:
    """Compare a block, its margin included, with a template in one group of orientations."""
    orientations = group_orientations(len(settings.rotations))[group]
    try:
        return correlate_block(
            block, template, settings.rotations[orientations], orientations.start, device=device
        )
    except ValueError as error:
        raise InputError(f"the tomogram cannot be searched: {error}") from None


def merge_groups(groups: Sequence[BestMatch]) -> BestMatch:
    """Return the best match of all groups; of equal scores, that of the first group."""
    scores = np.stack([group.score for group in groups])
    chosen = scores.argmax(axis=0)[None]
    orientations = np.stack([group.orientation for group in groups])
    return BestMatch(
        np.take_along_axis(scores, chosen, 0)[0],
        np.take_along_axis(orientations, chosen, 0)[0],
        np.maximum.reduce([group.opposite for group in groups]),
    )
