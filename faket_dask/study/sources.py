"""Tomograms of a study one by one: those that each model learns from, and those that it is scored on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from faket_dask.config.study import EntrySection, StudyConfig
from faket_dask.config.training import DatasetTomograms, ShrecTomograms, Tomograms
from faket_dask.dataset.dataset import open_dataset
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats.files import read_text
from faket_dask.modalities import MODALITIES


class OneTomogram(NamedTuple):
    """Source of one tomogram.

    Parameters
    ----------
    name
        Name of its series, specimen or folder.
    aliases
        All names that a study file may call it by.
    source
        Source that has it alone.
    objects
        Text of its list of objects, by which a specimen is known wherever it lies.
    """

    name: str
    aliases: frozenset[str]
    source: Tomograms
    objects: str


def list_training_tomograms(config: StudyConfig, name: str) -> list[OneTomogram]:
    """Return the tomograms that a model learns from.

    Raises
    ------
    InputError
        If a source does not have them, or the model's part names none of them.
    """
    entry = config.models[name]
    sources = config.tomograms.train if entry.tomograms is None else entry.tomograms
    tomograms = list_tomograms([_set_modality(source, entry, name) for source in sources])
    return tomograms if entry.part is None else _select_part(tomograms, entry.part, name)


def list_tomograms(sources: Sequence[Tomograms]) -> list[OneTomogram]:
    """Return the tomograms of some sources one by one, each once.

    Raises
    ------
    InputError
        If a source cannot be read, or lacks the series or modality.
    """
    listed = [
        tomogram
        for source in sources
        for tomogram in (
            _split_dataset(source) if isinstance(source, DatasetTomograms) else _split_shrec(source)
        )
    ]
    return list({tomogram.source: tomogram for tomogram in listed}.values())


def _set_modality(source: Tomograms, entry: EntrySection, name: str) -> Tomograms:
    if isinstance(source, ShrecTomograms):
        if entry.modality is not None:
            raise InputError(
                f"models.{name}.modality: folders of SHREC have one reconstruction, so that {entry.modality} cannot be "
                "chosen; give the model tomograms of its own"
            )
        return source
    if entry.modality is None:
        return source
    return source.model_copy(update={"modality": entry.modality})


def _select_part(tomograms: list[OneTomogram], part: Collection[str], name: str) -> list[OneTomogram]:
    known = {alias for tomogram in tomograms for alias in tomogram.aliases}
    for wanted in part:
        if wanted not in known:
            raise InputError(
                f"models.{name}.part names {wanted}, and its training tomograms are "
                f"{', '.join(tomogram.name for tomogram in tomograms)}"
            )
    return [tomogram for tomogram in tomograms if tomogram.aliases & set(part)]


def _split_dataset(source: DatasetTomograms) -> list[OneTomogram]:
    try:
        spec = open_dataset(source.folder).spec
    except InputError as error:
        raise InputError(f"{error}; make it with `faket-dask run` and its run file first") from None
    tomograms: dict[str, OneTomogram] = {}
    for name in _find_series(spec, source):
        series = spec.series_by_name[name]
        own = source.model_copy(update={"series": (name,)})
        owner = owning_item(series, source.modality) if source.modality in MODALITIES else name
        particles = spec.folder.particles(series.specimen)
        if not particles.is_file():
            raise InputError(
                f"{source.folder} has no particles of {series.specimen} yet; finish it with `faket-dask run`"
            )
        tomograms.setdefault(
            owner,
            OneTomogram(
                owner,
                frozenset({name, series.specimen, owner}),
                own,
                particles.read_text(encoding="utf-8"),
            ),
        )
    return list(tomograms.values())


def _find_series(spec: DatasetSpec, source: DatasetTomograms) -> list[str]:
    """Return the names of the series that a source names, by themselves or by their specimens."""
    if source.series is None:
        return list(spec.series_by_name)
    found: list[str] = []
    for wanted in source.series:
        names = [name for name, series in spec.series_by_name.items() if wanted in (name, series.specimen)]
        if not names:
            raise InputError(
                f"{source.folder} has no series or specimen {wanted}; it has {', '.join(spec.series_by_name)}"
            )
        found += names
    return found


def _split_shrec(source: ShrecTomograms) -> list[OneTomogram]:
    return [
        OneTomogram(
            folder.name,
            frozenset({folder.name}),
            source.model_copy(update={"folders": (folder,)}),
            _read_locations(folder),
        )
        for folder in source.folders
    ]


def _read_locations(folder: Path) -> str:
    with wrap_as_input_error(f"{folder} is no folder of SHREC"):
        return read_text(folder / "particle_locations.txt", "particle list")
