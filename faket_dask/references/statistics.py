"""Measured statistics of references, from their stores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import BlendedReference
from faket_dask.dataset.layout import Layout
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_vector
from faket_dask.kernels.style.scaling import Scaling
from faket_dask.references.base import open_reference
from faket_dask.references.blend import WeightedTilt


def read_statistic(folder: Layout, reference: str, name: str) -> NDArray[np.float64]:
    """Read a measured value or spectrum of each tilt of a reference, ``(tilt, ...)`` float64."""
    return read_vector(folder.reference(reference), name)


def blend_statistic(folder: Layout, tilts: Sequence[WeightedTilt], name: str) -> float:
    """Return the weighted mean of a value, such as ``"mean"``, over the tilts that stand for an angle."""
    return sum(part.weight * float(read_statistic(folder, part.reference, name)[part.tilt]) for part in tilts)


def count_rings(spec: DatasetSpec) -> int:
    """Return the number of rings that all spectra are measured in: as many as the smallest tilt has."""
    plain = (
        name for name, reference in spec.references.items() if not isinstance(reference, BlendedReference)
    )
    sizes = (size for name in plain for size in open_reference(spec, name).shape)
    return min(*spec.geometry.tilt_shape, *sizes) // 2


def read_stack_range(spec: DatasetSpec, reference: str) -> Scaling | None:
    """Return the range of a reference's stack that becomes 0 and 1; ``None`` if the transfer needs none."""
    if not spec.config.style.transfer.needs_stack_range:
        return None
    lows, highs = (read_statistic(spec.folder, reference, name) for name in ("low", "high"))
    return Scaling(float(lows.min()), float(highs.max()))


def style_size(spec: DatasetSpec) -> tuple[int, int] | None:
    """Return the ``(y, x)`` that references are fitted to before their style is taken, if they are."""
    return spec.geometry.tilt_shape if spec.config.style.reference_size == "fit_to_tilt" else None
