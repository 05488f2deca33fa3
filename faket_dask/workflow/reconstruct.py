"""Reconstruct tomograms of an existing data set, or of a recorded series with IMOD."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

from faket_dask.cluster.open import Cluster
from faket_dask.config import ReconstructionSection, parse
from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Watcher
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.side_files import list_misreadings, list_series_files
from faket_dask.formats.tilt_com import check_imod, run_tilt, turn_reconstruction, write_tilt_com
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.placing import put_file_in_place
from faket_dask.pipeline.plan import plan_spec
from faket_dask.pipeline.reconstruct import check_restorable
from faket_dask.workflow.run import run_dataset_plan


def reconstruct_dataset(
    folder: Path,
    section: ReconstructionSection,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
    overwrite: bool = False,
) -> Dataset:
    """Reconstruct tomograms of a data set, in addition to those that it has.

    Parameters
    ----------
    folder
        Folder of the data set. Missing units that its tomograms need are computed first.
    section
        Settings; its modalities, or the data set's main one, are added to those that the data set reconstructs
        already. With other settings than before, all its tomograms are made anew.
    client, watch, cluster, overwrite
        As for `run`.

    Raises
    ------
    InputError
        If the folder holds no data set, a modality was not kept, or its images show no CTF that could be corrected.
    """
    existing = DatasetSpec.read(folder)
    requested = section.modalities or (existing.config.outputs.main_modality,)
    modalities = tuple(dict.fromkeys((*existing.config.reconstruction.modalities, *requested)))
    document = existing.config.model_dump(mode="json")
    document["reconstruction"] = section.model_copy(update={"modalities": modalities}).model_dump(mode="json")
    extended = DatasetSpec(parse(document, folder), existing.inputs)
    check_restorable(extended, requested)
    return run_dataset_plan(plan_spec(extended), client, watch, cluster, overwrite=overwrite)


def reconstruct_with_imod(
    series: TiltSeries,
    target: Path,
    thickness_A: float,
    *,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> None:
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
    inputs, overwrite
        As for `faket_dask.workflow.external_stack.reconstruct_series`.

    Raises
    ------
    InputError
        If the series is not aligned, IMOD is not there or fails, or the target is a file of the series, or not this
        program's, or cannot be written.
    """
    check_imod()
    tilts, rows, columns = series.shape
    depth = max(1, round(thickness_A / series.pixel_size_A))
    with (
        claim_outputs(
            [target],
            inputs=list_series_files(series, inputs),
            overwrite=overwrite,
            refusals=list_misreadings(target, is_series=False),
        ),
        _scratch(target) as folder,
    ):
        commands = write_tilt_com(folder, "series", series.geometry, (rows, columns), depth)
        stack = folder / "series.mrc"
        write_stack(stack, map(series.tilt, range(tilts)), series.shape, series.pixel_size_A)
        run_tilt(commands)
        turn_reconstruction(folder / "series_full_rec.mrc", folder / "turned.mrc")
        put_file_in_place(folder / "turned.mrc", target)


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        yield Path(folder)
