"""Labelled tomograms of any source, with the digest of what they are."""

from __future__ import annotations

from collections.abc import Sequence

from faket_dask.config.training import DatasetTomograms, Tomograms
from faket_dask.pickers.chunk_cache import ChunkCache
from faket_dask.pickers.dataset_tomograms import fingerprint_dataset_tomograms, open_dataset_tomograms
from faket_dask.pickers.shrec_tomograms import fingerprint_shrec_tomograms, open_shrec_tomograms
from faket_dask.pickers.training_tomogram import TrainingTomogram


def open_tomograms(sections: Sequence[Tomograms], cache: ChunkCache | None = None) -> list[TrainingTomogram]:
    """Open all tomograms of some sources.

    Parameters
    ----------
    sections
        Data sets and folders of SHREC.
    cache
        Cache that chunks of stores are read through; one of `chunk_cache.CACHE_BYTES` by default.

    Raises
    ------
    InputError
        If a source cannot be read, or lacks what training needs.
    """
    cache = ChunkCache() if cache is None else cache
    return [
        tomogram
        for section in sections
        for tomogram in (
            open_dataset_tomograms(section, cache)
            if isinstance(section, DatasetTomograms)
            else open_shrec_tomograms(section)
        )
    ]


def fingerprint_tomograms(section: Tomograms) -> str:
    """Return the digest of the tomograms of a source, their labels and objects.

    Raises
    ------
    InputError
        If a source cannot be read, or lacks what training needs.
    UnfinishedError
        If a data set is not complete.
    """
    if isinstance(section, DatasetTomograms):
        return fingerprint_dataset_tomograms(section)
    return fingerprint_shrec_tomograms(section)
