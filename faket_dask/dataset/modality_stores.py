"""Items and stores that modalities belong to."""

from __future__ import annotations

from pathlib import Path

from faket_dask.dataset.layout import Layout
from faket_dask.dataset.pairing import Series
from faket_dask.modalities import MODALITIES, Owner


def owning_item(series: Series, modality: str) -> str:
    """Return the name of the series, or that of its specimen for a modality that all its series share.

    Examples
    --------
    >>> series = Series("specimen-000", "a")
    >>> owning_item(series, "faket"), owning_item(series, "benchmark")
    ('specimen-000__a', 'specimen-000')
    """
    return series.specimen if MODALITIES.get(modality).owner is Owner.SPECIMEN else series.name


def stack_group(layout: Layout, item: str, modality: str) -> Path:
    """Return the path of the Zarr group that holds a modality's stack, given the item that owns it."""
    if MODALITIES.get(modality).owner is Owner.SPECIMEN:
        return layout.specimen_tilts(item)
    return layout.series_tilts(item)
