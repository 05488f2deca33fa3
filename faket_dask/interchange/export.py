"""Exporting a data set, once it is seen that all that is asked for is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.tomograms import tomograms_of
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.presence import why_missing
from faket_dask.errors import InputError
from faket_dask.interchange.exporters import EXPORTERS
from faket_dask.interchange.exporters.source import Source
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.plan import Plan


def export(
    dataset: Dataset, formats: Sequence[str], target: Path, modalities: Sequence[str] = ("faket",)
) -> Iterator[Path]:
    """Write a data set's tilt-series, tomograms, labels and particles in other programs' formats.

    Parameters
    ----------
    dataset
        Data set whose series are complete, as far as they are asked for.
    formats
        Names of `EXPORTERS`: ``"mrc"``, ``"imod"``, ``"shrec"``, ``"relion5"``, ``"copick"``, ``"warp"``, ``"portal"``.
    target
        Folder to write to; made where it does not exist. Each format gets a folder of its name. Files of the same
        names are replaced.
    modalities
        Of the tilt-series: ``"noiseless"`` and what the data set keeps.

    Yields
    ------
    path
        Of what is written, as soon as it is.

    Raises
    ------
    InputError
        Before anything is written: when a format or modality is unknown or was not kept, or units of work that
        make what is asked for are not done. Then, by a format that cannot hold what the data set has.

    Notes
    -----
    Specimens are wider than the field of view, exported volumes are not. Particle lists hold the labelled
    particles centred inside the exported volume, in its frame. Instance numbers are those of the mask; a particle
    that reaches in from outside is in the mask but not in the list.
    """
    wanted = tuple(dict.fromkeys(modalities))
    unknown = [name for name in formats if name not in EXPORTERS]
    if unknown:
        raise InputError(f"there is no format {unknown[0]!r}; there are {', '.join(EXPORTERS)}")
    _check(dataset, wanted)
    return _write(Source(dataset, wanted), list(dict.fromkeys(formats)), target)


def _check(dataset: Dataset, modalities: Sequence[str]) -> None:
    spec = dataset.spec
    kept = MODALITIES.kept(spec.config.outputs.modalities)
    for name in modalities:
        if name not in kept:
            raise InputError(
                f"{spec.layout.root} has no modality {name!r}; it has {', '.join(kept)}. What is possible "
                "and missing can be added to outputs.modalities, and made by running again"
            )
    completed = CompletedUnits.read(Plan(spec))
    needed = [(stage, specimen) for specimen in spec.specimens for stage in ("place", "build")]
    for series in spec.series:
        for name in modalities:
            needed.append((MODALITIES.get(name).stage, owning_item(series, name)))
        for tomogram in tomograms_of(spec, series):
            if tomogram.modality in modalities:
                needed.append(("reconstruct", tomogram.item))
    missing = [reason for key in dict.fromkeys(needed) if (reason := why_missing(completed, *key))]
    if missing:
        raise InputError(
            f"{spec.layout.root} is not complete: {missing[0]}"
            + (f", and {len(missing) - 1} more like this" if len(missing) > 1 else "")
            + "; finish it with `faket-dask run` and export again"
        )


def _write(source: Source, formats: Sequence[str], target: Path) -> Iterator[Path]:
    for name in formats:
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        yield from EXPORTERS[name](source, folder)
