"""Estimated time of reading the tilts of references."""

from __future__ import annotations

import numpy as np

from faket_dask.config import TiltSeriesReference
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.pipeline.kernel_rates import KernelRates
from faket_dask.references import Reference, open_reference
from faket_dask.references.style_size import style_factor


def count_pixels(reference: Reference) -> int:
    """Return the pixels of a reference's tilts at the data set's pixel size."""
    return int(np.prod(reference.shape))


def estimate_reading(spec: DatasetSpec, name: str, rates: KernelRates) -> float:
    """Estimate the seconds in which a tilt of a reference is read, aligned, masked and resampled.

    Parameters
    ----------
    spec
        Specification of the data set.
    name
        Name of a recorded or simulated reference.
    rates
        Rates of this machine.
    """
    reference, section = open_reference(spec, name), spec.references[name]
    if not isinstance(section, TiltSeriesReference):
        return rates.load_s_per_byte * 4 * count_pixels(reference)
    shape = spec.inputs.recordings[name].shape[1:]
    recorded = int(np.prod(shape))
    seconds = 0.0
    if section.align:
        seconds += rates.align_s_per_pixel * recorded
    if section.mask == "artefacts":
        seconds += rates.grow(rates.mask_s_per_pixel, min(shape)) * recorded
        if section.align:  # edges that alignment leaves flat
            seconds += rates.grow(rates.fill_s_per_pixel, min(shape)) * recorded
    if section.resample:
        seconds += rates.resample_s_per_pixel * count_pixels(reference)
    return seconds


def estimate_search(spec: DatasetSpec, name: str, rates: KernelRates) -> float:
    """Estimate the seconds in which artefacts are looked for in a simulated tilt; 0 for a recorded one."""
    reference = open_reference(spec, name)
    if reference.simulated_specimen is None:
        return 0.0
    return rates.grow(rates.mask_s_per_pixel, min(reference.shape)) * count_pixels(reference)


def count_style_pixels(spec: DatasetSpec, name: str) -> int:
    """Return the pixels of a reference's tilts in the size that their style is taken at."""
    reference = open_reference(spec, name)
    fitted = spec.config.style.reference_size == "fit_to_tilt"
    factor = style_factor(reference, spec.geometry.tilt_shape if fitted else None)
    return round(factor**2 * count_pixels(reference))
