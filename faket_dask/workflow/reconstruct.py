"""Reconstruct tomograms of an existing data set, or of a recorded series with IMOD."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

from faket_dask.cluster.open import Cluster
from faket_dask.config import ReconstructionSection, parse
from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Watcher
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.tilt_com import run_tilt, turn_reconstruction, write_tilt_com
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.pipeline.plan import plan_spec
from faket_dask.workflow.run import run_dataset_plan


def reconstruct_dataset(
    folder: Path,
    section: ReconstructionSection,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
) -> Dataset:
    """Reconstruct tomograms of a data set, in addition to those that it has.

    Parameters
    ----------
    folder
        Folder of the data set. Missing units that its tomograms need are computed first.
    section
        Settings; its modalities are added to those that the data set reconstructs already. With other settings than
        before, all its tomograms are made anew.
    client, watch, cluster
        As for `run`.

    Raises
    ------
    InputError
        If the folder holds no data set, or a modality was not kept.
    """
    existing = DatasetSpec.read(folder)
    modalities = tuple(dict.fromkeys((*existing.config.reconstruction.modalities, *section.modalities)))
    document = existing.config.model_dump(mode="json")
    document["reconstruction"] = section.model_copy(update={"modalities": modalities}).model_dump(mode="json")
    extended = DatasetSpec(parse(document, folder), existing.inputs)
    return run_dataset_plan(plan_spec(extended), client, watch, cluster)


def reconstruct_with_imod(series: TiltSeries, target: Path, thickness_A: float) -> None:
    """Reconstruct a recorded tilt-series with IMOD's `tilt`, which must be on the PATH.

    The commands follow IMOD's documentation; they have not been run against IMOD itself.

    Parameters
    ----------
    series
        Aligned tilt-series: its tilt axis lies along y.
    target
        ``.mrc`` file to write. Stack, angles and ``tilt.com`` lie beside it meanwhile.
    thickness_A
        Thickness of the tomogram.

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
