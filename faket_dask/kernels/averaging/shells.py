"""Agreement of two averages by shells of frequencies."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray


def shell_frequencies(edge: int) -> NDArray[np.float64]:
    """Return the frequencies ``(edge // 2,)`` of the shells in cycles per voxel, the mean left out.

    Examples
    --------
    >>> shell_frequencies(8)
    array([0.125, 0.25 , 0.375, 0.5  ])
    """
    return np.arange(1, edge // 2 + 1) / edge


def correlate_shells(
    first: NDArray[np.complexfloating],
    second: NDArray[np.complexfloating],
    measured: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Compute the Fourier shell correlation, Re Σ F₁ F₂* / sqrt(Σ F₁ F₁* · Σ F₂ F₂*) over each shell.

    Parameters
    ----------
    first, second
        ``(n, n, n // 2 + 1)`` spectra as ``rfftn`` returns them.
    measured
        Coefficients that both have measured; the others are left out. By default all.

    Returns
    -------
    correlation
        ``(n // 2,)``, of shells one coefficient wide; NaN for one without measured coefficients.

    Examples
    --------
    >>> spectrum = scipy.fft.rfftn(np.random.default_rng(0).normal(size=(8, 8, 8)))
    >>> correlate_shells(spectrum, 2 * spectrum).round(6)
    array([1., 1., 1., 1.])
    """
    edge = first.shape[0]
    shell, count = _divide_shells(edge)
    if measured is not None:
        count = count * measured

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return _sum_shells(shell, count * values)

    a, b = first.astype(np.complex128), second.astype(np.complex128)
    product = total((a * np.conj(b)).real)
    power = np.sqrt(total(np.abs(a) ** 2) * total(np.abs(b) ** 2))
    return np.divide(product, power, out=np.full(edge // 2, np.nan), where=power > 0)


def count_coefficients(measured: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the coefficients that were measured in each shell, both of a conjugate pair.

    Parameters
    ----------
    measured
        ``(n, n, n // 2 + 1)``.

    Examples
    --------
    >>> count_coefficients(np.ones((8, 8, 5), np.bool_))
    array([ 18.,  62.,  98., 171.])
    """
    shell, count = _divide_shells(measured.shape[0])
    return _sum_shells(shell, count * measured)


def _divide_shells(edge: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the shell of each coefficient of ``rfftn``, and how many of the full spectrum it stands for."""
    full, half = np.fft.fftfreq(edge, 1 / edge), np.fft.rfftfreq(edge, 1 / edge)
    radius = np.sqrt(full[:, None, None] ** 2 + full[None, :, None] ** 2 + half[None, None, :] ** 2)
    count = np.where((half > 0) & (half < edge / 2), 2.0, 1.0) * np.ones(radius.shape)
    return np.rint(radius).astype(np.intp), count


def _sum_shells(shell: NDArray[np.intp], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sum over each shell, without the mean and the corners beyond Nyquist."""
    last = shell.shape[0] // 2
    return np.asarray(np.bincount(shell.ravel(), values.ravel(), last + 1)[1 : last + 1], dtype=np.float64)


def randomise_phases(volume: NDArray[np.floating], limit: float, seed: int) -> NDArray[np.float32]:
    """Return a volume with random phases beyond a frequency, its amplitudes as they are.

    Parameters
    ----------
    volume
        ``(n, n, n)``.
    limit
        Frequency in cycles per voxel up to which phases are kept.
    seed
        Seed of the phases.
    """
    edge = volume.shape[0]
    spectrum = scipy.fft.rfftn(volume.astype(np.float64))
    noise = scipy.fft.rfftn(np.random.default_rng(seed).standard_normal(volume.shape))
    full, half = np.fft.fftfreq(edge), np.fft.rfftfreq(edge)
    radius = np.sqrt(full[:, None, None] ** 2 + full[None, :, None] ** 2 + half[None, None, :] ** 2)
    random = np.abs(spectrum) * noise / np.maximum(np.abs(noise), np.finfo(np.float64).tiny)
    return scipy.fft.irfftn(np.where(radius > limit, random, spectrum), volume.shape).astype(np.float32)


def correct_for_mask(
    masked: NDArray[np.float64], randomised: NDArray[np.float64], first: int
) -> NDArray[np.float64]:
    """Remove what a mask adds to a Fourier shell correlation.

    Chen et al., Ultramicroscopy 135, 24 (2013): (c − r) / (1 − r) with the correlation r of the masked volumes with
    random phases, from two shells beyond where these begin; nearer, the mask mixes in true phases.

    Parameters
    ----------
    masked, randomised
        ``(shell,)`` correlations of the masked volumes as they are, and with random phases.
    first
        Shell from which on phases are random.

    Examples
    --------
    >>> correct_for_mask(np.array([0.9, 0.8, 0.5, 0.5]), np.array([1.0, 0.6, 0.2, 0.2]), 0)
    array([0.9  , 0.8  , 0.375, 0.375])
    """
    corrected = masked.copy()
    beyond = slice(first + 2, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        corrected[beyond] = np.where(
            randomised[beyond] < 1, (masked[beyond] - randomised[beyond]) / (1 - randomised[beyond]), 0.0
        )
    return corrected
