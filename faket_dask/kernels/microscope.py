"""A transmission electron microscope in a few formulae: from a projected potential to electron counts.

The specimen is one thin phase object. Its projected potential V (volts times Å) is first blurred by
radiation damage, shifts the phase of the beam by σV (σ the interaction constant) and takes a little of its
amplitude; the lens multiplies the exit wave's spectrum by exp(iχ); ice takes electrons away by inelastic
scattering; the detector counts the electrons, with Poisson noise, and blurs them. In the weak limit the image
is the familiar ``1 + 2σ·CTF·V``, which is negative for dense matter at the usual underfocus: dense is dark.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_between
from faket_dask.kernels.detector import Detector
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.optics import Defocus, Optics, aberration_phase, delocalisation, interaction_constant
from faket_dask.kernels.radiation_damage import damage_envelope


@dataclass(frozen=True)
class Microscope:
    """Lens, detector and ice, the same for all tilts of a series.

    Parameters
    ----------
    optics
        Lens and electrons.
    detector
        Detector.
    ice_thickness_A
        Thickness of the ice at zero tilt, in Å.
    inelastic_mean_free_path_A
        Path after which 1/e of the electrons have not lost energy, in Å (about 3,100 Å in vitreous ice at 300 kV,
        Rice et al., J. Struct. Biol. 204, 38, 2018).
    damage
        True if exposure takes away fine detail.
    energy_filter
        True if electrons that lost energy are taken away; otherwise they arrive as a background without contrast,
        the limit in which energy loss has put them out of focus.

    Raises
    ------
    ValueError
        Where a number lies outside its physical range.
    """

    optics: Optics = field(default_factory=Optics)
    detector: Detector = field(default_factory=Detector)
    ice_thickness_A: float = 1500.0
    inelastic_mean_free_path_A: float = 3100.0
    damage: bool = True
    energy_filter: bool = True

    def __post_init__(self) -> None:
        check_between("microscope: ice_thickness_A", self.ice_thickness_A, 0.0, 1e6)
        check_between(
            "microscope: inelastic_mean_free_path_A", self.inelastic_mean_free_path_A, 1.0, math.inf
        )


def transmission(microscope: Microscope, tilt_angle: float) -> float:
    """Return the fraction of electrons that leave the tilted slab of ice without energy loss.

    Parameters
    ----------
    microscope
        Thickness of the ice and mean free path.
    tilt_angle
        Degrees, within ±90 (not included).

    Returns
    -------
    fraction
        ``exp(−t / (Λ cos θ))``.
    """
    path = microscope.ice_thickness_A / math.cos(math.radians(tilt_angle))
    return math.exp(-path / microscope.inelastic_mean_free_path_A)


def simulate_tilt(
    potential: NDArray[np.floating],
    pixel_size_A: float,
    microscope: Microscope,
    exposure: Exposure,
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
    microscope
        Lens, detector and ice.
    exposure
        Angle, defocus and dose of the tilt; the angle thickens the ice by 1/cos.
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
        If the potential is not a finite image, or the pixel size is not positive.
    """
    if potential.ndim != 2 or not np.isfinite(potential).all():
        raise ValueError(
            f"the projected potential must be a finite (y, x) image; it has shape {potential.shape}"
        )
    if not pixel_size_A > 0:
        raise ValueError(f"the pixel size ({pixel_size_A} Å) must be positive")
    optics = microscope.optics
    margin = min(delocalisation(pixel_size_A, optics, exposure.defocus), *potential.shape)
    padded = np.pad(potential.astype(np.float64), margin, mode="symmetric")
    if microscope.damage:
        envelope = damage_envelope(
            padded.shape, pixel_size_A, optics.voltage_kV, exposure.before_e_per_A2, exposure.dose_e_per_A2
        )
        padded = scipy.fft.ifft2(scipy.fft.fft2(padded) * envelope).real
    image = _image(padded, pixel_size_A, optics, exposure.defocus)
    electrons = exposure.dose_e_per_A2 * pixel_size_A**2 * transmission(microscope, exposure.tilt_angle)
    counts = microscope.detector.count(image * electrons, pixel_size_A, rng)
    height, width = potential.shape
    return counts[margin : margin + height, margin : margin + width].astype(np.float32)


def _image(
    potential: NDArray[np.float64], pixel_size_A: float, optics: Optics, defocus: Defocus
) -> NDArray[np.float64]:
    """Return the intensity in the image plane, 1 where there is nothing: ``|exit wave through the lens|²``."""
    fraction = optics.amplitude_contrast
    shift = interaction_constant(optics.voltage_kV) * potential
    exit_wave = np.exp(shift * complex(-fraction, math.sqrt(1 - fraction**2)))
    chi = aberration_phase((potential.shape[0], potential.shape[1]), pixel_size_A, optics, defocus)
    wave = scipy.fft.ifft2(scipy.fft.fft2(exit_wave) * np.exp(1j * chi))
    return wave.real**2 + wave.imag**2
