"""Style of references and its transfer: the transfer method's arrays in stores, read back for each tilt of a series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.kernels.moments import Moments
from faket_dask.methods.arrays import TiltArrays
from faket_dask.methods.transfer import TiltImage
from faket_dask.references import open_reference
from faket_dask.references.blend import WeightedTilt
from faket_dask.references.statistics import blend_statistic, read_stack_range, style_size
from faket_dask.references.style_size import read_style_tilt, style_valid_mask
from faket_dask.stages.transfer import measure_style, transfer_tilt


def target_arrays(spec: DatasetSpec, reference: str) -> list[OwnedArray]:
    """Return the arrays of a reference's store that hold its style, one file of each per tilt."""
    tilts = open_reference(spec, reference).tilt_angles.size
    path, style = spec.folder.reference(reference), spec.config.style
    return [
        OwnedArray(
            path,
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
        for layout in style.transfer.arrays(style.style_network.architecture)
    ]


def measure_targets(spec: DatasetSpec, reference: str, tilt: int) -> int:
    """Measure and write the style of one tilt of a reference; return the number of its pixels."""
    opened, size = open_reference(spec, reference), style_size(spec)
    image = read_style_tilt(opened, tilt, size)
    recorded = opened.simulated_specimen is None
    arrays = measure_style(
        reference=TiltImage(image, read_stack_range(spec, reference)),
        valid_mask=style_valid_mask(opened, tilt, size) if recorded else None,
        style=spec.config.style,
        weights_checksum=spec.inputs.weights_checksum,
    )
    for name, values in arrays.items():
        open_array(spec.folder.reference(reference), name)[tilt] = values
    return int(image.size)


def read_targets(spec: DatasetSpec, part: WeightedTilt) -> TiltArrays:
    """Read the style of one tilt of a reference."""
    path, style = spec.folder.reference(part.reference), spec.config.style
    layouts = style.transfer.arrays(style.style_network.architecture)
    return {layout.name: np.asarray(open_array(path, layout.name, "r")[part.tilt]) for layout in layouts}


def transfer_series_tilt(
    spec: DatasetSpec, *, content: TiltImage, start: TiltImage, reference: Sequence[WeightedTilt]
) -> NDArray[np.float32]:
    """Transfer a reference's style to one tilt of a series.

    Parameters
    ----------
    spec
        Specification of the data set.
    content
        Tilt whose specimen the result keeps.
    start
        Tilt that the transfer starts from.
    reference
        Reference tilts that stand for the tilt's angle.
    """
    mean, std = (blend_statistic(spec.folder, reference, name) for name in ("mean", "std"))
    return transfer_tilt(
        content=content,
        start=start,
        targets=[(read_targets(spec, part), part.weight) for part in reference],
        moments=Moments(mean, std),
        style=spec.config.style,
        weights_checksum=spec.inputs.weights_checksum,
    )
