"""Physics-based images of a specimen: the `benchmark` modality and simulated references."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.displacement import STILL, Displacement
from faket_dask.kernels.exit_wave import Layer
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.gold import Beads, Gold, project_beads
from faket_dask.kernels.microscope import Microscope, simulate_layers
from faket_dask.kernels.sensor_faults import SensorFaults
from faket_dask.kernels.slices import divide_depth, project_slices

BlockReader = Callable[[], Iterable[tuple[slice, NDArray[np.float32]]]]
"""Function that iterates over blocks of a volume: its rows, and its densities ``(z, y, x)`` in volts."""

STACK_BYTES = 512 * 2**20
"""Most bytes of projected slices that are held at once; the volume is read again for the others."""


@dataclass(frozen=True, eq=False)
class Contents:
    """Parts of a specimen that radiation does not damage.

    Parameters
    ----------
    beads
        Gold beads, if there are any.
    ice_deviation_V
        Standard deviation of the ice's texture in a voxel, in volts.
    ice_layers
        Layers of voxels that have it.
    """

    beads: Beads | None = None
    ice_deviation_V: float = 0.0
    ice_layers: int = 0


NOTHING_ELSE = Contents()
"""Contents of a specimen in which radiation damages everything."""


@dataclass(frozen=True, eq=False)
class Slab:
    """Volume of a specimen that is simulated in slices.

    Parameters
    ----------
    depth
        Layers of voxels.
    layers_per_slice
        Layers of voxels of a slice.
    read_blocks
        Function that reads the volume block by block.
    """

    depth: int
    layers_per_slice: int
    read_blocks: BlockReader


def simulate_counts(
    noiseless: NDArray[np.float32],
    pixel_size_A: float,
    microscope: Microscope,
    exposure: Exposure,
    rng: np.random.Generator,
    *,
    contents: Contents = NOTHING_ELSE,
    displacement: Displacement = STILL,
    faults: SensorFaults | None = None,
    slab: Slab | None = None,
) -> NDArray[np.float32]:
    """Return the electron counts, ``(y, x)``, recorded of a tilt whose noiseless projection is known.

    Parameters
    ----------
    noiseless
        ``(y, x)`` negated ray sums of the potential, in volts x voxels.
    pixel_size_A, microscope, exposure, rng, displacement, faults
        As in `faket_dask.kernels.microscope.simulate_layers`.
    contents
        Gold and ice of the specimen.
    slab
        Volume, where it is simulated in slices.
    """
    potential = np.multiply(noiseless, np.float32(-pixel_size_A), dtype=np.float32)
    shape = (noiseless.shape[0], noiseless.shape[1])
    make = partial(_make_layer, shape, pixel_size_A, exposure, contents, displacement)
    layers: Iterable[Layer]
    if slab is None:
        layers = [make(potential, layer_count=contents.ice_layers)]
    else:
        layers = _slice(potential, pixel_size_A, exposure.tilt_angle, slab, make)
    return simulate_layers(layers, shape, pixel_size_A, microscope, exposure, rng, displacement, faults)


def _make_layer(
    shape: tuple[int, int],
    pixel_size_A: float,
    exposure: Exposure,
    contents: Contents,
    displacement: Displacement,
    potential: NDArray[np.float32],
    layer_count: int,
    height_A: float = 0.0,
    bounds_A: tuple[float, float] = (-math.inf, math.inf),
) -> Layer:
    gold: Gold | None = None
    if contents.beads is not None:
        gold = project_beads(
            contents.beads,
            shape,
            pixel_size_A,
            exposure.tilt_angle,
            shift_A=displacement.shift_A,
            layer_A=bounds_A,
        )
    path_px = layer_count / math.cos(math.radians(exposure.tilt_angle))
    ice_deviation = contents.ice_deviation_V * pixel_size_A * math.sqrt(path_px)
    return Layer(potential, height_A, gold, ice_deviation)


def _slice(
    potential: NDArray[np.float32],
    pixel_size_A: float,
    tilt_angle: float,
    slab: Slab,
    make: Callable[..., Layer],
) -> Iterator[Layer]:
    """Iterate over slices from the side of the source; the middle one takes what their sum lacks of the projection."""
    slices = divide_depth(slab.depth, slab.layers_per_slice)
    held = max(1, STACK_BYTES // potential.nbytes)
    cosine = math.cos(math.radians(tilt_angle))
    missing = potential.copy()
    for first in range(0, len(slices), held):
        group = slices[first : first + held]
        stack = np.empty((len(group), *potential.shape), dtype=np.float32)
        for rows, block in slab.read_blocks():
            projected = project_slices(block, slices if first == 0 else group, tilt_angle, potential.shape[1])
            projected *= np.float32(pixel_size_A)
            stack[:, rows] = projected[: len(group)]
            if first == 0:
                missing[rows] -= projected.sum(0)
        for number, (low, high) in enumerate(group, start=first):
            own = stack[number - first]
            if number == len(slices) // 2:
                own += missing
            middle, bottom, top = (
                (z - slab.depth // 2) * pixel_size_A for z in ((low + high - 1) / 2, low - 0.5, high - 0.5)
            )
            yield make(own, layer_count=high - low, height_A=middle / cosine, bounds_A=(bottom, top))
