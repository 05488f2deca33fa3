"""Handle of a data set on disk."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import xarray as xr

from faket_dask.dataset.layout import Layout
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.engine.events import UnitFailed
from faket_dask.errors import InputError
from faket_dask.html_table import html_table
from faket_dask.modalities import MODALITIES
from faket_dask.specimen.particles import ParticleTable, read_particles

ROWS_SHOWN = 10
"""Number of rows of tables in notebooks."""


@dataclass(frozen=True, repr=False)
class Dataset:
    """Handle of a data set: names of its series, and methods that open them.

    Parameters
    ----------
    spec
        Specification of the data set.
    failures
        Units that failed for good in the run that returned the handle.
    """

    spec: DatasetSpec
    failures: tuple[UnitFailed, ...] = ()

    @property
    def folder(self) -> Path:
        """Folder of the data set."""
        return self.spec.folder.root

    @property
    def series(self) -> list[str]:
        """Names of all series, ``specimen__reference``."""
        return list(self.spec.series_by_name)

    def open(self, series: str) -> xr.Dataset:
        """Open one series with its specimen and labels, as `open_series` does."""
        return open_series(self.spec.folder.series(series))

    def tomogram(self, series: str, modality: str = "faket") -> xr.DataArray:
        """Open the tomogram of one modality of a series, lazily: ``(z, y, x)`` float32, dense dark.

        Its coordinates, in Å, are those of the labels and of the particle table.

        Raises
        ------
        InputError
            If there is none: add the modality to `reconstruction.modalities` and run again.
        """
        pair = self.spec.series_by_name[series]
        if modality in MODALITIES:
            group = Tomogram(self.spec, owning_item(pair, modality), modality).group
            if (group / modality / "zarr.json").exists():
                return xr.open_zarr(group, consolidated=False)[modality]
        raise InputError(
            f"{self.folder} has no tomogram of {modality} of {series}; make it with `faket-dask reconstruct`"
        )

    def particles(self, series: str) -> ParticleTable:
        """Read the particle table of a series' specimen: classes, centres in Å, rotations, instance numbers."""
        pair = self.spec.series_by_name[series]
        return read_particles(self.spec.folder.particles(pair.specimen))

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} units failed" if self.failures else ""
        return f"Dataset({self.folder.name!r}: {len(self.series)} series{failed})"

    def _repr_html_(self) -> str:
        spec = self.spec
        kept = ", ".join(MODALITIES.kept(spec.config.outputs.modalities))
        shown = [(s.name, s.specimen, s.reference) for s in spec.series[:ROWS_SHOWN]]
        more = len(spec.series) - len(shown)
        table = html_table(
            f"{self.folder.name}: {len(spec.series)} series of {spec.geometry.stack_text} (tilts x y x x); {kept}",
            ("series", "specimen", "reference"),
            [*shown, *([(f"and {more} more", "", "")] if more else [])],
        )
        failures = [f"<b>failed</b> {escape(f'{f.unit}: {f.cause}')}" for f in self.failures[:ROWS_SHOWN]]
        return "<br>".join([table, *failures])


def open_dataset(folder: str | Path) -> Dataset:
    """Open an existing data set.

    Raises
    ------
    InputError
        If the folder holds none.
    """
    return Dataset(DatasetSpec.read(Path(folder)))


def open_series(path: str | Path) -> xr.Dataset:
    """Open one series, lazily: its own stacks, its specimen's projections, and the labels in the field of view.

    Parameters
    ----------
    path
        ``series/<specimen>__<reference>.zarr`` of a data set.

    Returns
    -------
    series
        Stacks over ``(tilt, y, x)``, indexed by ``tilt_angle`` in degrees, and volumes over ``(z, y, x)``
        cropped to the field of view; ``x``, ``y``, ``z`` in Å are one frame, that of the particle table.
        Attributes of the specimen's volume (`class_ids`) are included. The whole specimen is in the group
        ``volume`` of ``specimens/<specimen>.zarr``.

    Raises
    ------
    InputError
        If there is no series at this path.
    """
    path = Path(path).resolve()
    if not (path / "zarr.json").exists():
        raise InputError(f"{path} is not a series: give series/<specimen>__<reference>.zarr of a data set")
    series = xr.open_zarr(path, consolidated=False)
    layout = Layout(path.parents[1])
    specimen = layout.specimen(series.attrs["specimen"])
    stacks = xr.open_zarr(specimen, consolidated=False)
    volume = xr.open_zarr(specimen, group="volume", consolidated=False)
    in_view = volume.sel(x=stacks["x"], method="nearest", tolerance=1e-6 * series.attrs["pixel_size_A"])
    merged = xr.merge([series, stacks, in_view], combine_attrs="override", compat="equals", join="exact")
    merged.attrs["class_ids"] = volume.attrs["class_ids"]
    return merged.set_xindex("tilt_angle")
