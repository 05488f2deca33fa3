"""Measured statistics of references, from their stores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.layout import Layout
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_vector
from faket_dask.kernels.style.scaling import Scaling, TiltScaling
from faket_dask.references.base import open_reference
from faket_dask.references.blend import WeightedTilt
from faket_dask.references.style_size import style_valid_mask
from faket_dask.stages.synthesis import RecordedSpectrum, blend_spectra


def read_statistic(folder: Layout, reference: str, name: str) -> NDArray[np.float64]:
    """Read a measured value or spectrum of each tilt of a reference, ``(tilt, ...)`` float64."""
    return read_vector(folder.reference(reference), name)


def blend_statistic(folder: Layout, tilts: Sequence[WeightedTilt], name: str) -> float:
    """Return the weighted mean of a value, such as ``"mean"``, over the tilts that stand for an angle."""
    return sum(part.weight * float(read_statistic(folder, part.reference, name)[part.tilt]) for part in tilts)


def blend_spectrum(folder: Layout, tilts: Sequence[WeightedTilt]) -> RecordedSpectrum:
    """Return the power spectrum of a reference at an angle, from the tilts that stand for it."""
    return blend_spectra(
        [
            (
                part.weight,
                RecordedSpectrum(
                    read_statistic(folder, part.reference, "power")[part.tilt, 0],
                    read_statistic(folder, part.reference, "directions")[part.tilt],
                ),
            )
            for part in tilts
        ]
    )


def count_rings(spec: DatasetSpec) -> int:
    """Return the number of rings that all spectra are measured in: as many as the smallest tilt has."""
    plain = (name for name, reference in spec.references.items() if reference.kind != "blend")
    sizes = (size for name in plain for size in open_reference(spec, name).shape)
    return min(*spec.geometry.tilt_shape, *sizes) // 2


def choose_scaling(spec: DatasetSpec, reference: str, tilt: int) -> Scaling | TiltScaling:
    """Return the scaling to [0, 1] of a reference's tilt in the size that its style is taken at."""
    if spec.config.style.scaling == "tilt":
        opened = open_reference(spec, reference)
        recorded = opened.simulated_specimen is None
        mask = style_valid_mask(opened, tilt, style_size(spec)) if recorded else None
        return TiltScaling(True, mask)
    lows, highs = (read_statistic(spec.folder, reference, name) for name in ("low", "high"))
    return Scaling(float(lows.min()), float(highs.max()))


def style_size(spec: DatasetSpec) -> tuple[int, int] | None:
    """Return the ``(y, x)`` that references are fitted to before their style is taken, if they are."""
    return spec.geometry.tilt_shape if spec.config.style.reference_size == "fit_to_tilt" else None
