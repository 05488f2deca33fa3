"""Export of a data set to the formats of other programs, once everything requested is found to be complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.tomograms import list_tomograms
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.interchange.exporters import load_exporter
from faket_dask.interchange.exporters.base import Exporter
from faket_dask.interchange.exporters.copick import CopickExporter
from faket_dask.interchange.exporters.source import SeriesAlignment, Source
from faket_dask.modalities import MODALITIES
from faket_dask.outputs.claim import claim_folder, make_folder
from faket_dask.pipeline.build import BuildVolume, PlaceParticles
from faket_dask.pipeline.plan import plan_spec
from faket_dask.pipeline.reconstruct import ReconstructTomogram


def export(
    dataset: Dataset,
    formats: Sequence[str],
    target: Path,
    modalities: Sequence[str] | None = None,
    root: str | None = None,
    *,
    overwrite: bool = False,
    alignment: SeriesAlignment = SeriesAlignment.NOMINAL,
) -> Iterator[Path]:
    """Write a data set's tilt-series, tomograms, labels and particles in other programs' formats.

    Parameters
    ----------
    dataset
        Data set in which everything requested is complete.
    formats
        Names of exporters (`faket_dask.interchange.exporters.exporter_names`), such as ``"mrc"`` or ``"relion5"``.
    target
        Folder to write to; made where it does not exist. Each format gets a folder of its name. Files of the same
        names are replaced if an earlier export wrote them and nobody changed them since; all others are kept.
    modalities
        Names of tilt-series: ``"noiseless"`` and those that the data set keeps; its main modality by default, none for
        volumes and particles alone.
    root
        Folder or URL as which copick will find its project, where that is to be moved from ``target/copick``.
    overwrite
        True to replace files of others, too, but no folders with files of others.
    alignment
        Alignment that is told of images by the microscope model whose angles and positions have errors: as a microscope
        tells it, or as it is. Their contrast transfer is always the true one.

    Yields
    ------
    path
        Each written file, once it is written.

    Raises
    ------
    InputError
        Before anything is written: when no format is named, a format or modality is unknown or was not kept, the
        folder cannot be written to, or a file of an earlier export was changed since. Later: when a format cannot hold
        the data, or a file of others has the name of one to be written.
    UnfinishedError
        Before anything is written: when units that make the requested results are not done.

    Notes
    -----
    Specimens are wider than the field of view, exported volumes are not. Particle lists hold the labelled
    particles centred inside the exported volume, in its frame. Instance numbers are those of the mask; a particle
    that reaches in from outside is in the mask but not in the list.
    """
    if modalities is None:
        modalities = [dataset.spec.config.outputs.main_modality]
    requested = tuple(dict.fromkeys(modalities))
    exporters = [load_exporter(name) for name in dict.fromkeys(formats)]
    if not exporters:
        raise InputError("there is nothing to export to; name at least one format")
    if root is not None and CopickExporter.name not in [exporter.name for exporter in exporters]:
        raise InputError(
            f"--root says where copick will find its project, and {', '.join(formats)} has none; leave it out"
        )
    _check_complete(dataset, requested)
    claim = claim_folder(target, [exporter.name for exporter in exporters], overwrite=overwrite)
    return _write(Source(dataset, requested, root, alignment), exporters, target, claim)


def _check_complete(dataset: Dataset, modalities: Sequence[str]) -> None:
    spec = dataset.spec
    kept = MODALITIES.kept(spec.config.outputs.modalities)
    for name in modalities:
        if name not in kept:
            raise InputError(
                f"{spec.folder.root} has no modality {name!r}; it has {', '.join(kept)}. Add it to "
                f"outputs.modalities ({', '.join(MODALITIES.optional)}) and run again"
            )
    completed = CompletedUnits.read(plan_spec(spec))
    needed = [
        BatchKey(stage.name, Item(specimen))
        for specimen in spec.specimens
        for stage in (PlaceParticles, BuildVolume)
    ]
    for series in spec.series:
        for name in modalities:
            needed.append(BatchKey(MODALITIES.get(name).stage, Item(owning_item(series, name))))
        for tomogram in list_tomograms(spec, series):
            if tomogram.modality in modalities:
                needed.append(BatchKey(ReconstructTomogram.name, tomogram.item))
    missing = [reason for key in dict.fromkeys(needed) if (reason := completed.why_missing(*key))]
    if missing:
        raise UnfinishedError(
            f"{spec.folder.root} is not complete: {missing[0]}"
            + (f", and {len(missing) - 1} more like this" if len(missing) > 1 else "")
            + "; finish it with `faket-dask run` and export again"
        )


def _write(
    source: Source, exporters: Sequence[Exporter], target: Path, claim: AbstractContextManager[None]
) -> Iterator[Path]:
    with claim:
        for exporter in exporters:
            folder = target / exporter.name
            make_folder(folder)
            yield from exporter.export(source, folder)
