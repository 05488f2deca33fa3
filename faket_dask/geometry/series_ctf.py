"""Contrast transfer of a recorded tilt-series, as its files tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from faket_dask.kernels.optics import Defocus, Optics


@dataclass(frozen=True)
class SeriesCtf:
    """Defocus of each tilt, and the microscope's constants where the files name them.

    Parameters
    ----------
    defocus
        Defocus of each tilt, in the order of the series.
    source
        File that it was read from, for messages.
    voltage_kV, spherical_aberration_mm, amplitude_contrast
        Constants as in `faket_dask.kernels.optics.Optics`; ``None`` where the files do not say.
    """

    defocus: tuple[Defocus, ...]
    source: str
    voltage_kV: float | None = None
    spherical_aberration_mm: float | None = None
    amplitude_contrast: float | None = None

    def complete(self, optics: Optics) -> Optics:
        """Return the constants that the files name, and others where they name none.

        Parameters
        ----------
        optics
            Constants to take where the files name none.

        Examples
        --------
        >>> SeriesCtf((Defocus(3.0),), "TS_01.mdoc", voltage_kV=200.0).complete(Optics())
        Optics(voltage_kV=200.0, spherical_aberration_mm=2.7, amplitude_contrast=0.08)
        """
        named = {
            name: value
            for name in ("voltage_kV", "spherical_aberration_mm", "amplitude_contrast")
            if (value := getattr(self, name)) is not None
        }
        return replace(optics, **named)

    def select(self, tilts: Sequence[int]) -> SeriesCtf:
        """Return the contrast transfer of some tilts, in the order that they are given in.

        Parameters
        ----------
        tilts
            Positions in this series.
        """
        return replace(self, defocus=tuple(self.defocus[tilt] for tilt in tilts))

    def turn(self, angle_deg: float) -> SeriesCtf:
        """Return the contrast transfer of images that are turned in their plane.

        Parameters
        ----------
        angle_deg
            Degrees from x towards y by which the images' content is turned.

        Examples
        --------
        >>> SeriesCtf((Defocus(3.0, 0.2, 30.0),), "a.star").turn(170.0).defocus[0].astigmatism_angle
        20.0
        """
        turned = (
            replace(defocus, astigmatism_angle=(defocus.astigmatism_angle + angle_deg) % 180)
            for defocus in self.defocus
        )
        return replace(self, defocus=tuple(turned))
