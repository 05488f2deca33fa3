"""Measured statistics of references, from their stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import BlendedReference
from faket_dask.dataset.layout import Layout
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_vector
from faket_dask.kernels.style.scaling import Scaling
from faket_dask.references.base import open_reference
from faket_dask.references.blend import WeightedTilt


@dataclass(frozen=True)
class ReferenceStatistics:
    """Reader of measured statistics.

    Parameters
    ----------
    folder
        Paths of the data set.
    """

    folder: Layout

    def read(self, reference: str, name: str) -> NDArray[np.float64]:
        """Read a value or spectrum of each tilt of a plain reference, ``(tilt, ...)`` float64."""
        return read_vector(self.folder.statistics(reference), name)

    def blend(self, tilts: Sequence[WeightedTilt], name: str) -> float:
        """Return the weighted mean of a value, such as ``"mean"``, over the tilts that stand for an angle."""
        return sum(part.weight * float(self.read(part.reference, name)[part.tilt]) for part in tilts)

    def read_stack_range(self, reference: str) -> Scaling:
        """Return the range of a reference's stack that becomes 0 and 1."""
        lows, highs = (self.read(reference, name) for name in ("low", "high"))
        return Scaling(float(lows.min()), float(highs.max()))


def count_rings(spec: DatasetSpec) -> int:
    """Return the number of rings that all spectra are measured in: as many as the smallest tilt has."""
    plain = (name for name, section in spec.references.items() if not isinstance(section, BlendedReference))
    sizes = (size for name in plain for size in open_reference(spec, name).shape)
    return min(*spec.geometry.tilt_shape, *sizes) // 2
