"""Power that neighbouring aligned tilts have in common, by their cross-spectrum.

Structure of the specimen is in both of two neighbouring tilts, noise in one. The real part of their cross-spectrum is
therefore the power of the structure, and over the power of either tilt it is their coherence. The more tilted of the
two is stretched along x to the frame of the other one, in which the tilt axis is at column ``x // 2`` of both.

The result is a lower bound of the structure's power: it lacks what a slab loses between the two angles
(`faket_dask.kernels.similarity.slab_decorrelation`), what errors of the alignment blur, and what the dose between the
two tilts destroyed. Patterns that are fixed to the camera, and shading, are common power too, which is why pairs
further apart should have less of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
import scipy.interpolate
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles, check_image
from faket_dask.kernels.artefacts import artefact_mask, background, fill
from faket_dask.kernels.noise.spectra import count_coefficients, ring_frequencies, ring_means
from faket_dask.kernels.taper import hann_taper

LOW_TILT_DEG = 30.0
"""Largest tilt of those that are compared, unless another is given."""

WIDEST_STEP_DEG = 5.0
"""Angle between neighbouring tilts beyond which a slab leaves them nothing in common."""

_SMALLEST_TILT = 16
_ROUNDING_DEG = 0.5
"""Excess of a recorded angle over the nominal one that does not count."""

LEAST_VALID = 0.25
"""Share of the weight of two tilts that must be valid in both."""


@dataclass(frozen=True, eq=False)
class CommonPower:
    """Power of pairs of neighbouring tilts, and what of it they have in common.

    All powers are in the unit of the images squared: that of white noise is its variance. Means over the coefficients
    of an image's spectrum are variances.

    Parameters
    ----------
    frequency
        ``(ring,)`` cycles per pixel.
    number
        ``(ring,)`` coefficients of a tilt's spectrum in each ring, those of the other half plane included.
    tilt_angles
        ``(pair, 2)`` degrees.
    cross
        ``(pair, ring)`` real part of the cross-spectrum.
    power
        ``(pair, 2, ring)`` power of either tilt.
    flipped
        ``(pair, ring)`` as `cross`, with the second tilt turned upside down: nothing is common but shading.
    widening
        Variance of a power over that without a window: a window makes neighbouring coefficients alike.
    """

    frequency: NDArray[np.float64]
    number: NDArray[np.float64]
    tilt_angles: NDArray[np.float64]
    cross: NDArray[np.float64]
    power: NDArray[np.float64]
    flipped: NDArray[np.float64]
    widening: float

    @property
    def common(self) -> NDArray[np.float64]:
        """Common power ``(ring,)``, mean over the pairs; negative by chance where there is little."""
        return np.asarray(self.cross.mean(axis=0))

    @property
    def total(self) -> NDArray[np.float64]:
        """Power of a tilt ``(ring,)``, geometric mean of the two of a pair, mean over the pairs."""
        return np.asarray(np.sqrt(self.power.prod(axis=1)).mean(axis=0))

    @property
    def null(self) -> NDArray[np.float64]:
        """Common power ``(ring,)`` of pairs with one tilt turned upside down, mean over the pairs."""
        return np.asarray(self.flipped.mean(axis=0))

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error ``(ring,)`` of the common power, of noise and of the finite number of structures."""
        pairs = len(self.cross)
        shared = np.maximum(self.common, 0)
        alone = np.maximum(self.total - shared, 0)
        # An inner tilt belongs to two pairs: its noise times the structure counts twice.
        variance = shared**2 + (alone**2 / 2 + 2 * alone * shared) / pairs
        return np.asarray(np.sqrt(2 * variance * self.widening / np.maximum(self.number, 1)))

    @property
    def coherence(self) -> NDArray[np.float64]:
        """Coherence ``(ring,)``: common power over total power."""
        return self.common / self.total

    @property
    def null_coherence(self) -> NDArray[np.float64]:
        """Coherence ``(ring,)`` with one tilt turned upside down."""
        return self.null / self.total

    @property
    def coherence_error(self) -> NDArray[np.float64]:
        """Standard error ``(ring,)`` of the coherence; the structure's own scatter is in both powers and cancels."""
        coherence = np.clip(self.coherence, 0, 1)
        variance = (1 - coherence**2) ** 2 * (1 + coherence) / len(self.cross)
        return np.asarray(np.sqrt(variance * self.widening / np.maximum(self.number, 1)))

    def average_bands(self, edges: ArrayLike) -> CommonPower:
        """Average the rings within bands of frequency.

        Parameters
        ----------
        edges
            ``(band + 1,)`` increasing frequencies in cycles per pixel; a band includes its lower edge.

        Raises
        ------
        ValueError
            If a band holds no ring.
        """
        limits = np.asarray(edges, dtype=np.float64)
        band = np.searchsorted(limits, self.frequency, side="right") - 1
        member = (band[:, None] == np.arange(limits.size - 1)) * self.number[:, None]
        total = member.sum(axis=0)
        if not (total > 0).all():
            empty = int(np.argmin(total))
            raise ValueError(f"no ring lies between {limits[empty]} and {limits[empty + 1]} cycles per pixel")
        weights = member / total
        return replace(
            self,
            frequency=self.frequency @ weights,
            number=total,
            cross=self.cross @ weights,
            power=self.power @ weights,
            flipped=self.flipped @ weights,
        )


def centred_bands(frequencies: ArrayLike, width: float = 1.5) -> NDArray[np.float64]:
    """Return the edges ``(frequency, 2)`` of bands around frequencies, the upper `width` times the lower.

    Examples
    --------
    >>> centred_bands([0.1], 4.0)
    array([[0.05, 0.2 ]])
    """
    centres = np.asarray(frequencies, dtype=np.float64)
    return np.stack([centres / np.sqrt(width), centres * np.sqrt(width)], axis=1)


def pair_neighbours(
    tilt_angles: ArrayLike, step_deg: float | None = None, limit_deg: float = LOW_TILT_DEG
) -> list[tuple[int, int]]:
    """Pair the tilts of a series that are one step apart.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees, in any order.
    step_deg
        Angle between the tilts of a pair, to a quarter; the median distance of neighbours within the limit if not
        given.
    limit_deg
        Largest tilt of either.

    Returns
    -------
    pairs
        Indices of the tilts of each pair, by increasing angle; empty if there is none.

    Examples
    --------
    >>> pair_neighbours([0, 3, -3, 6, 15])
    [(2, 0), (0, 1), (1, 3)]
    """
    angles = as_angles(tilt_angles)
    if step_deg is None:
        tilted = np.sort(angles[np.abs(angles) <= limit_deg + _ROUNDING_DEG])
        step_deg = float(np.median(np.diff(tilted))) if tilted.size > 1 else 0.0
    pairs = []
    for first in np.argsort(angles):
        second = int(np.argmin(np.abs(angles - (angles[first] + step_deg))))
        near = abs(angles[second] - angles[first] - step_deg) <= step_deg / 4
        within = max(abs(angles[first]), abs(angles[second])) <= limit_deg + _ROUNDING_DEG
        if near and within and first != second:
            pairs.append((int(first), second))
    return pairs


def share_valid(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the share of the weight of two tilts that is valid in both; `measure_common_power` needs a quarter.

    Parameters
    ----------
    first, second
        ``(y, x)`` masks, true for valid pixels.

    Examples
    --------
    >>> half = np.arange(64)[None] < 32
    >>> round(share_valid(np.ones((64, 64), bool), np.broadcast_to(half, (64, 64))), 2)
    0.5
    """
    weight = _window(first.shape) ** 2
    return float(np.sum(weight * first * second) / np.sum(weight))


def measure_common_power(
    tilts: NDArray[np.generic] | Sequence[NDArray[np.generic]] | Callable[[int], NDArray[np.generic]],
    tilt_angles: ArrayLike,
    valid_masks: NDArray[np.bool_]
    | Sequence[NDArray[np.bool_]]
    | Callable[[int], NDArray[np.bool_]]
    | None = None,
    *,
    step_deg: float | None = None,
    limit_deg: float = LOW_TILT_DEG,
    rings: int | None = None,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> CommonPower:
    """Measure the power that tilts one step apart have in common.

    Parameters
    ----------
    tilts
        ``(tilt, y, x)`` aligned tilts in any unit, the tilt axis along y at column ``x // 2``; or a function that reads
        the tilt of an index. Two are in memory at a time.
    tilt_angles
        ``(tilt,)`` degrees, in any order.
    valid_masks
        ``(tilt, y, x)`` bool, false for beads, bad pixels and what lies outside the detector; by default they are
        looked for. They are replaced by their surroundings.
    step_deg, limit_deg
        Angle between the tilts of a pair, and largest tilt, as for `pair_neighbours`.
    rings
        Number of rings up to the Nyquist frequency; half the shorter side of a tilt if not given.
    pairs
        Indices of the tilts of each pair, in place of those of `pair_neighbours`.

    Returns
    -------
    power
        Powers of all pairs.

    Raises
    ------
    ValueError
        If there is no pair, a tilt is too small or not finite, shapes differ, or less than a quarter of a pair is
        valid.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> structure = rng.normal(size=(64, 64))
    >>> tilts = [structure + rng.normal(size=(64, 64)) for angle in (-0.1, 0, 0.1)]
    >>> power = measure_common_power(tilts, [-0.1, 0, 0.1], np.ones((3, 64, 64), bool))
    >>> power.average_bands([0.1, 0.4]).coherence.round(1)
    array([0.5])
    """
    angles = as_angles(tilt_angles, None if callable(tilts) else len(tilts))
    read = tilts if callable(tilts) else tilts.__getitem__
    read_mask = valid_masks if valid_masks is None or callable(valid_masks) else valid_masks.__getitem__
    pairs = pair_neighbours(angles, step_deg, limit_deg) if pairs is None else pairs
    if not pairs:
        wanted = "of neighbours" if step_deg is None else f"{step_deg:g} degrees apart"
        raise ValueError(f"no two tilts {wanted} lie within {limit_deg:g} degrees")
    prepared: dict[int, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}
    spectra = []
    for pair in pairs:
        prepared = {tilt: prepared[tilt] for tilt in pair if tilt in prepared}
        for tilt in pair:
            if tilt not in prepared:
                mask = None if read_mask is None else np.asarray(read_mask(tilt), dtype=np.bool_)
                prepared[tilt] = _flatten(np.asarray(read(tilt)), mask, tilt)
        first, second = (prepared[tilt] for tilt in pair)
        spectra.append(_compare_pair(first, second, angles[list(pair)], rings))
    shape = prepared[pairs[-1][0]][0].shape
    number = rings or min(shape) // 2
    weight = _window(shape) ** 2
    return CommonPower(
        ring_frequencies(number),
        count_coefficients(shape, number),
        angles[np.array(pairs)],
        np.stack([cross for cross, _, _ in spectra]),
        np.stack([power for _, power, _ in spectra]),
        np.stack([flipped for _, _, flipped in spectra]),
        float(np.mean(weight**2) / np.mean(weight) ** 2),
    )


def _flatten(
    tilt: NDArray[np.generic], valid: NDArray[np.bool_] | None, index: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a tilt without artefacts and shading, and its valid pixels."""
    check_image(f"tilt {index}", tilt, smallest=_SMALLEST_TILT)
    if not np.isfinite(tilt).all():
        raise ValueError(f"tilt {index} holds NaN or infinite values")
    valid = ~artefact_mask(tilt) if valid is None else valid
    if valid.shape != tilt.shape:
        raise ValueError(f"the mask of tilt {index} has the shape {valid.shape}, the tilt {tilt.shape}")
    return fill(np.asarray(tilt, dtype=np.float64) - background(tilt, ~valid), ~valid), valid


def _compare_pair(
    first: tuple[NDArray[np.float64], NDArray[np.bool_]],
    second: tuple[NDArray[np.float64], NDArray[np.bool_]],
    tilt_angles: NDArray[np.float64],
    rings: int | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return cross-power, powers and cross-power upside down of two tilts, ring by ring."""
    if first[0].shape != second[0].shape:
        raise ValueError(f"tilts must have one shape, got {first[0].shape} and {second[0].shape}")
    cosines = np.cos(np.deg2rad(tilt_angles))
    images, masks = zip(
        *(_stretch(*tilt, c / cosines.max()) for tilt, c in zip((first, second), cosines, strict=True)),
        strict=True,
    )
    shape = images[0].shape
    rings = rings or min(shape) // 2
    window = _window(shape)
    weight = window**2 / np.sum(window**2)
    both, upside_down = np.sum(weight * masks[0] * masks[1]), np.sum(weight * masks[0] * masks[1][::-1])
    if both < LEAST_VALID:
        raise ValueError(
            f"only {both:.0%} of the tilts at {tilt_angles[0]:g} and {tilt_angles[1]:g} degrees is valid in both"
        )
    spectra = [_transform(image * window) for image in images]
    powers = [
        ring_means(np.abs(spectrum) ** 2, shape, rings) / np.sum(weight * mask)
        for spectrum, mask in zip(spectra, masks, strict=True)
    ]
    cross, flipped = (
        ring_means((spectra[0] * np.conj(other)).real, shape, rings) / share
        for other, share in (
            (spectra[1], both),
            (_transform(images[1][::-1] * window), max(upside_down, LEAST_VALID)),
        )
    )
    scale = 1 / np.sum(window**2)
    return cross * scale, np.stack(powers) * scale, flipped * scale


def _stretch(
    image: NDArray[np.float64], valid: NDArray[np.bool_], ratio: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the tilt at ``ratio`` times the distance from the tilt axis of every column."""
    if ratio == 1:
        return image, valid
    columns = np.arange(image.shape[1], dtype=np.float64)
    places = (columns - image.shape[1] // 2) * ratio + image.shape[1] // 2
    stretched = scipy.interpolate.make_interp_spline(columns, image, k=5, axis=1)(places)
    return stretched, valid[:, np.floor(places).astype(int)] & valid[:, np.ceil(places).astype(int)]


def _window(shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.outer(*map(hann_taper, shape))


def _transform(image: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(scipy.fft.rfft2(image))
