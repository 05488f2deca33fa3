"""Targets of the style transfer: measured from reference tilts, stored, and read back for an angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.kernels.moments import Moments
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.methods.transfer import TiltImage
from faket_dask.references import open_reference
from faket_dask.references.blend import WeightedTilt
from faket_dask.references.statistics import blend_statistic, read_stack_range, style_size
from faket_dask.references.style_size import read_style_tilt, style_valid_mask
from faket_dask.stages.transfer import measure_style, transfer_tilt


def list_layouts(spec: DatasetSpec) -> Sequence[TiltArrayLayout]:
    """Return the layout of what the transfer method keeps of each reference tilt."""
    style = spec.config.style
    return style.transfer.arrays(style.style_network.architecture)


def target_arrays(spec: DatasetSpec, reference: str) -> list[OwnedArray]:
    """Return the arrays of a reference's store that hold its targets, one file of each per tilt."""
    tilts = open_reference(spec, reference).tilt_angles.size
    return [
        OwnedArray(
            spec.folder.reference(reference),
            ArraySpec(
                layout.name,
                ("tilt", *layout.dims),
                (tilts, *layout.shape),
                (1, *layout.shape),
                layout.dtype,
                attributes=STACK_ATTRIBUTES,
            ),
            unit_axes=(0,),
        )
        for layout in list_layouts(spec)
    ]


def measure_targets(spec: DatasetSpec, reference: str, tilt: int) -> int:
    """Measure and write the targets of one tilt of a reference; return the number of its pixels."""
    style = spec.config.style
    opened, size = open_reference(spec, reference), style_size(spec)
    pixels = read_style_tilt(opened, tilt, size)
    stack_range = read_stack_range(spec.folder, reference) if style.transfer.needs_stack_range else None
    masked = style.transfer.masks_artefacts or opened.simulated_specimen is None
    targets = measure_style(
        reference=TiltImage(pixels, stack_range),
        valid_mask=style_valid_mask(opened, tilt, size) if masked else None,
        style=style,
        weights_checksum=spec.inputs.weights_checksum,
    )
    for name, values in targets.items():
        open_array(spec.folder.reference(reference), name)[tilt] = values
    return int(pixels.size)


def read_targets(spec: DatasetSpec, part: WeightedTilt) -> TiltArrays:
    """Read the targets of one reference tilt."""
    path = spec.folder.reference(part.reference)
    return {
        layout.name: np.asarray(open_array(path, layout.name, "r")[part.tilt])
        for layout in list_layouts(spec)
    }


def transfer_series_tilt(
    spec: DatasetSpec, series: str, tilts: Sequence[WeightedTilt], images: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Transfer the style of the reference tilts that stand for an angle to one tilt of a series.

    Parameters
    ----------
    spec
        Specification of the data set.
    series
        Name of the series.
    tilts
        Reference tilts with their weights.
    images
        ``start`` and ``content`` of the tilt, ``(y, x)`` each.
    """
    from faket_dask.pipeline.noise import read_series_range

    scaled = {name: TiltImage(images[name], read_series_range(spec, series, name)) for name in images}
    mean, std = (blend_statistic(spec.folder, tilts, name) for name in ("mean", "std"))
    return transfer_tilt(
        content=scaled["content"],
        start=scaled["start"],
        targets=[(read_targets(spec, part), part.weight) for part in tilts],
        moments=Moments(mean, std),
        style=spec.config.style,
        weights_checksum=spec.inputs.weights_checksum,
    )
