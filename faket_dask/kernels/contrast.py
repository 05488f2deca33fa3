"""A tilt as the network should see it: what is neither signal nor noise taken off, at one contrast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask, background, fill
from faket_dask.kernels.moments import standardise

# Within [0, 1]: noise of a standard deviation of 0.1 about 0.5 is what scaling by extrema gives, too.
_MEAN, _STD = 0.5, 0.1


def without_background(image: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A recorded image, `(y, x)`, without its artefacts and its smooth background, and where artefacts were."""
    mask = artefact_mask(image)
    filled = fill(image, mask)
    return filled - background(filled, mask), mask


def network_contrast(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """The image, `(y, x)`, shifted and scaled to mean 0.5 and standard deviation 0.1, clipped to [0, 1]."""
    return np.clip(_MEAN + _STD * standardise(image), 0, 1).astype(np.float32)
