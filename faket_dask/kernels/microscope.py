"""A transmission electron microscope in a few formulae: from a projected potential to electron counts.

The specimen is one thin phase object, or several with free space between them. Its projected potential V (volts
times Å) is first blurred by radiation damage, shifts the phase of the beam by σV (σ the interaction constant) and
takes a little of its amplitude; the lens multiplies the exit wave's spectrum by exp(iχ), with a defocus that
changes across the image of a tilted specimen; ice takes electrons away by inelastic scattering; the detector counts
the electrons, with Poisson noise, and blurs them. In the weak limit the image is the familiar ``1 + 2σ·CTF·V``,
which is negative for dense matter at the usual underfocus: dense is dark.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_between
from faket_dask.kernels.defocus_gradient import divide_columns, find_margin
from faket_dask.kernels.detector import Detector
from faket_dask.kernels.displacement import STILL, Displacement
from faket_dask.kernels.exit_wave import Frame, Layer, leave_specimen
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.optics import Optics, aberration_phase
from faket_dask.kernels.plural_scattering import coherent_fraction
from faket_dask.kernels.sensor_faults import SensorFaults


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
        True if exposure takes away fine detail of all but gold and ice.
    plural_scattering
        True if electrons that the ice scatters elastically carry no contrast; see
        `faket_dask.kernels.plural_scattering`.
    energy_filter
        True if electrons that lost energy are taken away; otherwise they arrive as a background without contrast,
        the limit in which energy loss has put them out of focus.
    ice_wedge_deg
        Angle between the faces of the ice, which is thicker towards +x; `ice_thickness_A` holds at the tilt axis.

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
    plural_scattering: bool = True
    energy_filter: bool = True
    ice_wedge_deg: float = 0.0

    def __post_init__(self) -> None:
        check_between("microscope: ice_thickness_A", self.ice_thickness_A, 0.0, 1e6)
        check_between(
            "microscope: inelastic_mean_free_path_A", self.inelastic_mean_free_path_A, 1.0, math.inf
        )
        check_between("microscope: ice_wedge_deg", self.ice_wedge_deg, -45.0, 45.0)


def transmission(microscope: Microscope, tilt_angle: float) -> float:
    """Return the fraction of electrons that leave the tilted slab of ice, at the tilt axis, without energy loss.

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
    return float(transmission_across(microscope, tilt_angle, np.zeros(1))[0])


def transmission_across(
    microscope: Microscope, tilt_angle: float, distance_A: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the fraction of electrons without energy loss at distances from the tilt axis in the image.

    Parameters
    ----------
    microscope
        Thickness of the ice, its wedge, and mean free path.
    tilt_angle
        Degrees, within ±90 (not included).
    distance_A
        ``(x,)`` Å.
    """
    cosine = math.cos(math.radians(tilt_angle))
    wedge_A = math.tan(math.radians(microscope.ice_wedge_deg)) * distance_A / cosine
    thickness_A = np.maximum(microscope.ice_thickness_A + wedge_A, 0.0)
    return np.exp(-thickness_A / (cosine * microscope.inelastic_mean_free_path_A))


def contrast_left(microscope: Microscope, tilt_angle: float) -> float:
    """Return the share of a particle's contrast that scattering in the ice leaves.

    Without an energy filter, electrons that lost energy belong to the mean and carry no contrast either.

    Parameters
    ----------
    microscope
        Voltage, ice and filter.
    tilt_angle
        Degrees, within ±90 (not included).
    """
    elastic = _find_coherent_share(microscope, tilt_angle)
    return elastic if microscope.energy_filter else elastic * transmission(microscope, tilt_angle)


def _find_coherent_share(microscope: Microscope, tilt_angle: float) -> float:
    if not microscope.plural_scattering:
        return 1.0
    return coherent_fraction(microscope.ice_thickness_A, tilt_angle, microscope.optics.voltage_kV)


def simulate_tilt(
    potential: NDArray[np.floating],
    pixel_size_A: float,
    microscope: Microscope,
    exposure: Exposure,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Draw the electron counts of one tilt of a thin specimen.

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
        Angle, defocus and dose of the tilt; the angle thickens the ice by 1/cos. The defocus holds at the tilt axis
        and changes by ``−s·tan θ`` across it, s the distance from it.
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
    if potential.ndim != 2:
        raise ValueError(
            f"the projected potential must be a finite (y, x) image; it has shape {potential.shape}"
        )
    shape = (potential.shape[0], potential.shape[1])
    return simulate_layers([Layer(potential)], shape, pixel_size_A, microscope, exposure, rng)


def simulate_layers(
    layers: Iterable[Layer],
    shape: tuple[int, int],
    pixel_size_A: float,
    microscope: Microscope,
    exposure: Exposure,
    rng: np.random.Generator,
    displacement: Displacement = STILL,
    faults: SensorFaults | None = None,
) -> NDArray[np.float32]:
    """Draw the electron counts of one tilt of a specimen with gold, in one layer or several, that may move.

    Parameters
    ----------
    layers
        Layers of the specimen in the order in which the beam meets them; one is a thin specimen.
    shape
        ``(y, x)`` of the image.
    pixel_size_A, microscope, exposure, rng
        As in `simulate_tilt`.
    displacement
        Displacement of the image.
    faults
        Faults of the detector's pixels, if any.

    Returns
    -------
    counts
        ``(y, x)`` float32.

    Raises
    ------
    ValueError
        As `simulate_tilt`, or if there is no layer.
    """
    if not pixel_size_A > 0:
        raise ValueError(f"the pixel size ({pixel_size_A} Å) must be positive")
    optics = microscope.optics
    frame = Frame(shape, _margin(shape[1], pixel_size_A, microscope, exposure, displacement))
    wave, height_A = leave_specimen(
        layers, frame, pixel_size_A, optics, exposure, displacement, damage=microscope.damage, rng=rng
    )
    image = _focus(wave, frame, pixel_size_A, optics, _lower(exposure, height_A))
    del wave
    coherent = _find_coherent_share(microscope, exposure.tilt_angle)
    image *= coherent
    image += 1 - coherent
    columns = np.arange(image.shape[1]) - frame.margin - shape[1] // 2
    passing = transmission_across(microscope, exposure.tilt_angle, columns * pixel_size_A)
    image *= passing
    if not microscope.energy_filter:
        image += 1 - passing
    if displacement.blurs:
        blur = displacement.envelope(frame.padded_shape, pixel_size_A)
        image = scipy.fft.ifft2(scipy.fft.fft2(image) * blur).real
    image *= exposure.dose_e_per_A2 * pixel_size_A**2
    counts = frame.crop(microscope.detector.count(image, pixel_size_A, rng)).astype(np.float32)
    return counts if faults is None else faults.apply(counts, rng)


def _margin(
    columns: int, pixel_size_A: float, microscope: Microscope, exposure: Exposure, displacement: Displacement
) -> int:
    """Return the pixels by which lens and displacement reach over the image's edges."""
    half_um = 0.5e-4 * microscope.ice_thickness_A / math.cos(math.radians(exposure.tilt_angle))
    defocus = exposure.defocus
    thick = replace(defocus, mean_um=defocus.mean_um + math.copysign(half_um, defocus.mean_um))
    reach = find_margin(columns, pixel_size_A, microscope.optics, exposure.tilt_angle, thick)
    return reach + math.ceil(max(map(abs, displacement.shift_A)) / pixel_size_A)


def _lower(exposure: Exposure, height_A: float) -> Exposure:
    """Return an exposure whose defocus is that of a plane at a height along the beam over the tilt axis."""
    defocus = replace(exposure.defocus, mean_um=exposure.defocus.mean_um - 1e-4 * height_A)
    return replace(exposure, defocus=defocus)


def _focus(
    wave: NDArray[np.complex128], frame: Frame, pixel_size_A: float, optics: Optics, exposure: Exposure
) -> NDArray[np.float64]:
    """Return the intensity in the image plane, 1 where there is nothing: ``|wave through the lens|²``.

    Strips of the image, each with its own defocus and as much of its surroundings as the lens reaches, are put
    together with weights that overlap.
    """
    rows, columns = frame.padded_shape
    margin, width = frame.margin, frame.shape[1]
    image = np.zeros((rows, columns))
    strips = divide_columns(width, pixel_size_A, optics, exposure.tilt_angle, exposure.defocus)
    for defocus, first, weights in strips:
        # The margin beside the first and the last strip belongs to them.
        before = margin if first == 0 else 0
        behind = columns - margin - width if first + weights.size == width else 0
        weights = np.pad(weights.astype(np.float64), (before, behind), mode="edge")
        start = first + margin - before
        left, right = max(0, start - margin), min(columns, start + weights.size + margin)
        strip = wave[:, left:right]
        extra = scipy.fft.next_fast_len(strip.shape[1]) - strip.shape[1]
        strip = np.pad(strip, ((0, 0), (0, extra)), mode="symmetric")
        chi = aberration_phase((rows, strip.shape[1]), pixel_size_A, optics, defocus)
        focused = scipy.fft.ifft2(scipy.fft.fft2(strip) * np.exp(1j * chi), overwrite_x=True)
        seen = focused[:, start - left : start - left + weights.size]
        image[:, start : start + weights.size] += weights * (seen.real**2 + seen.imag**2)
    return image
