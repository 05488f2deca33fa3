"""Arrays of a series' store that describe its noise, and how they are read."""

from __future__ import annotations

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_vector
from faket_dask.kernels.style.scaling import Scaling, stack_scaling

CURVES = ("signal_scale", "noise_scale", "mean", "std")
"""Fitted statistics of each tilt."""

SCALED = ("start", "content")
"""Images of a transfer whose stacks are scaled to [0, 1]; their extrema are stored per tilt."""

SIGNAL_POWER, SIGNAL_VARIANCE = "signal_power", "signal_variance"
"""Spectra of the series' noiseless tilts, and their variance without beads."""


def read_stack_range(spec: DatasetSpec, series: str, name: str) -> Scaling | None:
    """Return the range of a series' `SCALED` images that becomes 0 and 1; ``None`` if the transfer needs none."""
    if not spec.config.style.transfer.needs_stack_range:
        return None
    path = spec.folder.series_tilts(series)
    return stack_scaling(zip(*(read_vector(path, f"{name}_{end}") for end in ("low", "high")), strict=True))
