"""Tilts and statistics of the references of a data set, recorded or simulated, alone or blended."""

from functools import lru_cache
from typing import cast

import numpy as np
from skimage.transform import resize

from faket_dask.config import TiltSeriesReference
from faket_dask.dataset.spec import DatasetSpec, resampled_shape
from faket_dask.engine.arrays import read_tilt, read_vector
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.references.recorded import believed, open_counterpart, open_reference
from faket_dask.stages.angle_interpolation import (
    InterpolationWeights,
    combine_weights,
    interpolation_weights,
    weighted_mean,
)
from faket_dask.kernels.style.scaling import Scaling, TiltScaling
from faket_dask.stages.synthesis import RecordedSpectrum, blend_spectra

WHOLE = 0.99
"""What a resampled pixel must hold of believed ones to be believed."""

Shares = list[tuple[tuple[str, int], float]]
"""Tilts (reference, tilt) that together stand for one angle, with shares that add up to 1."""


def reference_tilt(spec: DatasetSpec, reference: str, tilt: int) -> np.ndarray:
    """One tilt of a recorded or simulated reference, (y, x) float32, at the acquisition's pixel size."""
    if reference not in spec.inputs.recordings:
        path = spec.layout.specimen(spec.reference_specimen(reference))
        return read_tilt(path, "benchmark", tilt)
    section, series = recorded(spec, reference)
    image = series.tilt(tilt)
    if _to_our_pixels(spec, section, series) != 1:
        image = _within_range(image, believed(section, series, tilt))
    return _at_our_pixels(spec, section, series, image)


def nyquist_frequency(spec: DatasetSpec, reference: str) -> float:
    """Cycles per pixel that a reference's tilts were recorded up to, at the acquisition's pixel size."""
    if reference not in spec.inputs.recordings:
        return 0.5
    return 0.5 / max(1.0, _to_our_pixels(spec, *recorded(spec, reference)))


def believed_pixels(spec: DatasetSpec, reference: str, tilt: int) -> np.ndarray:
    """Pixels of a reference's tilt, (y, x) bool, that are neither artefact nor beyond the detector.

    A simulated reference is believed in whole, but for its beads where the method `matched` takes its style.
    """
    if reference not in spec.inputs.recordings:
        if spec.config.style.method == "matched":
            return ~artefact_mask(reference_tilt(spec, reference, tilt))
        return np.ones(spec.tilt_shape, dtype=np.bool_)
    section, series = recorded(spec, reference)
    seen = believed(section, series, tilt)
    return _at_our_pixels(spec, section, series, seen.astype(np.float32)) > WHOLE


def recorded(spec: DatasetSpec, reference: str) -> tuple[TiltSeriesReference, TiltSeries]:
    """Section and opened series of a recorded reference."""
    section = cast(TiltSeriesReference, spec.references[reference])
    return section, _opened(section)


@lru_cache(maxsize=8)
def _opened(section: TiltSeriesReference) -> TiltSeries:
    return open_reference(section)


def clean_tilt(spec: DatasetSpec, reference: str, tilt: int) -> np.ndarray | None:
    """The noiseless counterpart of a reference's tilt, where there is one."""
    if reference not in spec.inputs.recordings:
        path = spec.layout.specimen(spec.reference_specimen(reference))
        return read_tilt(path, "noiseless", tilt)
    section, series = recorded(spec, reference)
    if section.clean is None:
        return None
    image = open_counterpart(section, series).tilt(tilt)
    return _at_our_pixels(spec, section, series, image)


def style_tilt(spec: DatasetSpec, reference: str, tilt: int) -> np.ndarray:
    """A reference's tilt in the size that its style is taken at."""
    image = reference_tilt(spec, reference, tilt)
    if _to_style_size(spec, image) != 1:
        image = _within_range(image, believed_pixels(spec, reference, tilt))
    return _at_style_size(spec, image)


def style_pixels(spec: DatasetSpec, reference: str, tilt: int) -> np.ndarray:
    """`believed_pixels` in the size of `style_tilt`."""
    seen = believed_pixels(spec, reference, tilt).astype(np.float32)
    return _at_style_size(spec, seen) > WHOLE


def _at_our_pixels(
    spec: DatasetSpec, section: TiltSeriesReference, series: TiltSeries, image: np.ndarray
) -> np.ndarray:
    """An image of a recorded reference at the acquisition's pixel size, where that is asked for."""
    return resample(image, _to_our_pixels(spec, section, series))


def _to_our_pixels(spec: DatasetSpec, section: TiltSeriesReference, series: TiltSeries) -> float:
    return series.pixel_size_A / spec.nominal_pixel_size_A if section.resample else 1.0


def _at_style_size(spec: DatasetSpec, image: np.ndarray) -> np.ndarray:
    """An image of a reference no larger than the tilts that are made, where that is asked for."""
    return resample(image, _to_style_size(spec, image))


def _to_style_size(spec: DatasetSpec, image: np.ndarray) -> float:
    if spec.config.style.reference_size != "shrink":
        return 1.0
    return min(1.0, max(spec.tilt_shape) / max(image.shape))


def _within_range(image: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """An image clipped to the range of what is believed of it: resampling would spread a hot pixel further than the
    mask reaches.
    """
    return np.clip(image, image[seen].min(), image[seen].max())


def resample(image: np.ndarray, factor: float) -> np.ndarray:
    """An image with `factor` times as many pixels along either axis, low-passed first when it shrinks."""
    shape = resampled_shape(image.shape, factor)
    if shape == image.shape:
        return image
    return resize(image, shape, order=3, anti_aliasing=factor < 1, preserve_range=True).astype(np.float32)


def statistic(spec: DatasetSpec, reference: str, name: str) -> np.ndarray:
    """A measured value or spectrum of each tilt of a reference, (tilt, ...) float64."""
    return read_vector(spec.layout.reference(reference), name)


def spectrum_at(spec: DatasetSpec, shares: Shares) -> RecordedSpectrum:
    """Spectrum of a reference at an angle, from the tilts that stand for it."""
    parts = [
        (
            share,
            RecordedSpectrum(
                statistic(spec, reference, "power")[tilt, 0],
                statistic(spec, reference, "directions")[tilt],
            ),
        )
        for (reference, tilt), share in shares
    ]
    return blend_spectra(parts)


def scaling_of(spec: DatasetSpec, reference: str, tilt: int) -> Scaling | TiltScaling:
    """The scaling to [0, 1] of a reference's tilt in the size that its style is taken at."""
    if spec.config.style.scaling == "tilt":
        recorded = reference in spec.inputs.recordings
        return TiltScaling(True, style_pixels(spec, reference, tilt) if recorded else None)
    lows, highs = statistic(spec, reference, "low"), statistic(spec, reference, "high")
    return Scaling(float(lows.min()), float(highs.max()))


def shares_at(spec: DatasetSpec, reference: str, angle: float) -> Shares:
    """The tilts that stand for an angle (degrees) of a reference or of a blend of several."""
    match = spec.config.style.angle_match

    def part(name: str) -> list[tuple[tuple[str, int], float]]:
        shares: InterpolationWeights = interpolation_weights(spec.reference_angles(name), angle, match)
        return [((name, tilt), share) for tilt, share in shares]

    return combine_weights([(weight, part(name)) for name, weight in spec.parts(reference)])


def moment_at(spec: DatasetSpec, shares: Shares, name: str) -> float:
    """Mean or std of a reference at an angle, from the tilts that stand for it."""
    return sum(
        weighted_mean(statistic(spec, reference, name), [(tilt, share)])
        for (reference, tilt), share in shares
    )
