"""Comparison of two tilt-series in three dimensions: what their tilts have in common, and their tomograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faket_dask.comparison.compare import OpenedSeries
from faket_dask.errors import InputError
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.kernels.similarity.discrimination import Discrimination

if TYPE_CHECKING:
    from faket_dask.stages.consistency import Coherence


@dataclass(frozen=True)
class ConsistencyComparison:
    """Coherence of two series, and how well their tomograms are told apart.

    Parameters
    ----------
    names
        Names of the two series.
    coherences
        Coherence of neighbouring tilts of either; ``None`` where none are neighbours.
    discrimination
        Accuracy of a linear classifier on ring powers of patches of tomogram layers; ``None`` where there are too few
        tilts, or they are too small.
    """

    names: tuple[str, str]
    coherences: tuple[Coherence | None, Coherence | None]
    discrimination: Discrimination | None

    def list_rows(self) -> list[tuple[float, float | None, float | None]]:
        """Return wavelength in Å, and the coherence of either series, from long to short waves."""
        found = [
            {}
            if coherence is None
            else dict(zip(coherence["wavelengths_A"], coherence["coherence"], strict=True))
            for coherence in self.coherences
        ]
        lengths = sorted({*found[0], *found[1]}, reverse=True)
        return [(length, found[0].get(length), found[1].get(length)) for length in lengths]


def compare_consistency(first: OpenedSeries, second: OpenedSeries) -> ConsistencyComparison:
    """Compare the middles of two series in three dimensions.

    Parameters
    ----------
    first, second
        Series with tilt angles; the second is the recorded one. A series that is not aligned is read through the
        alignment that its files have.

    Raises
    ------
    InputError
        If the angles of one are not known, or its files do not say how to align it.
    """
    from faket_dask.stages.consistency import measure_coherence, tell_tomograms_apart

    stacks, angles, coherences = [], [], []
    for series in (first, second):
        if series.tilt_angles is None:
            raise InputError(
                f"{series.name} has no tilt angles, without which its tilts cannot be compared with each other; put a "
                ".tlt file beside it"
            )
        stack = _read_middle(series)
        stacks.append(stack)
        angles.append(series.tilt_angles)
        # One wavelength has one name, whatever the rounding in a header.
        coherences.append(measure_coherence(*stack, series.tilt_angles, second.tilts.pixel_size_A))
    return ConsistencyComparison(
        (first.name, second.name),
        (coherences[0], coherences[1]),
        tell_tomograms_apart(stacks[0], angles[0], stacks[1], angles[1]),
    )


def _read_middle(series: OpenedSeries) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    from faket_dask.kernels.artefacts import artefact_mask
    from faket_dask.stages.consistency import CROP_PX, crop_middle

    tilts = series.tilts
    if isinstance(tilts, TiltSeries) and tilts.needs_alignment:
        tilts = tilts.aligned()
    images, masks = [], []
    for tilt in range(tilts.shape[0]):
        if isinstance(tilts, TiltSeries):
            image, outside = tilts.read_tilt_and_outside(tilt)
            masks.append(crop_middle(~(artefact_mask(image) | outside), CROP_PX) > 0)
        else:
            image = tilts.tilt(tilt)
            masks.append(crop_middle(~artefact_mask(image), CROP_PX) > 0)
        images.append(crop_middle(image, CROP_PX))
    return np.stack(images), np.stack(masks)
