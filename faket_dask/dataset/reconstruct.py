"""Tomograms on request: of a data set that exists, or of any recorded tilt-series."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from distributed import Client
from numpy.typing import NDArray

from faket_dask.cluster.open import Cluster
from faket_dask.config import ReconstructionSection, parse
from faket_dask.dataset.blueprint import BLOCK_ROWS, Blueprint
from faket_dask.dataset.events import Watcher
from faket_dask.dataset.handle import Dataset
from faket_dask.dataset.plan import Plan
from faket_dask.dataset.run import execute_plan
from faket_dask.dataset.stores import ArraySpec, create_array, create_group, open_array
from faket_dask.errors import InputError
from faket_dask.formats import ome_zarr
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.formats.tilt_com import run_tilt, turn_reconstruction, write_tilt_com
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.kernels.backprojection import back_project
from faket_dask.stages.reconstruction import binned_shape, filtered_tilt, kept_tilts


def reconstruct_dataset(
    folder: Path,
    section: ReconstructionSection,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
) -> Dataset:
    """Make tomograms of a data set, beside those that it has.

    Parameters
    ----------
    folder
        Of the data set. What its tomograms need and is missing is computed first.
    section
        How; `of` is added to what the data set reconstructs already. With other settings than before, all its
        tomograms are made anew.
    client, watch, cluster
        As for `run`.

    Raises
    ------
    InputError
        When the folder holds no data set, or a modality was not kept.
    """
    found = Blueprint.read(folder)
    wanted = tuple(dict.fromkeys((*found.config.reconstruction.of, *section.of)))
    document = found.config.model_dump(mode="json")
    document["reconstruction"] = section.model_copy(update={"of": wanted}).model_dump(mode="json")
    extended = Blueprint(parse(document, folder), found.inputs)
    return execute_plan(Plan(extended), client, watch, cluster)


FILTERING = 0.15
"""Share of the time that filtering takes, about, of filtering and back-projection together."""


def reconstruct_series(
    series: TiltSeries,
    target: Path,
    section: ReconstructionSection,
    threads: int = 1,
    advance: Callable[[float], None] = lambda share: None,
) -> None:
    """Make the tomogram of a recorded tilt-series, with few of its tilts and layers in memory at a time.

    Parameters
    ----------
    series
        Aligned: its tilt axis lies along y.
    target
        ``.mrc`` file or ``.zarr`` folder (OME-Zarr) to write, whole or not at all; replaced if it is there. The
        filtered tilts lie beside it meanwhile.
    section
        How; the thickness must be given.
    threads
        That work at the same time; the result does not depend on them.
    advance
        Called with each share of the work that is done; they add up to 1.

    Raises
    ------
    InputError
        When the thickness is missing, the target is of another kind, or the tilts are too small.
    """
    if section.thickness_A is None:
        raise InputError("the thickness of the tomogram is not known; give it in Å (--thickness-A)")
    if target.suffix not in (".mrc", ".rec", ".zarr"):
        raise InputError(f"{target} is neither .mrc, .rec nor .zarr, which a tomogram can be written as")
    voxel_size_A = series.pixel_size_A * section.binning
    target.parent.mkdir(parents=True, exist_ok=True)
    with _scratch(target) as folder, ThreadPoolExecutor(threads) as pool:
        filtered, angles = _filtered(series, section, folder, pool, advance)
        depth = max(1, round(section.thickness_A / series.pixel_size_A) // section.binning)
        tomogram = _Tomogram(filtered, angles, depth, section.device, pool, threads, advance)
        if target.suffix == ".zarr":
            whole = folder / target.name
            ome_zarr.write_volume(whole, tomogram, voxel_size_A)
            shutil.rmtree(target, ignore_errors=True)
            whole.replace(target)
        else:
            write_volume(target, tomogram, voxel_size_A)


def reconstruct_with_imod(series: TiltSeries, target: Path, thickness_A: float) -> None:
    """Make the tomogram of a recorded tilt-series with IMOD's `tilt`, which must be on the PATH.

    The commands follow IMOD's documentation; they have not been run against IMOD itself.

    Parameters
    ----------
    series
        Aligned: its tilt axis lies along y.
    target
        ``.mrc`` file to write. Stack, angles and ``tilt.com`` lie beside it meanwhile.
    thickness_A
        Of the tomogram.

    Raises
    ------
    InputError
        If the series is not aligned, or IMOD is not there or fails.
    """
    tilts, rows, columns = series.shape
    depth = max(1, round(thickness_A / series.pixel_size_A))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _scratch(target) as folder:
        commands = write_tilt_com(folder, "series", series.geometry, (rows, columns), depth)
        stack = folder / "series.mrc"
        write_stack(stack, map(series.tilt, range(tilts)), series.shape, series.pixel_size_A)
        run_tilt(commands)
        turn_reconstruction(folder / "series_full_rec.mrc", target)


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        yield Path(folder)


def _filtered(
    series: TiltSeries,
    section: ReconstructionSection,
    folder: Path,
    pool: ThreadPoolExecutor,
    advance: Callable[[float], None],
) -> tuple[zarr.Array[Any], NDArray[np.float64]]:
    """Filtered tilts in a store, by tilt to write and by rows to read, and their angles."""
    kept = kept_tilts(series.geometry.tilt_angles, section.every)
    angles = series.geometry.tilt_angles[kept]
    rows, columns = binned_shape(series.shape[1:], section.binning)
    thickness = (section.thickness_A or 0.0) / (series.pixel_size_A * section.binning)
    group = folder / "tilts.zarr"
    create_group(group, {})
    create_array(
        group,
        ArraySpec(
            "filtered",
            ("tilt", "y", "x"),
            (kept.size, rows, columns),
            (1, rows, columns),
            read_shape=(1, BLOCK_ROWS, columns),
        ),
    )
    store = open_array(group, "filtered")

    def fill(index: int) -> None:
        tilt = series.tilt(int(kept[index]))
        store[index] = filtered_tilt(tilt, section.filter, angles, index, thickness, section.binning)

    try:
        for _ in pool.map(fill, range(kept.size)):
            advance(FILTERING / kept.size)
    except ValueError as error:
        raise InputError(f"{series.images[0][0].path} cannot be filtered: {error}") from None
    return store, angles


@dataclass(frozen=True)
class _Tomogram:
    """A volume that is computed where it is sliced; layers are shared out among threads."""

    filtered: zarr.Array[Any]
    angles: NDArray[np.float64]
    depth: int
    device: str
    pool: ThreadPoolExecutor
    threads: int
    advance: Callable[[float], None]

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.depth, *self.filtered.shape[1:])

    def __getitem__(self, key: Sequence[slice]) -> NDArray[np.float32]:
        layers, rows, columns = (part.indices(size) for part, size in zip(key, self.shape, strict=True))
        block = np.asarray(self.filtered[:, rows[0] : rows[1], :])
        edges = np.linspace(layers[0], layers[1], self.threads + 1).round().astype(int)

        def slab(first: int, last: int) -> NDArray[np.float32]:
            middle = self.depth // 2 - first
            return back_project(block, self.angles, last - first, z_centre=middle, device=self.device)

        ends = [(int(a), int(b)) for a, b in pairwise(edges) if b > a]
        slabs = list(self.pool.map(lambda pair: slab(*pair), ends))
        share = (layers[1] - layers[0]) * (rows[1] - rows[0]) / (self.depth * self.shape[1])
        self.advance((1 - FILTERING) * share)
        return np.concatenate(slabs)[:, :, columns[0] : columns[1]]
