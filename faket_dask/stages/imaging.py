"""Physics-based images of a specimen: the `benchmark` modality and simulated references."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope, simulate_tilt


def simulate_counts(
    noiseless: NDArray[np.float32],
    pixel_size_A: float,
    microscope: Microscope,
    exposure: Exposure,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return the electron counts, ``(y, x)``, recorded of a tilt whose noiseless projection is known.

    Parameters
    ----------
    noiseless
        ``(y, x)`` negated ray sums of the potential, in volts x voxels.

    Other parameters are those of `faket_dask.kernels.microscope.simulate_tilt`.
    """
    potential = np.multiply(noiseless, np.float32(-pixel_size_A), dtype=np.float32)
    return simulate_tilt(potential, pixel_size_A, microscope, exposure, rng)
