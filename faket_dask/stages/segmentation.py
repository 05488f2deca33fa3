"""Segmentation of a tomogram of any size: blocks with rims, standardised by the whole tomogram.

A block is read with a rim at each face, its scores in the rim are dropped, and outside of the tomogram there is its
mean. Blocks begin at multiples of the network's stride, whatever their size, so that pooled voxels are the same ones
in all: with a rim of at least the network's receptive field, the result does not depend on the size of the blocks.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import Moments
from faket_dask.methods.picker_networks import PICKER_NETWORKS

if TYPE_CHECKING:
    from torch import nn

Region = tuple[slice, slice, slice]

PIECE_LAYERS, PIECE_ROWS = 128, 64
"""Layers and rows whose moments are summed as one; chunks of a data set's tomograms."""

SCORE_SCALE = 255
"""Score that stands for the probability 1: a byte holds it to ±0.2 %, more than any threshold on it needs, and takes
half of float16, uncompressed, and less than that of the disk, since most voxels are 0 in most classes."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """Picker network with its weights and the names of its classes.

    Parameters
    ----------
    network
        Name of the picker network.
    width
        Factor of its number of channels.
    class_names
        Names by channel, ``"background"`` first.
    weights
        Arrays by key, as PyTorch names them.
    """

    network: str
    width: float
    class_names: tuple[str, ...]
    weights: Mapping[str, NDArray[np.float32]]

    @property
    def stride(self) -> int:
        """Number that sizes of inputs are multiples of."""
        return PICKER_NETWORKS.get(self.network).stride

    def __dask_tokenize__(self) -> str:
        return self.digest

    @cached_property
    def digest(self) -> str:
        """SHA-256 of network, width, classes and weights."""
        digest = hashlib.sha256(repr((self.network, self.width, self.class_names)).encode())
        for name, array in self.weights.items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def create(self, device: str) -> nn.Module:
        """Return the network on a device, for inference."""
        import torch

        kind = PICKER_NETWORKS.get(self.network)
        network = kind.create(len(self.class_names), self.width, np.random.default_rng(0))
        network.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in self.weights.items()})
        return network.eval().to(device)


@dataclass(frozen=True)
class Blocks:
    """Blocks of a tomogram, in the order of z, y and x.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)`` of the tomogram.
    kept
        Edge of the part of each block that is kept.
    rim
        Voxels at each face that are read and not kept, at least.
    stride
        Number that the first voxel and the size of what is read are multiples of.
    """

    shape: tuple[int, int, int]
    kept: int
    rim: int
    stride: int

    @property
    def grid(self) -> tuple[int, int, int]:
        """Number of blocks along each axis."""
        z, y, x = (-(-size // self.kept) for size in self.shape)
        return z, y, x

    def __len__(self) -> int:
        return math.prod(self.grid)

    def kept_region(self, index: int) -> Region:
        """Return the voxels whose scores a block gives.

        Examples
        --------
        >>> Blocks((8, 10, 10), kept=6, rim=3, stride=4).kept_region(3)
        (slice(0, 6, None), slice(6, 10, None), slice(6, 10, None))
        """
        place = np.unravel_index(index, self.grid)
        z, y, x = (
            slice(int(at) * self.kept, min((int(at) + 1) * self.kept, size))
            for at, size in zip(place, self.shape, strict=True)
        )
        return z, y, x

    def read_region(self, index: int) -> Region:
        """Return the voxels that a block is computed from; some may lie outside of the tomogram.

        Examples
        --------
        >>> Blocks((8, 10, 10), kept=6, rim=3, stride=4).read_region(3)
        (slice(-4, 12, None), slice(0, 16, None), slice(0, 16, None))
        """
        z, y, x = (
            slice(
                (part.start - self.rim) // self.stride * self.stride,
                -(-(part.stop + self.rim) // self.stride) * self.stride,
            )
            for part in self.kept_region(index)
        )
        return z, y, x

    def inner_region(self, index: int) -> Region:
        """Return the part of `read_region` that lies in the tomogram."""
        z, y, x = (
            slice(max(0, part.start), min(size, part.stop))
            for part, size in zip(self.read_region(index), self.shape, strict=True)
        )
        return z, y, x


class PieceMoments(NamedTuple):
    """Sums over a piece of a tomogram, which merge to those of the whole.

    Parameters
    ----------
    voxels
        Number of voxels.
    mean
        Their mean.
    squares
        Sum of the squares of their differences from it.
    """

    voxels: int
    mean: float
    squares: float


def list_pieces(shape: Sequence[int]) -> list[Region]:
    """List the pieces of a tomogram whose moments are measured one by one, always the same ones."""
    return [
        (slice(z, min(z + PIECE_LAYERS, shape[0])), slice(y, min(y + PIECE_ROWS, shape[1])), slice(0, shape[2]))
        for z, y in itertools.product(range(0, shape[0], PIECE_LAYERS), range(0, shape[1], PIECE_ROWS))
    ]  # fmt: skip


def measure_piece(values: NDArray[np.generic]) -> PieceMoments:
    """Measure a piece of a tomogram in float64.

    Raises
    ------
    ValueError
        If it holds NaN or infinity.
    """
    wide = np.asarray(values, dtype=np.float64)
    mean = float(wide.mean())
    if not np.isfinite(mean):
        raise ValueError("the tomogram holds NaN or infinity")
    return PieceMoments(wide.size, mean, float(np.square(wide - mean).sum()))


def merge_moments(pieces: Iterable[PieceMoments]) -> Moments:
    """Merge the moments of pieces, in their order, to those of the whole (Chan, Golub & LeVeque, 1979).

    Examples
    --------
    >>> merge_moments(measure_piece(part) for part in np.split(np.arange(8.0), 2))
    Moments(mean=3.5, std=2.29128784747792)
    """
    count, mean, squares = 0, 0.0, 0.0
    for piece in pieces:
        total = count + piece.voxels
        difference = piece.mean - mean
        mean += difference * piece.voxels / total
        squares += piece.squares + difference**2 * count * piece.voxels / total
        count = total
    return Moments(mean, math.sqrt(squares / count))


def standardise_block(
    values: NDArray[np.generic], blocks: Blocks, index: int, moments: Moments
) -> NDArray[np.float32]:
    """Return what the network sees of a block: the tomogram at mean 0 and standard deviation 1, and 0 outside.

    Parameters
    ----------
    values
        Voxels of `Blocks.inner_region`.
    blocks, index
        Block.
    moments
        Mean and standard deviation of the whole tomogram; without contrast all is 0.
    """
    read, inner = blocks.read_region(index), blocks.inner_region(index)
    block = np.zeros([part.stop - part.start for part in read], dtype=np.float32)
    place = tuple(
        slice(own.start - part.start, own.stop - part.start) for own, part in zip(inner, read, strict=True)
    )
    if moments.std > 0:
        block[place] = (np.asarray(values, dtype=np.float64) - moments.mean) / moments.std
    return block


def segment_block(
    trained: TrainedNetwork,
    values: NDArray[np.generic],
    blocks: Blocks,
    index: int,
    moments: Moments,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """Segment one block.

    Parameters
    ----------
    trained
        Network.
    values
        Voxels of `Blocks.inner_region`, in the unit of the tomogram.
    blocks, index
        Block.
    moments
        Mean and standard deviation of the whole tomogram.
    device
        PyTorch's name of the device.

    Returns
    -------
    scores
        ``(class, z, y, x)`` uint8 of `Blocks.kept_region`: probabilities times `SCORE_SCALE`.
    """
    import torch

    read, kept = blocks.read_region(index), blocks.kept_region(index)
    place = tuple(
        slice(own.start - part.start, own.stop - part.start) for own, part in zip(kept, read, strict=True)
    )
    block = torch.from_numpy(standardise_block(values, blocks, index, moments)).to(device)
    with torch.inference_mode():
        scores = _load_network(trained, device)(block[None, None])[0][(slice(None), *place)]
        shares = scores.float().softmax(dim=0)
        return (shares * SCORE_SCALE).round().to(torch.uint8).cpu().numpy()


_LOADED: dict[tuple[str, str], nn.Module] = {}
_LOADING = Lock()


def _load_network(trained: TrainedNetwork, device: str) -> nn.Module:
    """Return the network of the last call where it is the same one."""
    key = (trained.digest, device)
    with _LOADING:
        if key not in _LOADED:
            network = trained.create(device)
            _LOADED.clear()
            _LOADED[key] = network
        return _LOADED[key]
