"""Agreement of two half averages, and of an average with a known structure and its mirror image, by frequency."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.averaging.finer import FINENESS, sample_finer
from faket_dask.kernels.averaging.shells import (
    correct_for_mask,
    correlate_shells,
    count_coefficients,
    randomise_phases,
    shell_frequencies,
)
from faket_dask.kernels.averaging.wedge_sum import WedgeSum
from faket_dask.kernels.matching.null_template import Null, null_template
from faket_dask.kernels.matching.turning import turn_density
from faket_dask.stages.averaging import BoxAlignment

RESOLVED = 0.143
"""Correlation of half averages down to which the whole average is said to be resolved (Rosenthal & Henderson 2003)."""

SHELLS_BEYOND = 3
"""Shells beyond the limit of the alignment whose mean tells one hand from the other."""


class Hand(Enum):
    """Hand of an average."""

    STRUCTURE = "that of the structure"
    MIRRORED = "that of its mirror image"
    UNDECIDED = "undecided"


@dataclass(frozen=True, eq=False)
class HalfAgreement:
    """Fourier shell correlations of two half averages.

    Parameters
    ----------
    resolution_A
        ``(shell,)`` Å.
    whole
        Correlation of the averages as they are.
    masked
        Correlation within the mask.
    randomised
        Correlation within the mask, with random phases beyond the limit of the alignment.
    corrected
        Correlation within the mask, without what the mask adds.
    seen
        Number of shells that hold coefficients which the alignment sees. It superposes the two averages, so that even
        those of noise agree there.
    """

    resolution_A: NDArray[np.float64]
    whole: NDArray[np.float64]
    masked: NDArray[np.float64]
    randomised: NDArray[np.float64]
    corrected: NDArray[np.float64]
    seen: int

    def resolved_A(self) -> float | None:
        """Return where the corrected correlation falls to 0.143, in Å; ``None`` if it does not pass the limit."""
        below = np.flatnonzero(~(self.corrected > RESOLVED))
        if below.size == 0:
            return float(self.resolution_A[-1])
        at = int(below[0])
        if at <= self.seen:
            return None
        high, low = self.corrected[at - 1], np.nan_to_num(self.corrected[at])
        share = (high - RESOLVED) / (high - low)
        frequency = 1 / self.resolution_A
        return float(1 / (frequency[at - 1] + share * (frequency[at] - frequency[at - 1])))


@dataclass(frozen=True, eq=False)
class HandAgreement:
    """Fourier shell correlations of an average with a structure, and with its mirror image.

    Parameters
    ----------
    resolution_A
        ``(shell,)`` Å.
    structure, mirrored
        Correlation of the average with each, both superposed by what the alignment sees.
    structure_score, mirrored_score
        Correlation of the two within what the alignment sees.
    beyond, mirrored_beyond
        Mean of the first shells beyond that.
    error
        Standard error of such a mean for averages that have nothing in common.
    """

    resolution_A: NDArray[np.float64]
    structure: NDArray[np.float64]
    mirrored: NDArray[np.float64]
    structure_score: float
    mirrored_score: float
    beyond: float
    mirrored_beyond: float
    error: float

    @property
    def hand(self) -> Hand:
        """Hand of the average by what it has in common with the structure beyond the limit."""
        difference = self.beyond - self.mirrored_beyond
        if not abs(difference) > 2 * np.sqrt(2) * self.error:
            return Hand.UNDECIDED
        return Hand.STRUCTURE if difference > 0 else Hand.MIRRORED


def compare_halves(first: WedgeSum, second: WedgeSum, alignment: BoxAlignment, seed: int) -> HalfAgreement:
    """Compare the averages of two half-sets in one frame, where both have measured.

    Parameters
    ----------
    first, second
        Sums of the half-sets.
    alignment
        Mask, and limit beyond which phases are made random.
    seed
        Seed of those.
    """
    seen = _count_seen(alignment)
    measured = first.measured & second.measured
    spectra = first.divide(), second.divide()
    averages = [
        np.asarray(scipy.fft.irfftn(spectrum * measured, (alignment.edge,) * 3)) for spectrum in spectra
    ]
    random = [
        randomise_phases(average, alignment.limit, seed + number) for number, average in enumerate(averages)
    ]
    masked, randomised = (
        correlate_shells(
            scipy.fft.rfftn(one * alignment.mask), scipy.fft.rfftn(other * alignment.mask), measured
        )
        for one, other in (averages, random)
    )
    return HalfAgreement(
        resolution_A=list_resolutions(alignment),
        whole=correlate_shells(spectra[0], spectra[1], measured),
        masked=masked,
        randomised=randomised,
        corrected=correct_for_mask(masked, randomised, seen),
        seen=seen,
    )


def compare_hands(sums: WedgeSum, structure: NDArray[np.float32], alignment: BoxAlignment) -> HandAgreement:
    """Compare an average with a structure and with its mirror image, each superposed by what the alignment sees.

    Both are compared within the mask; what it adds beyond the limit is the same for both.

    Parameters
    ----------
    sums
        Average.
    structure
        ``(edge, edge, edge)``, what is dense positive.
    alignment
        Limit and mask.
    """
    average = scipy.fft.rfftn(sums.average() * alignment.mask)
    curves, scores = [], []
    for density in (structure, null_template(structure, Null.MIRRORED)):
        pose = alignment.superpose(density, sums)
        centred = (density * alignment.mask).astype(np.float32)
        to_density = np.ascontiguousarray(pose.rotation[0].T)
        turned = turn_density(
            sample_finer(scipy.fft.rfftn(centred)), to_density, float(FINENESS), alignment.edge
        )
        spectrum = _move(scipy.fft.rfftn(turned), pose.shift[0])
        curves.append(correlate_shells(average, spectrum, sums.measured))
        scores.append(float(pose.score[0]))
    seen = _count_seen(alignment)
    shells = slice(seen, seen + SHELLS_BEYOND)
    beyond = [float(curve[shells].mean()) if curve[shells].size else np.nan for curve in curves]
    # The mask joins neighbouring coefficients: as many are independent as it leaves of the box.
    independent = count_coefficients(sums.measured)[shells].sum() / 2 * float(alignment.mask.mean())
    error = 1 / np.sqrt(independent) if independent > 0 else np.inf
    return HandAgreement(
        resolution_A=list_resolutions(alignment),
        structure=curves[0],
        mirrored=curves[1],
        structure_score=scores[0],
        mirrored_score=scores[1],
        beyond=beyond[0],
        mirrored_beyond=beyond[1],
        error=float(error),
    )


def list_resolutions(alignment: BoxAlignment) -> NDArray[np.float64]:
    """Return the resolutions ``(shell,)`` of the shells in Å."""
    return alignment.voxel_size_A / shell_frequencies(alignment.edge)


def _count_seen(alignment: BoxAlignment) -> int:
    """Return the number of shells that hold coefficients which the alignment sees."""
    return int(np.count_nonzero(shell_frequencies(alignment.edge) - 0.5 / alignment.edge <= alignment.limit))


def _move(spectrum: NDArray[np.complex64], shift: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Return the spectrum of a volume moved by a shift ``(x, y, z)`` in voxels."""
    edge = spectrum.shape[0]
    full, half = np.fft.fftfreq(edge), np.fft.rfftfreq(edge)
    turns = full[:, None, None] * shift[2] + full[None, :, None] * shift[1] + half[None, None, :] * shift[0]
    return np.asarray(spectrum * np.exp(-2j * np.pi * turns), dtype=np.complex64)
