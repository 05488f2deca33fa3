"""Layers of VGG-19 and the normalisation of its input, without PyTorch."""

from __future__ import annotations

from typing import Literal

from faket_dask.kernels.style.network import SequentialArchitecture

Pooling = Literal["max", "average", "l2"]
"""Poolings that VGG-19 can be run with."""

VGG19_ARCHITECTURE = SequentialArchitecture(
    "VGG-19",
    {
        0: (3, 64),
        2: (64, 64),
        5: (64, 128),
        7: (128, 128),
        10: (128, 256),
        12: (256, 256),
        14: (256, 256),
        16: (256, 256),
        19: (256, 512),
        21: (512, 512),
        23: (512, 512),
        25: (512, 512),
        28: (512, 512),
    },
    poolings=(4, 9, 18, 27),
    layers=30,
)
"""Convolutions and poolings up to layer 29, numbered as in torchvision's ``vgg19().features``."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of each channel over ImageNet, of images in [0, 1]."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of each channel over ImageNet."""
