"""Conditions under which the tilts of a series are imaged: microscope, defocus and exposure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.config.acquisition import ends
from faket_dask.config.signal import DrawnCtf
from faket_dask.dataset.imaging import draw_imaging_conditions
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.geometry import acquisition_order, exposure_before
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope
from faket_dask.kernels.signal_transfer import transfer_signal
from faket_dask.modalities import MODALITIES, SIMULATED, Owner
from faket_dask.references.base import open_reference
from faket_dask.references.recorded import RecordedReference
from faket_dask.references.simulated import SimulatedReference
from faket_dask.stages.seeds import Purpose, generator


@dataclass(frozen=True)
class Imaging:
    """Imaging conditions of a tilt-series.

    Parameters
    ----------
    microscope
        Lens and detector.
    exposures
        Conditions of each tilt.
    """

    microscope: Microscope
    exposures: tuple[Exposure, ...]

    def match(self, tilt_angles: ArrayLike) -> Imaging:
        """Return the conditions of tilts at other angles: those of the nearest tilt.

        Parameters
        ----------
        tilt_angles
            ``(tilt,)`` degrees.
        """
        own = np.array([exposure.tilt_angle for exposure in self.exposures])
        exposures = (
            replace(self.exposures[int(np.argmin(np.abs(own - angle)))], tilt_angle=float(angle))
            for angle in np.asarray(tilt_angles)
        )
        return Imaging(self.microscope, tuple(exposures))

    def transfer(
        self,
        noiseless: NDArray[np.floating],
        pixel_size_A: float,
        tilt: int,
        gold: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float32]:
        """Return a noiseless tilt as the microscope shows it.

        Parameters
        ----------
        noiseless, pixel_size_A
            As for `faket_dask.kernels.signal_transfer.transfer_signal`.
        tilt
            Index of the tilt.
        gold
            ``(y, x)`` part of the noiseless tilt that radiation does not damage.
        """
        exposure = self.exposures[tilt]
        if gold is None or not self.microscope.damage:
            return transfer_signal(noiseless, pixel_size_A, self.microscope, exposure)
        sparing = replace(self.microscope, damage=False)
        return transfer_signal(noiseless - gold, pixel_size_A, self.microscope, exposure) + transfer_signal(
            gold, pixel_size_A, sparing, exposure
        )


def open_reference_imaging(spec: DatasetSpec, name: str) -> Imaging | None:
    """Return the imaging conditions of a plain reference; ``None`` where its contrast transfer is not known.

    Parameters
    ----------
    spec
        Specification of the data set.
    name
        Name of a reference that is not a blend.
    """
    reference = open_reference(spec, name)
    if isinstance(reference, SimulatedReference):
        return simulate_imaging(spec, reference.specimen)
    assert isinstance(reference, RecordedReference)
    return _open_recorded(spec, reference)


def simulate_imaging(spec: DatasetSpec, specimen: str) -> Imaging:
    """Return the imaging conditions of a specimen by the section `microscope`, at the told tilt angles."""
    acquisition, section = spec.geometry.acquisition(specimen), spec.config.microscope
    conditions = draw_imaging_conditions(spec.config, specimen, acquisition)
    exposures = (
        replace(conditions.exposure(tilt), tilt_angle=float(angle))
        for tilt, angle in enumerate(acquisition.tilt_angles)
    )
    thickness_A = spec.geometry.volume_shape(specimen)[0] * acquisition.pixel_size_A
    return Imaging(section.to_microscope(thickness_A), tuple(exposures))


def open_imaging(spec: DatasetSpec, series: str) -> Imaging | None:
    """Return the imaging conditions of a series' synthetic tilts; ``None`` where they have no contrast transfer.

    They are those of the reference with the largest weight, each tilt's those of the nearest of its tilts, or drawn
    where the run file says so.

    Parameters
    ----------
    spec
        Specification of the data set.
    series
        Name of a series.
    """
    signal = spec.config.signal
    if not signal.is_transferred:
        return None
    specimen, reference = spec.series_by_name[series].specimen, spec.series_by_name[series].reference
    if isinstance(signal.ctf, DrawnCtf):
        return _draw_imaging(spec, specimen, signal.ctf)
    imaging = open_reference_imaging(spec, spec.main_reference(reference))
    return None if imaging is None else imaging.match(spec.geometry.acquisition(specimen).tilt_angles)


def open_modality_imaging(spec: DatasetSpec, owner: str, modality: str) -> Imaging | None:
    """Return the imaging conditions of a modality; ``None`` where its signal has passed through no microscope.

    Parameters
    ----------
    spec
        Specification of the data set.
    owner
        Name of the series, or of the specimen for a modality of specimens.
    modality
        Name of the modality.
    """
    if MODALITIES.get(modality).owner is Owner.SERIES:
        return open_imaging(spec, owner)
    return simulate_imaging(spec, owner) if modality == SIMULATED else None


def _draw_imaging(spec: DatasetSpec, specimen: str, section: DrawnCtf) -> Imaging:
    """Return the conditions of a specimen with one drawn defocus."""
    rng = generator(spec.config.dataset.seed, specimen, Purpose.DEFOCUS)
    defocus = section.to_defocus(float(rng.uniform(*ends(section.defocus_um))))
    imaging = simulate_imaging(spec, specimen)
    exposures = tuple(replace(exposure, defocus=defocus) for exposure in imaging.exposures)
    return replace(imaging, exposures=exposures)


def _open_recorded(spec: DatasetSpec, reference: RecordedReference) -> Imaging | None:
    """Return the conditions that a recording's files tell; exposures that they do not name are the run file's."""
    recording, section = reference.recording, spec.config.microscope
    if recording.ctf is None:
        return None
    doses, before = expose(spec, reference)
    exposures = (
        Exposure(*conditions)
        for conditions in zip(recording.tilt_angles, recording.ctf.defocus, doses, before, strict=True)
    )
    optics = recording.ctf.complete(section.optics)
    return Imaging(replace(section.to_microscope(0.0), optics=optics), tuple(exposures))


def expose(spec: DatasetSpec, reference: RecordedReference) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the exposure of each tilt of a recording, and that of the specimen before it, in e/Å².

    They are those that its files tell, or else those of the section `microscope`.

    Parameters
    ----------
    spec
        Specification of the data set.
    reference
        Recorded reference.
    """
    recording, section = reference.recording, spec.config.microscope
    doses, before = recording.exposure_e_per_A2, recording.exposure_before_e_per_A2
    if doses is not None and before is not None:
        return doses, before
    dose = float(np.mean(ends(section.dose_e_per_A2)))
    order = acquisition_order(recording.tilt_angles, section.tilt_order)
    return (dose,) * order.size, tuple(exposure_before(order, dose).tolist())
