"""The lens of an electron microscope: its phase, and the contrast transfer function of a weak object.

Sources: relativistic wavelength and interaction constant, Kirkland, *Advanced Computing in Electron
Microscopy* (2nd ed., 2010), section 2.3 and 5.1; contrast transfer function, Rohou & Grigorieff, J. Struct.
Biol. 192, 216 (2015); phase plates, Danev et al., PNAS 111, 15635 (2014).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_between
from faket_dask.kernels.frequency_grid import frequency_grid

VOLTAGE_RANGE_KV = (10.0, 3000.0)
"""Smallest and largest acceleration voltage."""

ABERRATION_RANGE_MM = (0.0, 100.0)
"""Smallest and largest spherical aberration."""

_PLANCK = 6.62607015e-34
_ELECTRON_MASS = 9.1093837015e-31
_ELEMENTARY_CHARGE = 1.602176634e-19
_LIGHT_SPEED = 299792458.0


@dataclass(frozen=True)
class Optics:
    """Constants of a microscope.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage.
    spherical_aberration_mm
        Cs of the objective lens.
    amplitude_contrast
        Fraction of the contrast that is amplitude contrast, 0 to 1.

    Raises
    ------
    ValueError
        Where a number lies outside its physical range.
    """

    voltage_kV: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.08

    def __post_init__(self) -> None:
        check_between("optics: voltage_kV", self.voltage_kV, *VOLTAGE_RANGE_KV)
        check_between("optics: spherical_aberration_mm", self.spherical_aberration_mm, *ABERRATION_RANGE_MM)
        check_between("optics: amplitude_contrast", self.amplitude_contrast, 0.0, 1.0)


@dataclass(frozen=True)
class Defocus:
    """Defocus of one tilt.

    Parameters
    ----------
    mean_um
        Mean defocus at the tilt axis in µm, underfocus positive.
    astigmatism_um
        Defocus along `astigmatism_angle` minus defocus across it, in µm.
    astigmatism_angle
        Angle of the larger defocus, in degrees from the x axis to the y axis.
    phase_shift
        Phase shift of a phase plate in degrees; 0 without one.

    Raises
    ------
    ValueError
        Where a number lies outside its physical range.
    """

    mean_um: float
    astigmatism_um: float = 0.0
    astigmatism_angle: float = 0.0
    phase_shift: float = 0.0

    def __post_init__(self) -> None:
        check_between("defocus: mean_um", self.mean_um, -100.0, 100.0)
        check_between("defocus: astigmatism_um", self.astigmatism_um, -100.0, 100.0)
        check_between("defocus: astigmatism_angle", self.astigmatism_angle, -360.0, 360.0)
        check_between("defocus: phase_shift", self.phase_shift, -360.0, 360.0)

    @property
    def along_um(self) -> float:
        """Defocus along the angle of astigmatism, the larger one where `astigmatism_um` is positive."""
        return self.mean_um + self.astigmatism_um / 2

    @property
    def across_um(self) -> float:
        """Defocus across the angle of astigmatism."""
        return self.mean_um - self.astigmatism_um / 2


def wavelength(voltage_kV: float) -> float:
    """Return the relativistic wavelength of an electron.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage in kV.

    Returns
    -------
    wavelength
        ``h / sqrt(2 m e U (1 + e U / 2 m c²))`` in Å.

    Examples
    --------
    >>> round(wavelength(300), 4)
    0.0197
    """
    energy = voltage_kV * 1e3 * _ELEMENTARY_CHARGE
    rest = _ELECTRON_MASS * _LIGHT_SPEED**2
    return 1e10 * _PLANCK / math.sqrt(2 * _ELECTRON_MASS * energy * (1 + energy / (2 * rest)))


def interaction_constant(voltage_kV: float) -> float:
    """Return the phase shift per projected potential, ``σ = 2π m_rel e λ / h²``.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage in kV.

    Returns
    -------
    sigma
        Radians per volt and Å.
    """
    energy = voltage_kV * 1e3 * _ELEMENTARY_CHARGE
    mass = _ELECTRON_MASS + energy / _LIGHT_SPEED**2
    length = wavelength(voltage_kV) * 1e-10
    return 2 * math.pi * mass * _ELEMENTARY_CHARGE * length / _PLANCK**2 * 1e-10


def aberration_phase(
    shape: tuple[int, int], pixel_size_A: float, optics: Optics, defocus: Defocus
) -> NDArray[np.float64]:
    """Return the phase χ that the lens adds to each spatial frequency, positive at underfocus.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    pixel_size_A
        Pixel edge in Å.
    optics
        Microscope.
    defocus
        Defocus of the tilt.

    Returns
    -------
    chi
        ``(y, x)``, unshifted as ``fft2`` has it: ``πλ Δf k² − π/2 Cs λ³ k⁴`` in radians, plus the phase plate's shift.
    """
    ky, kx = frequency_grid(shape, pixel_size_A)
    k2 = kx**2 + ky**2
    shift = 1e4 * defocus.mean_um * k2
    if defocus.astigmatism_um:
        # k² cos 2(azimuth − axis), without the azimuth, which k = 0 does not have.
        axis = math.radians(2 * defocus.astigmatism_angle)
        along = (kx**2 - ky**2) * math.cos(axis) + 2 * kx * ky * math.sin(axis)
        shift = shift + 0.5e4 * defocus.astigmatism_um * along
    length = wavelength(optics.voltage_kV)
    aberration = 0.5 * (optics.spherical_aberration_mm * 1e7) * length**3 * k2**2
    chi = np.pi * (length * shift - aberration)
    return chi + math.radians(defocus.phase_shift) if defocus.phase_shift else chi


def contrast_transfer(
    shape: tuple[int, int], pixel_size_A: float, optics: Optics, defocus: Defocus
) -> NDArray[np.float64]:
    """Return the contrast transfer function of a weak object.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    pixel_size_A
        Pixel edge in Å.
    optics
        Microscope.
    defocus
        Defocus of the tilt.

    Returns
    -------
    ctf
        ``(y, x)`` in [−1, 1], unshifted: ``−sqrt(1 − Q²) sin χ − Q cos χ``; relative contrast is
        ``2σ·ctf·V``.

    Examples
    --------
    >>> contrast_transfer((1, 4), 10.0, Optics(amplitude_contrast=0.1), Defocus(3.0)).round(2)
    array([[-0.1 , -0.95,  1.  , -0.95]])
    """
    chi = aberration_phase(shape, pixel_size_A, optics, defocus)
    fraction = optics.amplitude_contrast
    return -math.sqrt(1 - fraction**2) * np.sin(chi) - fraction * np.cos(chi)


def delocalisation(pixel_size_A: float, optics: Optics, defocus: Defocus) -> int:
    """Return the pixels by which the lens moves the finest detail sideways, ``dχ/dk / 2π``, which an edge reaches.

    Parameters
    ----------
    pixel_size_A
        Pixel edge in Å; its Nyquist frequency is the finest detail.
    optics
        Microscope.
    defocus
        Defocus of the tilt.

    Examples
    --------
    >>> delocalisation(10.0, Optics(), Defocus(3.0))
    7
    """
    length = wavelength(optics.voltage_kV)
    k = 0.5 / pixel_size_A
    largest = 1e4 * (abs(defocus.mean_um) + 0.5 * abs(defocus.astigmatism_um))
    shift = length * largest * k + optics.spherical_aberration_mm * 1e7 * length**3 * k**3
    return math.ceil(shift / pixel_size_A) + 4
