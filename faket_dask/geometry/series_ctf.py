"""Contrast transfer of a recorded tilt-series, as its files tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

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
    is_target
        True if the defocus is the one that the microscope was asked for, False if it was estimated from the images or
        given by the user.
    """

    defocus: tuple[Defocus, ...]
    source: str
    voltage_kV: float | None = None
    spherical_aberration_mm: float | None = None
    amplitude_contrast: float | None = None
    is_target: bool = False

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> SeriesCtf:
        """Read what `dataclasses.asdict` returned, also after a JSON round trip.

        Examples
        --------
        >>> from dataclasses import asdict
        >>> ctf = SeriesCtf((Defocus(3.0),), "TS_01.mdoc", is_target=True)
        >>> SeriesCtf.from_json(asdict(ctf)) == ctf
        True
        """
        return cls(**{**document, "defocus": tuple(Defocus(**item) for item in document["defocus"])})

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

    def turn(self, angle_deg: ArrayLike) -> SeriesCtf:
        """Return the contrast transfer of images that are turned in their plane.

        Parameters
        ----------
        angle_deg
            Degrees from x towards y by which the images' content is turned: one number, or ``(tilt,)`` of them.

        Examples
        --------
        >>> SeriesCtf((Defocus(3.0, 0.2, 30.0),), "a.star").turn(170.0).defocus[0].astigmatism_angle
        20.0
        """
        angles = np.broadcast_to(np.asarray(angle_deg, dtype=np.float64), (len(self.defocus),))
        turned = (
            replace(defocus, astigmatism_angle=float((defocus.astigmatism_angle + angle) % 180))
            for defocus, angle in zip(self.defocus, angles, strict=True)
        )
        return replace(self, defocus=tuple(turned))

    def order_axes(self) -> SeriesCtf:
        """Return the same contrast transfer, the angle in each tilt that of the larger defocus, 0 to 180 degrees.

        Examples
        --------
        >>> SeriesCtf((Defocus(3.0, -0.2, 100.0),), "a.star").order_axes().defocus
        (Defocus(mean_um=3.0, astigmatism_um=0.2, astigmatism_angle=10.0, phase_shift=0.0),)
        """
        ordered = (
            replace(
                defocus,
                astigmatism_um=abs(defocus.astigmatism_um),
                astigmatism_angle=(defocus.astigmatism_angle + (90 if defocus.astigmatism_um < 0 else 0))
                % 180,
            )
            for defocus in self.defocus
        )
        return replace(self, defocus=tuple(ordered))
