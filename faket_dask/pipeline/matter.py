"""Matter that all tilts of a series share: its spectrum in the references, and what of it the specimen is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.field_of_view import mask_beads
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.kernels.artefacts import fill
from faket_dask.kernels.microscope import contrast_left, transmission
from faket_dask.kernels.noise.physical import count_intensity, estimate_relative_thickness
from faket_dask.kernels.noise.shared_structure import TiltPair, fit_matter_power
from faket_dask.kernels.noise.spectra import ring_means
from faket_dask.kernels.noise.unpaired import ring_power
from faket_dask.kernels.signal_transfer import relative_contrast, signal_transfer
from faket_dask.pipeline.background import background_depth
from faket_dask.references import Reference, open_reference
from faket_dask.references.common_power import list_neighbours, read_common_power
from faket_dask.references.imaging import Imaging, expose, open_imaging, open_reference_imaging
from faket_dask.references.recorded import RecordedReference
from faket_dask.references.simulated import SimulatedReference
from faket_dask.references.statistics import ReferenceStatistics, count_rings
from faket_dask.specimen.particles import read_particles


def find_contrasts(
    spec: DatasetSpec, reference: Reference, tilt_angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the change ``(tilt,)`` of a reference's relative intensity per volt and voxel, before its transfer.

    Parameters
    ----------
    spec
        Specification of the data set.
    reference
        Plain reference.
    tilt_angles
        ``(tilt,)`` degrees.
    """
    imaging = open_reference_imaging(spec, reference.name)
    microscope = spec.config.microscope.to_microscope(0.0) if imaging is None else imaging.microscope
    if not isinstance(reference, SimulatedReference):
        microscope = replace(microscope, ice_thickness_A=_find_ice_thickness(spec, reference))
    contrast = relative_contrast(spec.geometry.nominal_pixel_size_A, microscope.optics)
    left = np.array([contrast_left(microscope, float(angle)) for angle in tilt_angles])
    return spec.config.noise.contrast_factor * contrast * left


def find_intensities(spec: DatasetSpec, reference: Reference) -> NDArray[np.float64]:
    """Return the intensity ``(tilt,)`` of a reference's tilts, in its unit, of which contrast is a share.

    Parameters
    ----------
    spec
        Specification of the data set.
    reference
        Plain reference.
    """
    statistics = ReferenceStatistics(spec.folder)
    means = statistics.read(reference.name, "mean")
    if spec.config.noise.intensity == "mean" or not isinstance(reference, RecordedReference):
        return means
    microscope = spec.config.microscope.to_microscope(_find_specimen_thickness(spec))
    doses = expose(spec, reference)[0]
    deviations, powers = (statistics.read(reference.name, name) for name in ("std", "power"))
    pixel_A = reference.pixel_size_A
    return np.array(
        [
            count_intensity(
                std**2 * power[0],
                pixel_A,
                microscope.detector,
                dose * pixel_A**2 * transmission(microscope, float(angle)),
            )
            for std, power, dose, angle in zip(deviations, powers, doses, reference.tilt_angles, strict=True)
        ]
    )


def fit_matter(spec: DatasetSpec, series: str) -> NDArray[np.float64]:
    """Fit the spectrum of all matter in a series' references, as if they were as thick as the series' slab.

    Parameters
    ----------
    spec
        Specification of the data set.
    series
        Name of a series.

    Returns
    -------
    power
        ``(rings,)`` V² by frequency between 0 and 0.5 cycles per voxel; that of white matter is its variance.
    """
    weights = spec.blend_weights(spec.series_by_name[series].reference)
    total = sum(weights.values())
    parts = (
        weight / total * _fit_reference(spec, series, open_reference(spec, name))
        for name, weight in weights.items()
    )
    return np.sum(list(parts), axis=0)


def measure_specimen_matter(spec: DatasetSpec, specimen: str) -> NDArray[np.float64]:
    """Measure the spectrum ``(rings,)`` of a specimen's matter in V², without its beads, in its noiseless tilts."""
    table = read_particles(spec.folder.particles(specimen))
    angles, depth = spec.geometry.acquisition(specimen).tilt_angles, spec.geometry.volume_shape(specimen)[0]
    rings, powers = count_rings(spec), []
    for tilt, angle in enumerate(angles):
        image = read_tilt(spec.folder.specimen_tilts(specimen), "noiseless", tilt)
        bare = fill(image, mask_beads(spec, specimen, table, float(angle)))
        rays = depth / math.cos(math.radians(float(angle)))
        powers.append(ring_power(bare, rings)[0] * bare.var(dtype=np.float64) / rays)
    return np.mean(powers, axis=0)


def project_matter(spec: DatasetSpec, series: str, power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power ``(tilt, rings)`` that matter has in the signal of a series' tilts, in (V voxel)².

    Parameters
    ----------
    spec
        Specification of the data set.
    series
        Name of a series.
    power
        ``(rings,)`` spectrum of the matter in V².
    """
    angles = spec.geometry.acquisition(series).tilt_angles
    rays = background_depth(spec, series) / np.cos(np.deg2rad(angles))
    return power * rays[:, None] * _square_transfers(spec, open_imaging(spec, series), range(angles.size))


def _fit_reference(spec: DatasetSpec, series: str, reference: Reference) -> NDArray[np.float64]:
    """Fit the spectrum of all matter in a reference, as if it were as thick as the series' slab."""
    statistics = ReferenceStatistics(spec.folder)
    power = read_common_power(spec, reference.name)
    assert power is not None
    angles = reference.tilt_angles
    imaging = open_reference_imaging(spec, reference.name)
    if imaging is None and (drawn := open_imaging(spec, series)) is not None:
        imaging = drawn.match(angles)
    scales = find_intensities(spec, reference) / statistics.read(reference.name, "std")
    neighbours = list_neighbours(reference)
    tilts = sorted({tilt for pair in neighbours for tilt in pair})
    gains = (scales * find_contrasts(spec, reference, angles))[tilts, None]
    gains = gains * np.sqrt(_square_transfers(spec, imaging, tilts))
    by_tilt = dict(zip(tilts, gains, strict=True))
    pairs = [
        TiltPair(float(angles[first]), float(angles[second]), by_tilt[first] * by_tilt[second])
        for first, second in neighbours
    ]
    depth = background_depth(spec, series)
    return fit_matter_power(power.common, power.standard_error, power.number, depth, pairs)


def _square_transfers(
    spec: DatasetSpec, imaging: Imaging | None, tilts: Sequence[int]
) -> NDArray[np.float64]:
    """Return the mean squares ``(tilt, rings)`` of some tilts' transfer over the directions; 1 without any."""
    rings = count_rings(spec)
    if imaging is None:
        return np.ones((len(tilts), rings))
    shape, pixel_A = (2 * rings, 2 * rings), spec.geometry.nominal_pixel_size_A
    transfers = (
        signal_transfer(shape, pixel_A, imaging.microscope, imaging.exposures[tilt]) for tilt in tilts
    )
    return np.stack([ring_means(transfer[:, : rings + 1] ** 2, shape, rings) for transfer in transfers])


def _find_ice_thickness(spec: DatasetSpec, reference: Reference) -> float:
    """Return the thickness of a recording's ice at zero tilt in Å: the run file's, or by its intensity's fall."""
    section = spec.config.microscope
    if section.ice_thickness_A is not None:
        return section.ice_thickness_A
    if spec.config.noise.intensity == "counting":
        return _find_specimen_thickness(spec)
    assert isinstance(reference, RecordedReference)
    intensities = ReferenceStatistics(spec.folder).read(reference.name, "mean") / expose(spec, reference)[0]
    thickness = estimate_relative_thickness(intensities, reference.tilt_angles)
    return thickness * section.to_column(0.0).inelastic_mean_free_path_A


def _find_specimen_thickness(spec: DatasetSpec) -> float:
    """Return the thickness of a specimen in Å, that of the ice where tilts do not tell it: they are normalised."""
    return spec.geometry.volume_shape(spec.specimens[0])[0] * spec.geometry.nominal_pixel_size_A
