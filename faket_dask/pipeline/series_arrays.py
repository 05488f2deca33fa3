"""Arrays of a series' store that describe its noise, and how they are read."""

from __future__ import annotations

from faket_dask.dataset.attributes import describe_group, write_stack_coordinates
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_vector
from faket_dask.kernels.style.scaling import Scaling, stack_scaling

CURVES = ("signal_scale", "noise_scale", "mean", "std")
"""Fitted statistics of each tilt."""

SCALED = ("start", "content")
"""Images of a transfer whose stacks are scaled to [0, 1]; their extrema are stored per tilt."""

BACKGROUND = "background"
"""Projections of the matter that a series' tilts share beside the specimen's."""

BACKGROUND_POWER, MATTER_POWER = "background_power", "matter_power"
"""Spectra of that matter, and of all matter in the references."""

EXPLAINED_POWER = "explained_power"
"""Power of the references' tilts that is no noise."""

SIGNAL_POWER, SIGNAL_VARIANCE, SIGNAL_STD = "signal_power", "signal_variance", "signal_std"
"""Spectra of a series' signal, its variance without beads relative to that with them, and its standard deviation."""


def describe_series(spec: DatasetSpec, name: str) -> None:
    """Create the groups and coordinates of a series."""
    series = spec.series_by_name[name]
    store, group = spec.folder.series(name), spec.folder.series_tilts(name)
    for path in (store, group):
        describe_group(
            path,
            spec,
            spec.geometry.acquisition(name).pixel_size_A,
            specimen=series.specimen,
            reference=series.reference,
            weights=spec.config.style.weights,
            weights_sha256=spec.inputs.weights_checksum,
        )
    write_stack_coordinates(group, spec, series.specimen)


def read_stack_range(spec: DatasetSpec, series: str, name: str) -> Scaling | None:
    """Return the range of a series' `SCALED` images that becomes 0 and 1; ``None`` if the transfer needs none."""
    if not spec.config.style.transfer.needs_stack_range:
        return None
    path = spec.folder.series_tilts(series)
    return stack_scaling(zip(*(read_vector(path, f"{name}_{end}") for end in ("low", "high")), strict=True))
