"""Score of two files, from reading to the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_volume
from faket_dask.interchange.importers.particles import ParticleOptions, list_particle_files
from faket_dask.workflow.score.agreement import check_not_empty, match_names, rename_classes
from faket_dask.workflow.score.particle_lists import needs_voxel_size, read_lists
from faket_dask.workflow.score.report import ScoreReport
from faket_dask.workflow.score.scorers import Scorer, ScorerOptions, check_options, score


def score_lists(
    predicted: Path,
    truth: Path,
    scorer: Scorer = Scorer.ONE_TO_ONE,
    scorer_options: ScorerOptions = ScorerOptions(),
    options: ParticleOptions = ParticleOptions(),
    truth_options: ParticleOptions = ParticleOptions(),
    names: Mapping[str, str] | None = None,
) -> ScoreReport:
    """Score a list of picks against the list of what is there.

    Parameters
    ----------
    predicted, truth, options, truth_options
        Files and how they are read, as for `particle_lists.read_lists`. Lists in voxels are taken to be in those of the
        mask, where there is one and no voxel size is given.
    scorer, scorer_options
        Rules and their options.
    names
        New names of classes of the picks by the old ones.

    Raises
    ------
    InputError
        If a file or option cannot be used, the lists share no class, or no pick lies in the frame of the truth.
    """
    check_options(scorer, scorer_options)
    mask, voxel_size_A = scorer_options.occupancy, options.voxel_size_A
    if mask is not None:
        is_needed = needs_voxel_size(predicted) or needs_voxel_size(truth)
        size_A = open_volume(mask, voxel_size_A=voxel_size_A).voxel_size_A if is_needed else None
        options = replace(options, voxel_size_A=size_A)
    picks, there = read_lists(predicted, truth, options, truth_options)
    check_not_empty(picks, there)
    picks = match_names(rename_classes(picks, names or {}), there)
    return score(scorer, picks, there, replace(scorer_options, voxel_size_A=voxel_size_A))


def list_inputs(predicted: Path, truth: Path, mask: Path | None, *options: ParticleOptions) -> list[Path]:
    """List the files that `score_lists` may read."""
    files = {
        path for item in options for name in (predicted, truth) for path in list_particle_files(name, item)
    }
    return [*sorted(files), *([] if mask is None else [mask])]


def parse_names(pairs: Iterable[str]) -> dict[str, str]:
    """Read new names of classes, ``OLD=NEW`` each.

    Raises
    ------
    InputError
        If one is not of that form, or a name is renamed twice.

    Examples
    --------
    >>> parse_names(["class1=ribosome"])
    {'class1': 'ribosome'}
    """
    names: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new) or old in names:
            raise InputError(f"--rename is {pair!r}; give OLD=NEW, once for each class of the picks")
        names[old] = new
    return names
