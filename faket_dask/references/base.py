"""Protocol of a reference, and how one is opened from a data set's specification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.config.references import SimulatedReference as SimulatedSection
from faket_dask.config.references import TiltSeriesReference
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.references.masked_tilt import MaskedTilt
from faket_dask.references.recorded import RecordedReference
from faket_dask.references.simulated import SimulatedReference


class Reference(Protocol):
    """Tilt-series whose style is transferred, at the data set's pixel size."""

    @property
    def name(self) -> str:
        """Name in the run file."""
        ...

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` of its tilts."""
        ...

    @property
    def pixel_size_A(self) -> float:
        """Edge of a pixel."""
        ...

    @property
    def nyquist_frequency(self) -> float:
        """Cycles per pixel up to which its tilts hold information."""
        ...

    @property
    def knows_alignment(self) -> bool:
        """True if it is known how its tilts are aligned."""
        ...

    @property
    def simulated_specimen(self) -> str | None:
        """Name of the specimen whose images it consists of; ``None`` for a recording."""
        ...

    def read_tilt(self, tilt: int) -> MaskedTilt:
        """Read one tilt with its masks."""
        ...

    def read_aligned_tilt(self, tilt: int) -> MaskedTilt:
        """Read one tilt, aligned, with its masks: its tilt axis lies along y through the centre."""
        ...

    def read_clean_tilt(self, tilt: int) -> NDArray[np.float32] | None:
        """Read the noiseless counterpart of a tilt, where there is one."""
        ...


def _open_recorded(spec: DatasetSpec, section: TiltSeriesReference) -> RecordedReference:
    return RecordedReference(
        section, spec.inputs.recordings[section.name], spec.geometry.nominal_pixel_size_A
    )


def _open_simulated(spec: DatasetSpec, section: SimulatedSection) -> SimulatedReference:
    specimen = spec.simulated_specimen(section.name)
    return SimulatedReference(
        section.name,
        specimen,
        spec.folder.specimen_tilts(specimen),
        spec.geometry.acquisition(specimen),
        spec.geometry.tilt_shape,
        mask_artefacts=spec.config.style.transfer.masks_artefacts,
    )


_OPENERS: dict[type, Callable[[DatasetSpec, Any], Reference]] = {
    TiltSeriesReference: _open_recorded,
    SimulatedSection: _open_simulated,
}


def open_reference(spec: DatasetSpec, name: str) -> Reference:
    """Return a recorded or simulated reference of a data set; its files are opened when they are first read.

    Parameters
    ----------
    spec
        Specification of the data set.
    name
        Name of a reference that is not a blend.
    """
    section = spec.references[name]
    return _OPENERS[type(section)](spec, section)
