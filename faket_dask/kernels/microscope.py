"""A transmission electron microscope in a few formulae: from a projected potential to electron counts.

The specimen is one thin phase object. Its projected potential V (volts times Å) is first blurred by
radiation damage, shifts the phase of the beam by σV (σ the interaction constant) and takes a little of its
amplitude; the lens multiplies the exit wave's spectrum by exp(iχ); ice takes electrons away by inelastic
scattering; the detector counts the electrons, with Poisson noise, and blurs them. In the weak limit the image
is the familiar ``1 + 2σ·CTF·V``, which is negative for dense matter at the usual underfocus: dense is dark.

Sources: relativistic wavelength and interaction constant, Kirkland, *Advanced Computing in Electron
Microscopy* (2nd ed., 2010), section 2.3 and 5.1; contrast transfer function, Rohou & Grigorieff, J. Struct.
Biol. 192, 216 (2015); exposure damage, Grant & Grigorieff, eLife 4, e06980 (2015); detector with separate
signal and noise transfer, Vulovic et al., J. Struct. Biol. 183, 19 (2013).
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.tilt_angles import RANGE_TEXT, find_impossible_angles

_PLANCK = 6.62607015e-34
_ELECTRON_MASS = 9.1093837015e-31
_ELEMENTARY_CHARGE = 1.602176634e-19
_LIGHT_SPEED = 299792458.0


@dataclass(frozen=True)
class Optics:
    """Microscope, ice and detector, the same for all tilts of a series.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage.
    spherical_aberration_mm
        Cs of the objective lens.
    amplitude_contrast
        Fraction of the contrast that is amplitude contrast, 0 to 1.
    astigmatism_um
        Defocus along ``astigmatism_angle`` minus defocus across it, in µm.
    astigmatism_angle
        Angle of the larger defocus, in degrees from the x axis to the y axis.
    ice_thickness_A
        Thickness of the ice at zero tilt, in Å.
    inelastic_mean_free_path_A
        Path after which 1/e of the electrons have not lost energy, in Å; with an energy filter the others are
        lost (about 3,100 Å in vitreous ice at 300 kV, Rice et al., J. Struct. Biol. 204, 38, 2018).
    damage
        True if exposure takes away fine detail.
    detector_pixel_size_A
        Pixel size at which the detector's transfer is given, in Å; ``None`` takes the image's. Smaller than
        the image's for binned images, of which the detector then blurs little.
    dqe_zero, dqe_nyquist
        Detective quantum efficiency at zero and at the detector's Nyquist frequency.
    mtf_nyquist
        Modulation transfer at the detector's Nyquist frequency; it is 1 at zero.

    Raises
    ------
    ValueError
        Where a number lies outside its physical range.
    """

    voltage_kV: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.08
    astigmatism_um: float = 0.0
    astigmatism_angle: float = 0.0
    ice_thickness_A: float = 1500.0
    inelastic_mean_free_path_A: float = 3100.0
    damage: bool = True
    detector_pixel_size_A: float | None = None
    dqe_zero: float = 0.9
    dqe_nyquist: float = 0.4
    mtf_nyquist: float = 0.5

    def __post_init__(self) -> None:
        for name, low, high in (
            ("voltage_kV", 10.0, 3000.0),
            ("spherical_aberration_mm", 0.0, 100.0),
            ("amplitude_contrast", 0.0, 1.0),
            ("astigmatism_um", -100.0, 100.0),
            ("astigmatism_angle", -360.0, 360.0),
            ("ice_thickness_A", 0.0, 1e6),
            ("inelastic_mean_free_path_A", 1.0, math.inf),
            ("dqe_zero", 1e-3, 1.0),
            ("dqe_nyquist", 1e-3, 1.0),
            ("mtf_nyquist", 1e-3, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"optics: {name} is {value}; it lies between {low:g} and {high:g}")
        if self.detector_pixel_size_A is not None and not self.detector_pixel_size_A > 0:
            raise ValueError(f"optics: detector_pixel_size_A is {self.detector_pixel_size_A}; it is positive")


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
    shape: tuple[int, int], pixel_size_A: float, optics: Optics, defocus_um: float
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
    defocus_um
        Mean defocus in µm, underfocus positive.

    Returns
    -------
    chi
        ``(y, x)``, unshifted as ``fft2`` has it: ``πλ Δf k² − π/2 Cs λ³ k⁴`` in radians.
    """
    ky = np.fft.fftfreq(shape[0], pixel_size_A)[:, None]
    kx = np.fft.fftfreq(shape[1], pixel_size_A)[None, :]
    k2 = kx**2 + ky**2
    defocus = 1e4 * defocus_um * k2
    if optics.astigmatism_um:
        # k² cos 2(azimuth − axis), without the azimuth, which k = 0 does not have.
        axis = math.radians(2 * optics.astigmatism_angle)
        along = (kx**2 - ky**2) * math.cos(axis) + 2 * kx * ky * math.sin(axis)
        defocus = defocus + 0.5e4 * optics.astigmatism_um * along
    length = wavelength(optics.voltage_kV)
    aberration = 0.5 * (optics.spherical_aberration_mm * 1e7) * length**3 * k2**2
    return np.pi * (length * defocus - aberration)


def contrast_transfer(
    shape: tuple[int, int], pixel_size_A: float, optics: Optics, defocus_um: float
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
    defocus_um
        Mean defocus in µm, underfocus positive.

    Returns
    -------
    ctf
        ``(y, x)`` in [−1, 1], unshifted: ``−sqrt(1 − Q²) sin χ − Q cos χ``; relative contrast is
        ``2σ·ctf·V``.
    """
    chi = aberration_phase(shape, pixel_size_A, optics, defocus_um)
    fraction = optics.amplitude_contrast
    return -math.sqrt(1 - fraction**2) * np.sin(chi) - fraction * np.cos(chi)


def critical_exposure(frequency: NDArray[np.float64], voltage_kV: float) -> NDArray[np.float64]:
    """Return the exposure at which a spatial frequency's signal has fallen to ``exp(−1/2)``.

    Parameters
    ----------
    frequency
        Any shape, 1/Å.
    voltage_kV
        Acceleration voltage; the factor is 1 at 300 kV, 0.8 at 200 kV, and linear between the two.

    Returns
    -------
    exposure
        Same shape, electrons per Å²: ``0.245 k^−1.665 + 2.81``; infinite at zero frequency.
    """
    with np.errstate(divide="ignore"):
        exposure = 0.245 * np.power(frequency, -1.665) + 2.81
    return exposure * np.interp(voltage_kV, (200.0, 300.0), (0.8, 1.0))


def damage_envelope(
    shape: tuple[int, int], pixel_size_A: float, voltage_kV: float, exposure_before: float, dose: float
) -> NDArray[np.float64]:
    """Return the share of the signal that is left, averaged over one exposure.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    pixel_size_A
        Pixel edge in Å.
    voltage_kV
        Acceleration voltage.
    exposure_before, dose
        Electrons per Å² before and during the exposure.

    Returns
    -------
    envelope
        ``(y, x)`` in [0, 1], unshifted: the mean of ``exp(−N / 2 N_c(k))`` over N during the exposure.
    """
    ky = np.fft.fftfreq(shape[0], pixel_size_A)[:, None]
    kx = np.fft.fftfreq(shape[1], pixel_size_A)[None, :]
    rate = 0.5 / critical_exposure(np.hypot(kx, ky), voltage_kV)
    spent = rate * dose
    # (1 − exp(−s)) / s, and its limit where nothing is spent.
    mean = np.where(spent > 1e-9, -np.expm1(-spent) / np.maximum(spent, 1e-9), 1.0)
    return np.exp(-rate * exposure_before) * mean


def transmission(optics: Optics, tilt_angle: float) -> float:
    """Return the fraction of electrons that leave the tilted slab of ice without energy loss.

    Parameters
    ----------
    optics
        Thickness of the ice and mean free path.
    tilt_angle
        Degrees, within ±90 (not included).

    Returns
    -------
    fraction
        ``exp(−t / (Λ cos θ))``.
    """
    return math.exp(
        -optics.ice_thickness_A / (optics.inelastic_mean_free_path_A * math.cos(math.radians(tilt_angle)))
    )


def simulate_tilt(
    potential: NDArray[np.floating],
    pixel_size_A: float,
    optics: Optics,
    tilt_angle: float,
    defocus_um: float,
    dose_e_per_A2: float,
    exposure_before_e_per_A2: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Draw the electron counts of one tilt.

    Parameters
    ----------
    potential
        ``(y, x)`` projected potential over that of ice, in volts times Å, dense positive: minus the noiseless
        projection (in volts) times the voxel size.
    pixel_size_A
        Pixel edge in Å.
    optics
        Microscope, ice and detector.
    tilt_angle
        Degrees, within ±90 (not included); thickens the ice by 1/cos.
    defocus_um
        Defocus of this tilt in µm, underfocus positive.
    dose_e_per_A2
        Electrons per Å² that fall on this tilt.
    exposure_before_e_per_A2
        Electrons per Å² that the specimen took before this tilt.
    rng
        Source of the counting noise.

    Returns
    -------
    counts
        ``(y, x)`` float32; their mean over ice alone is dose × pixel area × transmission × ``dqe_zero``, and
        amplitude contrast takes a little of it where there is matter.

    Raises
    ------
    ValueError
        If the potential is not a finite image, the pixel size or the dose is not positive, the exposure is
        negative, or the angle is not within ±90 degrees.
    """
    if potential.ndim != 2 or not np.isfinite(potential).all():
        raise ValueError(
            f"the projected potential must be a finite (y, x) image; it has shape {potential.shape}"
        )
    if not (pixel_size_A > 0 and dose_e_per_A2 > 0 and exposure_before_e_per_A2 >= 0):
        raise ValueError(
            f"pixel size ({pixel_size_A} Å) and dose ({dose_e_per_A2} e/Å²) must be positive, "
            f"and earlier exposure ({exposure_before_e_per_A2} e/Å²) not negative"
        )
    if find_impossible_angles(tilt_angle):
        raise ValueError(f"tilt angle is {tilt_angle}°; {RANGE_TEXT}")
    margin = _delocalisation(potential.shape, pixel_size_A, optics, defocus_um)
    padded = np.pad(potential.astype(np.float64), margin, mode="symmetric")
    if optics.damage:
        envelope = damage_envelope(
            padded.shape, pixel_size_A, optics.voltage_kV, exposure_before_e_per_A2, dose_e_per_A2
        )
        padded = _filtered(padded, envelope)
    image = _image(padded, pixel_size_A, optics, defocus_um)
    electrons = dose_e_per_A2 * pixel_size_A**2 * transmission(optics, tilt_angle)
    counts = _detect(image * electrons, pixel_size_A, optics, rng)
    height, width = potential.shape
    return counts[margin : margin + height, margin : margin + width].astype(np.float32)


def _delocalisation(shape: tuple[int, ...], pixel_size_A: float, optics: Optics, defocus_um: float) -> int:
    """Return the pixels by which the lens moves the finest detail sideways, ``dχ/dk / 2π``, which an edge reaches."""
    length = wavelength(optics.voltage_kV)
    k = 0.5 / pixel_size_A
    defocus = 1e4 * (abs(defocus_um) + 0.5 * abs(optics.astigmatism_um))
    shift = length * defocus * k + optics.spherical_aberration_mm * 1e7 * length**3 * k**3
    return min(math.ceil(shift / pixel_size_A) + 4, min(shape))


def _filtered(image: NDArray[np.float64], transfer: NDArray[np.float64]) -> NDArray[np.float64]:
    return scipy.fft.ifft2(scipy.fft.fft2(image) * transfer).real


def _image(
    potential: NDArray[np.float64], pixel_size_A: float, optics: Optics, defocus_um: float
) -> NDArray[np.float64]:
    """Return the intensity in the image plane, 1 where there is nothing: ``|exit wave through the lens|²``."""
    fraction = optics.amplitude_contrast
    shift = interaction_constant(optics.voltage_kV) * potential
    exit_wave = np.exp(shift * complex(-fraction, math.sqrt(1 - fraction**2)))
    chi = aberration_phase(potential.shape, pixel_size_A, optics, defocus_um)
    wave = scipy.fft.ifft2(scipy.fft.fft2(exit_wave) * np.exp(1j * chi))
    return wave.real**2 + wave.imag**2


def _detect(
    electrons: NDArray[np.float64], pixel_size_A: float, optics: Optics, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw counts: the signal goes through sqrt(DQE), counts with their noise through MTF / sqrt(DQE)."""
    detector = optics.detector_pixel_size_A or pixel_size_A
    fy = np.fft.fftfreq(electrons.shape[0], pixel_size_A)[:, None]
    fx = np.fft.fftfreq(electrons.shape[1], pixel_size_A)[None, :]
    # Both transfer functions are Gaussians through their values at zero and at the detector's Nyquist
    # frequency.
    falloff = (2 * detector) ** 2 * (fx**2 + fy**2)
    signal = np.sqrt((optics.dqe_nyquist / optics.dqe_zero) ** falloff)
    modulation = optics.mtf_nyquist**falloff
    expected = optics.dqe_zero * np.maximum(_filtered(electrons, signal), 0.0)
    return _filtered(rng.poisson(expected).astype(np.float64), modulation / signal)
