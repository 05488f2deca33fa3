"""Choice between entries of archives and the phantoms that stand in for them, where a run file leaves it open."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

from faket_dask import structures
from faket_dask.config import BuiltSpecimen, RunConfig
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.errors import InputError
from faket_dask.structures import UnavailableEntryError, parse_entry

Choice = Literal["pdb", "phantoms"]


def choose_structures(config: RunConfig) -> RunConfig:
    """Return a run file whose particles are made from entries, all of them, or all from their stand-ins.

    The choice of a data set that is in the folder already is kept, so a run goes on as it began.

    Parameters
    ----------
    config
        Run file.

    Raises
    ------
    InputError
        If an entry was had, and is not what it should be.

    Warns
    -----
    UserWarning
        If stand-ins are taken since an entry cannot be had.
    """
    specimen = config.specimen
    if not isinstance(specimen, BuiltSpecimen):
        return config
    chosen = choose_for_specimen(specimen, config.dataset.folder)
    return config.model_copy(update={"specimen": chosen})


def choose_for_specimen(specimen: BuiltSpecimen, folder: Path | None = None) -> BuiltSpecimen:
    """Return a specimen as `choose_structures` does.

    Parameters
    ----------
    specimen
        Section of a run file.
    folder
        Folder of the data set, whose choice is kept.

    Raises
    ------
    InputError
        As for `choose_structures`.
    """
    if not specimen.stand_ins:
        return specimen
    choice = specimen.structures
    if choice == "auto":
        choice = (folder and _read_choice(folder)) or _try_entries(specimen)
    return specimen.choose_structures(choice)


def _read_choice(folder: Path) -> Choice | None:
    """Return the choice of the data set in a folder, ``None`` where there is none."""
    try:
        specimen = DatasetSpec.read(folder).config.specimen
    except InputError:
        return None
    if not isinstance(specimen, BuiltSpecimen) or specimen.structures == "auto":
        return None
    return specimen.structures


def _try_entries(specimen: BuiltSpecimen) -> Choice:
    """Return whether all entries can be had; they are in the cache then."""
    for source in specimen.stand_ins.values():
        try:
            structures.fetch(parse_entry(source))
        except UnavailableEntryError as error:
            warnings.warn(
                f"phantoms of the same masses take the place of all {len(specimen.stand_ins)} entries: {error}; write "
                "`structures: phantoms` in the section specimen to choose them, or `structures: pdb` to insist",
                stacklevel=2,
            )
            return "phantoms"
    return "pdb"
