"""Acquisition: tilt angles, pixels, field of view, and the physics of the microscope.

Ranges are sampled for each specimen from the seed; all series of a specimen share the sample.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    Field,
    field_validator,
    model_validator,
)

from faket_dask.config.detector import DetectorSection
from faket_dask.config.imaging_errors import ErrorsSection
from faket_dask.config.limits import LARGEST_SIDE_PX, MOST_TILTS, PIXEL_SIZES_A
from faket_dask.config.multislice import MultisliceSection
from faket_dask.documents.section import Section
from faket_dask.geometry.angles import check_increasing, parse_angles
from faket_dask.kernels.microscope import Microscope
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.kernels.projector import Projector
from faket_dask.kernels.tilt_angles import LARGEST_TILT_DEG
from faket_dask.specimen.template import Sampling

WIDEST_PIXEL_RANGE = 1.02
"""Largest ratio of pixel sizes in a data set: references are resampled to the middle, and may be 1 % off."""


def _ordered(value: float | tuple[float, float]) -> float | tuple[float, float]:
    if isinstance(value, tuple) and value[0] > value[1]:
        raise ValueError(f"a range is [smallest, largest], not [{value[0]:g}, {value[1]:g}]")
    return value


Angle = Annotated[float, Field(gt=-LARGEST_TILT_DEG, lt=LARGEST_TILT_DEG)]
Step = Annotated[float, Field(gt=0, lt=2 * LARGEST_TILT_DEG)]
PixelSize = Annotated[float, Field(ge=PIXEL_SIZES_A[0], le=PIXEL_SIZES_A[1])]
Dose = Annotated[float, Field(gt=0, le=10_000)]
DefocusUm = Annotated[float, Field(ge=-100, le=100)]
DrawnAngle = Annotated[Angle | tuple[Angle, Angle], AfterValidator(_ordered)]
DrawnPixelSize = Annotated[PixelSize | tuple[PixelSize, PixelSize], AfterValidator(_ordered)]
DrawnDose = Annotated[Dose | tuple[Dose, Dose], AfterValidator(_ordered)]
DrawnDefocus = Annotated[DefocusUm | tuple[DefocusUm, DefocusUm], AfterValidator(_ordered)]
UnderfocusUm = Annotated[float, Field(ge=0.1, le=20)]
"""Defocus that recordings have; other values are mistaken units or signs."""
DrawnUnderfocus = Annotated[UnderfocusUm | tuple[UnderfocusUm, UnderfocusUm], AfterValidator(_ordered)]


def ends(value: float | tuple[float, float]) -> tuple[float, float]:
    """Return the ends of a range; a number is both of its ends.

    Examples
    --------
    >>> ends(2.0), ends((1.0, 3.0))
    ((2.0, 2.0), (1.0, 3.0))
    """
    return value if isinstance(value, tuple) else (value, value)


class AngleRange(Section):
    """Evenly spaced tilt angles: from end to end, or, for sampled ends, the multiples of the step between them."""

    start_deg: DrawnAngle = Field(description="smallest tilt angle, or a range to draw it from")
    stop_deg: DrawnAngle = Field(description="largest tilt angle, or a range to draw it from")
    step_deg: Step | tuple[Step, ...] = Field(description="one, or several to choose from")

    @model_validator(mode="after")
    def _has_steps(self) -> AngleRange:
        if self.steps_deg == ():
            raise ValueError("step_deg: the list of steps to choose from is empty")
        shortest = ends(self.stop_deg)[0] - ends(self.start_deg)[1]
        if shortest <= 0:
            raise ValueError("stop_deg must be greater than start_deg")
        longest = ends(self.stop_deg)[1] - ends(self.start_deg)[0]
        if longest / min(self.steps_deg) >= MOST_TILTS:
            raise ValueError(
                f"{longest:g}° in steps of {min(self.steps_deg):g}° are {longest / min(self.steps_deg) + 1:.3g} tilts; "
                f"a series has at most {MOST_TILTS}: give a larger step_deg"
            )
        if self.varies:
            if shortest < 2 * max(self.steps_deg):
                raise ValueError(
                    f"a range as short as {shortest:g}° may be sampled, too short for steps of {max(self.steps_deg):g}°"
                )
        else:
            steps = shortest / self.steps_deg[0]
            if abs(steps - round(steps)) > 1e-6:
                raise ValueError(f"{self.step_deg}° does not divide {self.start_deg}° … {self.stop_deg}°")
        return self

    @property
    def steps_deg(self) -> tuple[float, ...]:
        """Steps to choose from."""
        return self.step_deg if isinstance(self.step_deg, tuple) else (self.step_deg,)

    @property
    def varies(self) -> bool:
        """True if anything is sampled."""
        return any(isinstance(value, tuple) for value in (self.start_deg, self.stop_deg, self.step_deg))

    def angles(self, start_deg: float, stop_deg: float, step_deg: float) -> np.ndarray:
        """Return the tilt angles, ``(tilt,)`` degrees, for sampled ends and step."""
        if not self.varies:
            return start_deg + step_deg * np.arange(round((stop_deg - start_deg) / step_deg) + 1)
        return step_deg * np.arange(np.ceil(start_deg / step_deg), np.floor(stop_deg / step_deg) + 1)


class AcquisitionSection(Section):
    """Tilt angles, pixel size and detector of the synthetic microscope."""

    tilt_angles: AngleRange | Annotated[tuple[float, ...], Field(max_length=MOST_TILTS)]
    pixel_size_A: DrawnPixelSize = Field(description="pixel size, or a range to draw it from")
    detector_px: tuple[int, int] = Field(description="rows (along the tilt axis) and columns")
    projector: Projector = Field(
        default=Projector.PIXEL,
        description="pixel: integrates over the detector's pixels, at all angles alike; bilinear: sums interpolated "
        "samples along the rays, as published, and the default with the published style",
    )

    @field_validator("detector_px")
    @classmethod
    def _large_enough(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 32:
            raise ValueError("must be at least 32 x 32, two pixels of the network's deepest layer")
        if max(value) > LARGEST_SIDE_PX:
            raise ValueError(
                f"{value[0]} x {value[1]} pixels are more than any detector has, at most {LARGEST_SIDE_PX} along a "
                "side; is there a digit too many?"
            )
        return value

    @field_validator("pixel_size_A")
    @classmethod
    def _is_narrow(cls, value: float | tuple[float, float]) -> float | tuple[float, float]:
        smallest, largest = ends(value)
        if largest > WIDEST_PIXEL_RANGE * smallest:
            raise ValueError(
                f"{smallest:g} … {largest:g} Å is too wide: style and noise of a reference are measured at one "
                f"pixel size, so the largest ratio is {WIDEST_PIXEL_RANGE:g}; make several data sets instead"
            )
        return value

    @field_validator("tilt_angles")
    @classmethod
    def _increasing(cls, value: AngleRange | tuple[float, ...]) -> AngleRange | tuple[float, ...]:
        if isinstance(value, tuple):
            if not value:
                raise ValueError("the list of tilt angles is empty")
            check_increasing(parse_angles(value))
        return value

    @property
    def sampling(self) -> Sampling:
        """Frequencies that the voxels of built specimens keep for the projector."""
        return Sampling.SMOOTHED if self.projector is Projector.BILINEAR else Sampling.AVERAGED

    @property
    def varies(self) -> bool:
        """True if series differ in anything."""
        angles = self.tilt_angles
        return isinstance(self.pixel_size_A, tuple) or (isinstance(angles, AngleRange) and angles.varies)

    @property
    def end_angles_deg(self) -> tuple[float, float]:
        """Smallest and largest tilt angle that a series may have."""
        angles = self.tilt_angles
        if isinstance(angles, AngleRange):
            return ends(angles.start_deg)[0], ends(angles.stop_deg)[1]
        return min(angles), max(angles)

    @property
    def steepest_angle_deg(self) -> float:
        """Largest distance of a tilt angle from 0°."""
        return max(map(abs, self.end_angles_deg))

    @property
    def pixel_sizes_A(self) -> tuple[float, float]:
        """Smallest and largest pixel size."""
        return ends(self.pixel_size_A)

    @property
    def nominal_pixel_size_A(self) -> float:
        """Middle of the range of pixel sizes."""
        smallest, largest = self.pixel_sizes_A
        return (smallest + largest) / 2


class AstigmaticSection(Section):
    """Astigmatism of a lens, whatever its defocus."""

    astigmatism_um: float = Field(
        default=Defocus.astigmatism_um,
        ge=-100,
        le=100,
        description="defocus along the direction of astigmatism minus defocus across it",
    )
    astigmatism_angle_deg: float = Field(
        default=Defocus.astigmatism_angle,
        ge=-360,
        le=360,
        description="angle of the larger defocus, from the x axis to the y axis",
    )

    def to_defocus(self, mean_um: float) -> Defocus:
        """Return the defocus of a tilt whose mean is known."""
        return Defocus(mean_um, self.astigmatism_um, self.astigmatism_angle_deg)


class MicroscopeSection(AstigmaticSection):
    """Physics of simulated references and of the modality `benchmark`."""

    voltage_kV: float = Field(default=Optics.voltage_kV, ge=1, le=10_000, description="acceleration voltage")
    spherical_aberration_mm: float = Field(
        default=Optics.spherical_aberration_mm,
        ge=0,
        le=1000,
        description="coefficient of spherical aberration",
    )
    amplitude_contrast: float = Field(
        default=Optics.amplitude_contrast, ge=0, le=1, description="fraction of amplitude contrast"
    )
    defocus_um: DrawnDefocus = Field(default=3.0, description="positive is underfocus")
    dose_e_per_A2: DrawnDose = Field(default=2.0, description="per tilt")
    tilt_order: Literal["dose_symmetric", "increasing", "decreasing"] = Field(
        default="dose_symmetric", description="order of exposure, which sets the accumulated dose"
    )
    ice_thickness_A: float | None = Field(
        default=None,
        ge=0,
        le=1e6,
        description="thickness of the ice that takes electrons; by default that of the specimen",
    )
    inelastic_mean_free_path_A: float = Field(
        default=Microscope.inelastic_mean_free_path_A,
        ge=1,
        le=1e9,
        description="path in ice after which 1/e of the electrons have lost no energy",
    )
    plural_scattering: bool = Field(
        default=Microscope.plural_scattering,
        description="electrons that the ice scatters elastically carry no contrast",
    )
    energy_filter: bool = Field(
        default=Microscope.energy_filter,
        description="true: electrons that lost energy are taken away; false: they add a background without contrast",
    )
    damage: bool = Field(
        default=Microscope.damage,
        description="true: exposure takes away fine detail of everything but gold and ice",
    )
    ice_wedge_deg: float = Field(
        default=Microscope.ice_wedge_deg,
        ge=-45,
        le=45,
        description="angle between the faces of the ice, which is thicker towards +x",
    )
    detector: DetectorSection = DetectorSection()
    errors: ErrorsSection = ErrorsSection()
    multislice: MultisliceSection | None = Field(
        default=None, description="simulation in slices, for thick specimens and fine pixels; slow"
    )
    match_amplitudes: str | None = Field(
        default=None,
        description="recorded reference whose Fourier amplitudes simulated images get, ring by ring, as SHREC's did",
    )

    @property
    def varies(self) -> bool:
        """True if series differ in anything."""
        return isinstance(self.defocus_um, tuple) or isinstance(self.dose_e_per_A2, tuple)

    @property
    def optics(self) -> Optics:
        """Constants of the microscope."""
        return Optics(self.voltage_kV, self.spherical_aberration_mm, self.amplitude_contrast)

    def to_microscope(self, ice_thickness_A: float) -> Microscope:
        """Return the microscope with a specimen.

        Parameters
        ----------
        ice_thickness_A
            Thickness of the specimen at zero tilt, which is that of the ice unless the section gives another.

        Raises
        ------
        InputError
            If the detector's measured curve cannot be used.
        """
        return replace(self.to_column(ice_thickness_A), detector=self.detector.to_detector())

    def to_column(self, ice_thickness_A: float) -> Microscope:
        """Return the microscope with a specimen, and the usual detector in place of its own, whose file is not read."""
        return Microscope(
            self.optics,
            ice_thickness_A=ice_thickness_A if self.ice_thickness_A is None else self.ice_thickness_A,
            inelastic_mean_free_path_A=self.inelastic_mean_free_path_A,
            damage=self.damage,
            plural_scattering=self.plural_scattering,
            energy_filter=self.energy_filter,
            ice_wedge_deg=self.ice_wedge_deg,
        )
