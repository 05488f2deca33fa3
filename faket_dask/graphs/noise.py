"""Noise on lazy projections."""

import dask.array as da
import numpy as np
import xarray as xr

from faket_dask.errors import InputError
from faket_dask.graphs.tilts import by_tilt
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.stages.seeds import noise_field
from faket_dask.stages.synthesis import at_tilt, synthesise


def add_noise(
    noiseless: xr.DataArray, curves: NoiseCurves, seed: int, series: str, level: float = 1.0
) -> xr.DataArray:
    """Noisy tilts with a reference's statistics.

    Parameters
    ----------
    noiseless
        ``(tilt, y, x)`` projections.
    curves
        Noise statistics, (tilt,), at the angles of `noiseless`.
    seed, series
        Of the noise: the same two give the same field whatever the level, so that `noisy` (level 1) and
        `content` (level 0.25) differ in nothing but the amount of it.
    level
        Part of the noise level.

    Raises
    ------
    InputError
        When there are not as many statistics as tilts.
    """
    stack = by_tilt(noiseless)
    if curves.mean.size != noiseless.sizes["tilt"]:
        raise InputError(f"{curves.mean.size} noise statistics for {noiseless.sizes['tilt']} tilts")

    def tilt_block(block: np.ndarray, block_info: dict[int, dict[str, object]]) -> np.ndarray:
        tilt = block_info[0]["chunk-location"][0]  # type: ignore[index]
        field = noise_field(seed, series, tilt, block.shape[1:])
        return synthesise(block[0], at_tilt(curves, tilt), field, level)[None]

    token = da.core.tokenize(stack, curves, seed, series, level)
    noisy = stack.map_blocks(tilt_block, dtype=np.float32, name=f"noise-{token}")
    return noiseless.copy(data=noisy).rename("noisy")
