"""State dicts of VGG-19's convolutions: reading from files, checks, checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError

StateDict = dict[str, NDArray[np.float32]]
"""``"<layer>.weight"`` (out, in, 3, 3) and ``"<layer>.bias"`` (out,) of the 13 convolutions, ``"0.weight"`` to
``"28.bias"``, numbered as in torchvision's ``vgg19().features``."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights that are ready for use.

    Parameters
    ----------
    state_dict
        Arrays for `faket_dask.kernels.vgg.VGG19`.
    checksum
        SHA-256 of the numbers, from `compute_checksum`.
    """

    state_dict: StateDict
    checksum: str


def compute_checksum(state_dict: StateDict) -> str:
    """Return the SHA-256 over weight and bias of each convolution, in order of layers, as little-endian float32.

    The same numbers have the same checksum, whatever kind of file they come from.
    """
    from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE

    digest = hashlib.sha256()
    for layer in VGG19_ARCHITECTURE.convolutions:
        for kind in ("weight", "bias"):
            digest.update(np.ascontiguousarray(state_dict[f"{layer}.{kind}"], dtype="<f4").data)
    return digest.hexdigest()


def read_state_dict(path: Path) -> StateDict:
    """Read the state dict of a VGG-19 from a file of the user.

    Parameters
    ----------
    path
        ``.npz`` with one array per key, or anything else as saved by ``torch.save``. Keys may have the prefix
        ``features.``; later layers are ignored.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read, or is not the state dict of a VGG-19.
    """
    if not path.is_file():
        raise InputError(f"no file of weights {path}; check the path")
    return extract_convolutions(
        read_arrays(path) if path.suffix == ".npz" else read_torch(path, str(path)), str(path)
    )


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read all arrays of a ``.npz`` file, by key.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # what a damaged file makes NumPy raise is not documented
        raise InputError(
            f"{path} cannot be read as a .npz file ({_brief(error)}); it may be damaged"
        ) from None


def read_torch(source: Path | IO[bytes], what: str) -> dict[str, NDArray[np.float32]]:
    """Read all floating-point tensors of a state dict saved by ``torch.save``, by key, as float32.

    Only tensors are unpickled: a file that asks for code to be run is refused.

    Parameters
    ----------
    source
        Path or open file.
    what
        Name of the source in messages.

    Raises
    ------
    InputError
        If it cannot be read, or does not hold a state dict.
    """
    import torch

    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file makes the unpickler raise is not documented
        raise InputError(
            f"{what} cannot be read as a state dict of PyTorch ({_brief(error)}); it is damaged, or was saved as a "
            "whole model: save `model.state_dict()`"
        ) from None
    if not isinstance(loaded, Mapping):
        raise InputError(f"{what} holds a {type(loaded).__name__}; a state dict is expected")
    return {
        str(key): value.detach().to(torch.float32).numpy()
        for key, value in loaded.items()
        if isinstance(value, torch.Tensor) and value.layout == torch.strided and value.is_floating_point()
    }


def extract_convolutions(arrays: Mapping[str, NDArray[np.generic]], what: str) -> StateDict:
    """Return the 13 convolutions among arrays that may be more.

    Parameters
    ----------
    arrays
        Arrays by key, with or without the prefix ``features.``.
    what
        Origin of the arrays in messages.

    Raises
    ------
    InputError
        If one is missing, has another shape than VGG-19's, or holds NaN or infinite values.
    """
    from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE

    prefix = "features." if any(key.startswith("features.") for key in arrays) else ""
    convolutions: StateDict = {}
    for layer, (inputs, outputs) in VGG19_ARCHITECTURE.convolutions.items():
        for kind, shape in (("weight", (outputs, inputs, 3, 3)), ("bias", (outputs,))):
            key = f"{layer}.{kind}"
            array = arrays.get(prefix + key)
            if array is None or array.dtype.kind != "f":
                raise InputError(
                    f"{what} has no floating-point {prefix + key!r}: it is not the state dict of a VGG-19 "
                    "(without batch normalisation) in torchvision's layout"
                )
            if array.shape != shape:
                raise InputError(
                    f"{what}: {prefix + key!r} has the shape {array.shape}, that of VGG-19 is {shape}"
                )
            if not np.abs(array).max() <= np.finfo(np.float32).max:
                raise InputError(
                    f"{what}: {prefix + key!r} holds NaN, or values that are infinite in float32; save it anew"
                )
            convolutions[key] = np.ascontiguousarray(array, dtype=np.float32)
    return convolutions


def _brief(error: Exception) -> str:
    """Return the first sentence of an error's message; PyTorch's go on with advice to load unsafely."""
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0][:120].rstrip(".") if lines else type(error).__name__
