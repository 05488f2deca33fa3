"""Handle of a data set on disk."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import xarray as xr

from faket_dask.dataset.layout import Layout
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.engine.consolidated import METADATA
from faket_dask.engine.events import UnitFailed
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.html_table import html_table
from faket_dask.modalities import MODALITIES
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.stages.reconstruction import Half

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
        """Open one series with its specimen and labels, lazily.

        Parameters
        ----------
        series
            One of `series`.

        Returns
        -------
        series
            Stacks over ``(tilt, y, x)``, indexed by ``tilt_angle`` in degrees, and volumes over ``(z, y, x)``
            cropped to the field of view; ``x``, ``y``, ``z`` in Å are one frame, that of the particle table.
            Attributes of the specimen's volume (`class_ids`) are included. The whole specimen is in the group
            ``volume`` of ``specimens/<specimen>.zarr``, and tomograms, which have a grid of their own, come from
            `tomogram`.

        Raises
        ------
        InputError
            If the data set has no series of this name, or it is yet to be made.
        """
        return _merge_series(self.spec.folder, self._find_series(series))

    def tomogram(self, series: str, modality: str = "faket", half: Half | str | None = None) -> xr.DataArray:
        """Open the tomogram of one modality of a series, lazily: ``(z, y, x)`` float32, dense dark.

        Its coordinates, in Å, are those of the labels and of the particle table. Its attribute `density_scale` tells by
        how many times its density is the specimen's (`faket_dask.stages.reconstruction.density_scale`).

        Parameters
        ----------
        series
            One of `series`.
        modality
            Modality that it was reconstructed from.
        half
            ``"odd"``, ``"even"``, ``"early"`` or ``"late"`` for the tomogram of half of the tilts.

        Raises
        ------
        InputError
            If there is none: add the modality to `reconstruction.modalities` and run again.
        """
        pair = self._find_series(series)
        if modality in MODALITIES:
            tomogram = Tomogram(self.spec, owning_item(pair, modality), modality, _find_half(half))
            if (tomogram.group / tomogram.array_name / METADATA).exists():
                return _open_group(tomogram.group)[tomogram.array_name]
        which = "" if half is None else f"{half} tilts of "
        raise InputError(
            f"{self.folder} has no tomogram of {which}{modality} of {series}; make it with `faket-dask reconstruct`"
        )

    def particles(self, series: str) -> ParticleTable:
        """Read the particle table of a series' specimen: classes, centres in Å, rotations, instance numbers."""
        pair = self._find_series(series)
        return read_particles(self.spec.folder.particles(pair.specimen))

    def _find_series(self, name: str) -> Series:
        try:
            return self.spec.series_by_name[name]
        except KeyError:
            raise InputError(
                f"{self.folder} has no series {name}; its first is {self.series[0]}, and `series` lists all"
            ) from None

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} units failed" if self.failures else ""
        return f"Dataset({self.folder.name!r}: {len(self.series)} series{failed})"

    def _repr_html_(self) -> str:
        spec = self.spec
        kept = ", ".join(MODALITIES.kept(spec.config.outputs.modalities))
        shown = [(s.name, s.specimen, s.reference) for s in spec.series[:ROWS_SHOWN]]
        more = len(spec.series) - len(shown)
        table = html_table(
            f"{self.folder.name}: {len(spec.series)} series of {spec.geometry.stack_text} (tilts, y, x); {kept}",
            ("series", "specimen", "reference"),
            [*shown, *([(f"and {more} more", "", "")] if more else [])],
        )
        failures = [f"<b>failed</b> {escape(f'{f.unit}: {f.cause}')}" for f in self.failures[:ROWS_SHOWN]]
        return "<br>".join([table, *failures])


def _find_half(name: str | None) -> Half | None:
    if name is None:
        return None
    if name not in list(Half):
        raise InputError(f"tomograms are of the halves {', '.join(Half)}, not {name!r}; give one of them")
    return Half(name)


def open_dataset(folder: str | Path) -> Dataset:
    """Open an existing data set.

    Raises
    ------
    InputError
        If the folder holds none.
    """
    return Dataset(DatasetSpec.read(Path(folder)))


def open_series(path: str | Path) -> xr.DataTree:
    """Open the store of a series, lazily; it needs no data set around it.

    Stores of specimens and references open as well.

    Parameters
    ----------
    path
        ``series/<specimen>__<reference>.zarr`` of a data set, or a copy of it elsewhere.

    Returns
    -------
    tree
        One group for each grid of pixels: ``tree["tilts"]`` holds stacks over ``(tilt, y, x)``, indexed by
        ``tilt_angle`` in degrees, and ``tree["tomograms"]``, where there are any, volumes over ``(z, y, x)``; ``x``,
        ``y``, ``z`` in Å are one frame, that of the particle table. The noiseless stack and the labels are in the
        store of the specimen, ``specimens/<specimen>.zarr``.

    Raises
    ------
    InputError
        If there is no store at this path, or its metadata is damaged.
    """
    path = Path(path).resolve()
    if not (path / METADATA).exists():
        raise InputError(f"{path} is not a series: give series/<specimen>__<reference>.zarr of a data set")
    with wrap_as_input_error(
        f"{path} cannot be opened; give a store of a data set, not an array or a part of it"
    ):
        groups = xr.open_groups(path, engine="zarr", consolidated=False, chunks="auto")
        return xr.DataTree.from_dict({name: _index_tilts(group) for name, group in groups.items()})


def _index_tilts(group: xr.Dataset) -> xr.Dataset:
    return group.set_xindex("tilt_angle") if "tilt_angle" in group.coords else group


def _open_group(path: Path) -> xr.Dataset:
    if not (path / METADATA).exists():
        raise InputError(f"{path} is not there yet; make it with `faket-dask run`")
    return xr.open_zarr(path, consolidated=False)


def _merge_series(layout: Layout, series: Series) -> xr.Dataset:
    """Return the stacks of a series and of its specimen, with the labels cropped to the field of view."""
    tilts = _open_group(layout.series_tilts(series.name))
    projections = _open_group(layout.specimen_tilts(series.specimen))
    volume = _open_group(layout.volume(series.specimen))
    in_view = volume.sel(x=projections["x"], method="nearest", tolerance=1e-6 * tilts.attrs["pixel_size_A"])
    merged = xr.merge([tilts, projections, in_view], combine_attrs="override", compat="equals", join="exact")
    merged.attrs["class_ids"] = volume.attrs["class_ids"]
    return _index_tilts(merged)
