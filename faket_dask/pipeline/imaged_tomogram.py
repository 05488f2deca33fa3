"""Tomogram with the conditions under which its tilts were imaged, and what these have to do with it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.tomograms import Tomogram
from faket_dask.kernels.ctf_correction import CtfCorrection
from faket_dask.kernels.dose_weighting import DoseWeighting
from faket_dask.references.imaging import Imaging, open_modality_imaging, simulate_imaging
from faket_dask.stages.reconstruction import (
    Restoration,
    binned_shape,
    choose_half,
    density_scale,
    describe_restoration,
)


class ImagedTomogram(Tomogram):
    """Tomogram whose tilts are corrected by what is known of their imaging."""

    @cached_property
    def imaging(self) -> Imaging | None:
        """Imaging conditions of all tilts of the series; ``None`` where its signal passed through no microscope."""
        return open_modality_imaging(self.spec, self.owner, self.modality)

    @property
    def members(self) -> NDArray[np.intp]:
        """Indices, among the filtered tilts, of those that are back-projected."""
        if self.half is None:
            return np.arange(self.tilts.size)
        exposures = (self.imaging or simulate_imaging(self.spec, self.specimen)).exposures
        before = np.array([exposures[tilt].before_e_per_A2 for tilt in self.tilts])
        return choose_half(self.half, self.tilts.size, before)

    @property
    def restoration(self) -> Restoration | None:
        """Correction of the tilts before they are filtered, as far as the settings ask for it and images need it."""
        method, imaging = self.section.ctf_method, self.imaging
        if imaging is None or (method is None and not self.section.dose_weighting):
            return None
        optics = imaging.microscope.optics
        exposures = [imaging.exposures[tilt] for tilt in self.tilts]
        ctf = dose = None
        if method is not None:
            ctf = CtfCorrection(method, optics, tuple(exposure.defocus for exposure in exposures))
        if self.section.dose_weighting:
            dose = DoseWeighting(
                optics.voltage_kV,
                tuple(exposure.before_e_per_A2 for exposure in exposures),
                tuple(exposure.dose_e_per_A2 for exposure in exposures),
            )
        return Restoration(self.acquisition.pixel_size_A, ctf, dose)

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the tomogram's array that tell what was done to its tilts, and its density scale."""
        restoration, section = self.restoration, self.section
        shape = binned_shape(self.spec.geometry.tilt_shape, section.binning)
        angles = self.tilt_angles[self.members]
        scale = density_scale(section.filter, shape, angles, section.binning)
        return {"density_scale": scale, **describe_restoration(restoration)}
