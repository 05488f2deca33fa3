"""Conditions under which the images of a modality were recorded, where they show them."""

from __future__ import annotations

from dataclasses import dataclass

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.geometry import acquisition_order, exposure_before
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.optics import Optics
from faket_dask.modalities import MODALITIES


@dataclass(frozen=True)
class Imaging:
    """Microscope and exposures of a tilt-series.

    Parameters
    ----------
    optics
        Microscope.
    exposures
        Exposure of each tilt.
    """

    optics: Optics
    exposures: tuple[Exposure, ...]


def list_exposures(spec: DatasetSpec, owner: str) -> tuple[Exposure, ...]:
    """Return the exposures of the tilts of a series or specimen by the run file's microscope.

    Parameters
    ----------
    spec
        Specification of the data set.
    owner
        Name of the series or specimen.
    """
    section, acquisition = spec.config.microscope, spec.geometry.acquisition(owner)
    order = acquisition_order(acquisition.tilt_angles, section.tilt_order)
    before = exposure_before(order, acquisition.dose_e_per_A2)
    defocus = section.to_defocus(acquisition.defocus_um)
    return tuple(
        Exposure(float(angle), defocus, acquisition.dose_e_per_A2, float(earlier))
        for angle, earlier in zip(acquisition.tilt_angles, before, strict=True)
    )


def find_imaging(spec: DatasetSpec, owner: str, modality: str) -> Imaging | None:
    """Return microscope and exposures of a modality; ``None`` where its signal has passed through no microscope.

    Parameters
    ----------
    spec
        Specification of the data set.
    owner
        Series or specimen that the modality belongs to.
    modality
        Name of the modality.
    """
    if not MODALITIES.get(modality).has_ctf:
        return None
    return Imaging(spec.config.microscope.optics, list_exposures(spec, owner))
