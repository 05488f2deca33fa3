"""Contrast transfer of series in tests."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Defocus


def make_ctf(means_um: Iterable[float], astigmatism_um: float = 0.0, angle: float = 0.0) -> SeriesCtf:
    defocus = tuple(Defocus(float(mean), astigmatism_um, angle) for mean in means_um)
    return SeriesCtf(defocus, "a test", 300.0, 2.7, 0.1)


def means_um(ctf: SeriesCtf | None) -> NDArray[np.float64]:
    assert ctf is not None
    return np.array([tilt.mean_um for tilt in ctf.defocus])
