"""Weights of VGG-19 from torchvision, trained on ImageNet: those of the published method."""

from __future__ import annotations

import os
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from faket_dask.errors import InputError
from faket_dask.user_cache import hash_file
from faket_dask.weights.state_dict import StateDict, extract_convolutions, read_torch

NAME = "vgg19-imagenet1k-v1"
FILE = "vgg19-dcbb9e9d.pth"
SHA256_PREFIX = "dcbb9e9d"
"""Beginning of the checksum, which torchvision publishes in the file's name."""


def download(folder: Path) -> Path:
    """Find the file where PyTorch keeps its downloads, or download it from torchvision's address.

    Parameters
    ----------
    folder
        Folder to download to.

    Raises
    ------
    InputError
        If it cannot be downloaded.
    """
    import torch.hub
    from torchvision.models import VGG19_Weights

    here = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if here.is_file():
        return here
    url = VGG19_Weights.IMAGENET1K_V1.url
    target = folder / FILE
    try:
        torch.hub.download_url_to_file(url, os.fspath(target))
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise InputError(
            f"{url} cannot be reached ({getattr(error, 'reason', error)}): download it where it can, copy it here, "
            f"and `faket-dask weights import {FILE} {NAME}`"
        ) from None
    return target


def read(path: Path) -> StateDict:
    """Read the published file.

    Raises
    ------
    InputError
        If it is another file, or damaged.
    """
    digest = hash_file(path)
    if not digest.startswith(SHA256_PREFIX):
        raise InputError(
            f"{path} is not torchvision's {FILE}, whose sha256 begins with {SHA256_PREFIX} (its own is {digest}); "
            "download it again"
        )
    return extract_convolutions(read_torch(path, str(path)), str(path))
