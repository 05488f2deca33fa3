"""Parallel projection without interpolation: a tilt has all frequencies that the volume has, up to Nyquist.

By the central slice theorem the spectrum of a projection is the volume's spectrum on a plane through the origin. In a
y slice the plane is a line, on which the spectrum is evaluated exactly: a Fourier transform along x in every layer, and
a sum over layers that are shifted by their height (a phase). No frequency is attenuated and none is folded onto
another, whatever the angle, so all tilts have one resolution and one strength of noise; interpolation between voxels
attenuates by an amount that depends on the angle.

Voxels hold averages over their cubes (`faket_dask.specimen.template`), as the pixels of a detector average over their
squares. The two responses agree to 2 % up to 0.9 of Nyquist at every angle, so what is projected this way is integrated
over pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles, as_real
from faket_dask.kernels.projection import check_width

_STEEPEST = 3.0
"""Largest shift of a layer per height; beyond it, layers are taken along x instead of along z."""

_BLOCK = 16
"""Rows that share the phases of a sum: their spectra take less memory than 64 rows of voxels."""

_STEEP_BLOCK = 8
"""Rows where layers are taken along x, which are many."""

_CHIRP_LAYERS = 80
"""Layers that are summed in the time that a sum of all layers is evaluated at the detector's columns."""

_TRANSFORM_TILTS = 34
"""Tilts for which a coefficient of a layer is summed in the time that it is computed."""


class _Rays(NamedTuple):
    """Tilts whose layers are taken along one axis; a column x and a layer z are imaged at ``s = x cosine - z sine``.

    Parameters
    ----------
    tilts
        Indices of the tilts.
    cosine, sine
        Cosine and sine of their angles from the axis.
    slope
        Largest shift of a layer per height.
    block_rows
        Rows that are projected at once.
    """

    tilts: NDArray[np.intp]
    cosine: NDArray[np.float64]
    sine: NDArray[np.float64]
    slope: float
    block_rows: int


def _split_tilts(tilt_angles: ArrayLike) -> tuple[_Rays, _Rays]:
    """Return the rays of tilts whose layers are taken along z, and of those whose layers are taken along x."""
    angles = np.deg2rad(as_angles(tilt_angles))
    cosine, sine = np.cos(angles), np.sin(angles)
    steep = np.abs(sine) > _STEEPEST * np.abs(cosine)
    return (
        _Rays(np.flatnonzero(~steep), cosine[~steep], sine[~steep], _STEEPEST, _BLOCK),
        # With x and z exchanged, s = x cos - z sin reads s = z (-sin) - x (-cos).
        _Rays(np.flatnonzero(steep), -sine[steep], -cosine[steep], 1 / _STEEPEST, _STEEP_BLOCK),
    )


def project_pixels(
    volume: NDArray[np.generic],
    tilt_angles: ArrayLike,
    width: int | None = None,
) -> NDArray[np.float32]:
    """Return the negated projections of a volume of voxel averages at every tilt angle: dense specimens come out dark.

    A voxel at ``(z', x')`` from the centre adds ``sinc(s - x' cos(angle) + z' sin(angle))`` times its density to the
    detector column ``s`` from the centre (``sinc(u) = sin(π u) / (π u)``): the projection that has all frequencies
    below Nyquist unchanged. The geometry is that of `projection.project`, and at 0° the two agree.

    Parameters
    ----------
    volume
        ``(z, y, x)`` densities of any real type (converted to float32 by value). A block of y slices gives the same
        bytes as those rows of the whole volume.
    tilt_angles
        ``(tilt,)`` degrees.
    width
        Number of central columns to project, in voxels, at most ``x``; all of them if not given.

    Returns
    -------
    stack
        ``(tilt, y, width)`` float32 projections, in units of density times voxels.

    Raises
    ------
    ValueError
        If the volume is not three-dimensional, empty or not real, an angle is not finite, or the width is not
        between 1 and ``x``.

    Examples
    --------
    >>> volume = np.zeros((3, 1, 5))
    >>> volume[1, 0, 3] = 1
    >>> project_pixels(volume, [0.0])[0, 0].round(5) + 0.0
    array([ 0.,  0.,  0., -1.,  0.], dtype=float32)
    """
    volume = as_real("volume", "(z, y, x)", volume)
    gentle, steep = _split_tilts(tilt_angles)
    columns = check_width(width, volume.shape[2])
    stack = np.empty((gentle.tilts.size + steep.tilts.size, volume.shape[1], columns), dtype=np.float32)
    _project_layers(volume, gentle, stack)
    _project_layers(volume.transpose(2, 1, 0), steep, stack)
    return stack


def count_terms(shape: tuple[int, int, int], tilt_angles: ArrayLike) -> float:
    """Return the work of a projection: terms of the sums over layers, and all else in terms of equal time.

    Parameters
    ----------
    shape
        ``(z, y, x)`` of the volume.
    tilt_angles
        ``(tilt,)`` degrees.

    Examples
    --------
    >>> count_terms((200, 64, 1024), [0.0]) < count_terms((200, 64, 1024), [0.0, 30.0])
    True
    """
    _, rows, _ = shape
    terms = 0.0
    for rays, (depth, _, columns) in zip(_split_tilts(tilt_angles), (shape, shape[::-1]), strict=True):
        if rays.tilts.size:
            summed = np.abs(rays.cosine).sum() * (depth + _CHIRP_LAYERS) + _TRANSFORM_TILTS * depth
            terms += 0.5 * rows * _period(depth, columns, rays.slope) * float(summed)
    return terms


def measure_memory(shape: tuple[int, int, int], tilt_angles: ArrayLike) -> int:
    """Return the bytes of the spectra and sums that a projection holds beside its volume and its stack.

    Parameters
    ----------
    shape
        ``(z, y, x)`` of the volume.
    tilt_angles
        ``(tilt,)`` degrees.

    Examples
    --------
    >>> measure_memory((200, 64, 2048), [-60.0, 0.0, 60.0]) < 4 * 200 * 64 * 2048
    True
    """
    _, rows, _ = shape
    held = [0]
    for rays, (depth, _, columns) in zip(_split_tilts(tilt_angles), (shape, shape[::-1]), strict=True):
        if rays.tilts.size:
            coefficients = _period(depth, columns, rays.slope) * min(rows, rays.block_rows)
            held.append(4 * coefficients * (depth + 2 * rays.tilts.size))
    return max(held)


def _period(depth: int, columns: int, slope: float) -> int:
    """Return an even number of columns in which layers that are shifted by `slope` per height do not wrap around."""
    return int(2 * scipy.fft.next_fast_len(int(np.ceil((columns + slope * depth) / 2))))


def _project_layers(volume: NDArray[np.generic], rays: _Rays, stack: NDArray[np.float32]) -> None:
    """Fill the tilts of some rays in a stack."""
    if rays.tilts.size == 0:
        return
    depth, rows, columns = volume.shape
    width = stack.shape[2]
    period = _period(depth, columns, rays.slope)
    limits = 0.5 * period * np.abs(rays.cosine)
    last = np.minimum(np.ceil(limits - 0.5), period // 2).astype(np.int64)
    frequencies = int(last.max()) + 1
    chirps = [
        _Chirp(limit, count + 1, cosine, columns // 2, width, period)
        for limit, count, cosine in zip(limits, last, rays.cosine, strict=True)
    ]
    # Beyond the volume's shadow the sum over a period shows its repetitions.
    positions = np.abs(np.arange(width) - width // 2)
    shadows = 0.5 * (columns * np.abs(rays.cosine) + depth * np.abs(rays.sine)) + 1
    for start in range(0, rows, rays.block_rows):
        block = volume[:, start : start + rays.block_rows, :]
        spectra = _transform_layers(block, period, frequencies)
        sums = _sum_layers(spectra, 2 * np.pi / period * (rays.sine / rays.cosine), last)
        del spectra  # before the next ones are made
        for tilt, chirp, shadow, parts in zip(rays.tilts, chirps, shadows, sums, strict=True):
            values = chirp.evaluate(parts[:, 0] + 1j * parts[:, 1])
            # Subtracted from zero rather than negated: nothing is 0, not -0.
            stack[tilt, start : start + rays.block_rows] = np.where(positions > shadow, 0, 0 - values)


def _transform_layers(block: NDArray[np.generic], period: int, frequencies: int) -> NDArray[np.float32]:
    """Return the ``(frequency, layer, 2, y)`` spectra along x of a block ``(z, y, x)``."""
    depth, rows, _ = block.shape
    spectra = np.empty((frequencies, depth, 2, rows), dtype=np.float32)
    for layer in range(depth):
        values = scipy.fft.rfft(block[layer].astype(np.float32), period)[:, :frequencies].T
        spectra[:, layer, 0] = values.real
        spectra[:, layer, 1] = values.imag
    return spectra


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sum_layers(
    spectra: NDArray[np.float32], shift: NDArray[np.float64], last: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the ``(tilt, frequency, 2, y)`` sums over layers, each shifted by its height times `shift`.

    Parameters
    ----------
    spectra
        ``(frequency, layer, 2, y)`` real and imaginary parts.
    shift
        ``(tilt,)`` phase in radians per layer and frequency.
    last
        ``(tilt,)`` last frequency that is summed.
    """
    frequencies, depth, _, rows = spectra.shape
    sums = np.zeros((shift.size, frequencies, 2, rows), dtype=np.float32)
    for k in range(frequencies):
        for tilt in range(shift.size):
            if k > last[tilt]:
                continue
            real, imaginary = sums[tilt, k, 0], sums[tilt, k, 1]
            turn = k * shift[tilt]
            cosine, sine = np.cos(turn), np.sin(turn)
            a, b = np.cos(-turn * (depth // 2)), np.sin(-turn * (depth // 2))
            layer = 0
            # Two layers at a time: the running sums are then loaded and stored half as often.
            while layer + 2 <= depth:
                c, d = a * cosine - b * sine, a * sine + b * cosine
                wa, wb, wc, wd = np.float32(a), np.float32(b), np.float32(c), np.float32(d)
                p, q = spectra[k, layer, 0], spectra[k, layer, 1]
                r, s = spectra[k, layer + 1, 0], spectra[k, layer + 1, 1]
                for y in range(rows):
                    real[y] += (wa * p[y] - wb * q[y]) + (wc * r[y] - wd * s[y])
                    imaginary[y] += (wa * q[y] + wb * p[y]) + (wc * s[y] + wd * r[y])
                a, b = c * cosine - d * sine, c * sine + d * cosine
                layer += 2
            if layer < depth:
                wa, wb = np.float32(a), np.float32(b)
                p, q = spectra[k, layer, 0], spectra[k, layer, 1]
                for y in range(rows):
                    real[y] += wa * p[y] - wb * q[y]
                    imaginary[y] += wa * q[y] + wb * p[y]
    return sums


class _Chirp:
    """Trigonometric sum of a projection, evaluated at the detector's columns by Bluestein's algorithm.

    With ``2 j s = j² + s² - (s - j)²`` the sum over frequencies ``j`` is a convolution, for any spacing of the
    columns (Rabiner, Schafer & Rader, Bell Syst. Tech. J. 48, 1249, 1969).

    Parameters
    ----------
    limit
        Nyquist frequency of the detector, in steps of frequency.
    count
        Number of frequencies from zero.
    cosine
        Cosine of the tilt angle.
    centre
        Column of the volume that lies on the axis.
    width
        Number of detector columns.
    period
        Number of columns of the volume's transform.
    """

    def __init__(self, limit: float, count: int, cosine: float, centre: int, width: int, period: int) -> None:
        j = np.arange(count)
        s = np.arange(width) - width // 2
        step = np.pi / (period * cosine)
        # Each frequency but zero stands for its negative, too; the last for the part of its bin below Nyquist.
        share = np.where(j == 0, 1.0, 2.0) * np.clip(limit + 0.5 - j, 0.0, 1.0) / (period * abs(cosine))
        self._size = scipy.fft.next_fast_len(count + width - 1)
        self._before = (share * np.exp(1j * (step * j**2 + 2 * np.pi * centre / period * j))).astype(
            np.complex64
        )
        self._after = np.exp(1j * step * s**2).astype(np.complex64)
        lags = np.arange(s[0] - count + 1, s[-1] + 1)
        kernel = np.zeros(self._size, dtype=np.complex128)
        kernel[: lags.size] = np.exp(-1j * step * lags**2)
        self._kernel = scipy.fft.fft(kernel).astype(np.complex64)
        self._first = count - 1

    def evaluate(self, coefficients: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Return the ``(y, width)`` columns of the ``(frequency, y)`` coefficients."""
        terms = coefficients[: self._before.size].T * self._before
        spectrum = scipy.fft.fft(terms, self._size) * self._kernel
        values = scipy.fft.ifft(spectrum)[:, self._first : self._first + self._after.size]
        return np.real(values * self._after)
