"""Judges that tell a synthetic from a recorded tomogram: by ring powers, by shapes, and by a small 3-D network.

Tilts whose statistics agree may make tomograms that differ, since a tomogram shows what its tilts have in common. The
second and the third judge see whitened patches, in which ring powers are all alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.similarity.discrimination import Discrimination, discriminate
from faket_dask.kernels.similarity.tomogram_patches import (
    PATCH_PX,
    Patches,
    cut_patches,
    measure_ring_powers,
    measure_shapes,
    whiten_patches,
    whiten_tomogram,
)

NETWORK_PATCH = (16, 32)
"""Voxels of the network's patches along z, and along y and x."""

_INSET_PX = 8
"""Voxels at the sides of a whitened tomogram that its edges reach."""


def judge_ring_powers(
    ours: NDArray[np.generic],
    theirs: NDArray[np.generic],
    valid_mask: NDArray[np.bool_] | None = None,
    *,
    our_valid_mask: NDArray[np.bool_] | None = None,
    size: int = PATCH_PX,
) -> Discrimination:
    """Tell two tomograms apart by a linear discriminant on the ring powers of their patches.

    Parameters
    ----------
    ours, theirs
        ``(z, y, x)`` of a synthetic and of a recorded tomogram of one voxel size, reconstructed alike, in any unit.
    valid_mask, our_valid_mask
        Masks of either for `faket_dask.kernels.similarity.tomogram_patches.cut_patches`.
    size
        Side of a patch in voxels.

    Raises
    ------
    ValueError
        If a tomogram is too small: two patches are needed in a quarter of the recorded one.
    """
    sets = [
        cut_patches(tomogram, size, valid_mask=mask)
        for tomogram, mask in ((ours, our_valid_mask), (theirs, valid_mask))
    ]
    return _discriminate(sets, [measure_ring_powers(patches.values) for patches in sets])


def judge_shapes(
    ours: NDArray[np.generic],
    theirs: NDArray[np.generic],
    valid_mask: NDArray[np.bool_] | None = None,
    *,
    our_valid_mask: NDArray[np.bool_] | None = None,
    size: int = PATCH_PX,
) -> Discrimination:
    """Tell two tomograms apart by skewness, kurtosis and dark blobs of whitened patches; as `judge_ring_powers`."""
    sets = list(_cut_white((ours, our_valid_mask), (theirs, valid_mask), size, 1, 2))
    return _discriminate(sets, [measure_shapes(patches.values) for patches in sets])


def judge_by_network(
    ours: NDArray[np.generic],
    theirs: NDArray[np.generic],
    valid_mask: NDArray[np.bool_] | None = None,
    *,
    our_valid_mask: NDArray[np.bool_] | None = None,
    seeds: Sequence[int] = (0, 1),
    steps: int = 120,
) -> list[Discrimination]:
    """Tell two tomograms apart by a small 3-D network on whitened patches, once for each seed; as `judge_ring_powers`.

    Half a minute a seed for two tomograms of 64 × 256 × 256 voxels on one thread.
    """
    from faket_dask.kernels.similarity.patch_network import PatchNetwork

    depth, size = NETWORK_PATCH
    sets = list(_cut_white((ours, our_valid_mask), (theirs, valid_mask), size, depth, depth // 2))
    verdicts = []
    for seed in seeds:
        first, second = sets
        verdicts.append(
            discriminate(
                first.values,
                first.rows,
                second.values,
                second.rows,
                second.columns,
                PatchNetwork(seed, steps),
            )
        )
    return verdicts


def _cut_white(
    ours: tuple[NDArray[np.generic], NDArray[np.bool_] | None],
    theirs: tuple[NDArray[np.generic], NDArray[np.bool_] | None],
    size: int,
    depth: int,
    layer_step: int,
) -> Iterator[Patches]:
    for tomogram, mask in (ours, theirs):
        patches = cut_patches(
            whiten_tomogram(tomogram),
            size,
            depth=depth,
            layer_step=layer_step,
            valid_mask=mask,
            inset=_INSET_PX if min(tomogram.shape[1:]) % size >= 2 * _INSET_PX else 0,
        )
        yield Patches(whiten_patches(patches.values), patches.rows, patches.columns)


def _discriminate(sets: Sequence[Patches], features: Sequence[NDArray[np.float64]]) -> Discrimination:
    ours, theirs = sets
    return discriminate(features[0], ours.rows, features[1], theirs.rows, theirs.columns)
