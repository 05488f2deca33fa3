"""Hand of a tomogram, by which of a particle and its mirror image is found in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from faket_dask.atomic import write_text
from faket_dask.engine.unfinished import may_hold_work
from faket_dask.errors import InputError
from faket_dask.kernels.matching.null_template import Null
from faket_dask.kernels.matching.peaks import find_peaks
from faket_dask.matching.search import complete_search
from faket_dask.matching.specification import MatchSpec
from faket_dask.matching.template_source import resolve_source
from faket_dask.matching.units import NULL, PARTICLE, read_scores
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.record import absolute
from faket_dask.pipeline.tomogram_source import GivenTomogram
from faket_dask.stages.device import check_device
from faket_dask.stages.matching import MatchSettings


class HandVerdict(Enum):
    """Hand of a tomogram."""

    RIGHT = "right"
    MIRRORED = "mirrored"
    UNDECIDED = "undecided"


@dataclass(frozen=True, eq=False)
class HandCheck:
    """Scores of a particle and of its mirror image at the places where either is found best.

    Parameters
    ----------
    centre_A
        ``(n, 3)`` places ``(x, y, z)`` in Å, the best first.
    score, mirrored
        ``(n,)`` scores of the particle and of its mirror image there, each in its best orientation.
    """

    centre_A: NDArray[np.float64]
    score: NDArray[np.float64]
    mirrored: NDArray[np.float64]

    @property
    def wins(self) -> int:
        """Number of places where the particle scores higher than its mirror image."""
        return int(np.count_nonzero(self.score > self.mirrored))

    @property
    def share(self) -> float:
        """Share of these places."""
        return self.wins / len(self.score)

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the share (Wilson), with the places independent of one another."""
        found = binomtest(self.wins, len(self.score)).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)

    @property
    def verdict(self) -> HandVerdict:
        """Hand of the tomogram: that which wins in more than half of the places, if the interval excludes a half."""
        low, high = self.interval()
        if low > 0.5:
            return HandVerdict.RIGHT
        return HandVerdict.MIRRORED if high < 0.5 else HandVerdict.UNDECIDED


def check_hand(
    searched: GivenTomogram,
    source: str,
    target: Path,
    settings: MatchSettings,
    *,
    most: int = 100,
    distance_A: float | None = None,
    device: str = "cpu",
    threads: int = 1,
    advance: Callable[[float], None] = lambda share: None,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> HandCheck:
    """Search a tomogram for a particle and for its mirror image, and compare them where either is found best.

    Parameters
    ----------
    searched
        Tomogram.
    source
        Template: phantom, entry of a public archive, structure file or density map, of the right hand.
    target
        ``.json`` file to write. Unfinished work is in ``.<name>.unfinished`` beside it.
    settings
        Missing wedge, orientations, contrast.
    most
        Largest number of places, the best ones.
    distance_A
        Least distance of two places in Å; by default the radius of the particle.
    device
        ``"cpu"`` or ``"cuda"``; untested on a GPU.
    threads
        Units that are computed at the same time; the result does not depend on it.
    advance
        Called with each share of the work that is done; they add up to 1.
    inputs
        Files that are read, which are never replaced.
    overwrite
        True to replace a file of others.

    Raises
    ------
    InputError
        Before anything is computed, if an input cannot be used or the target not be written; if nothing is found.
    DiskFullError
        If the scores do not fit on the disk.
    DatasetBusyError
        If another process makes the same search.

    Notes
    -----
    Places are peaks of the higher of the two scores, so that neither hand is preferred. Where there is no particle
    both win equally often, which takes the share towards a half but not beyond. Interrupted in any way, the same call
    resumes.
    """
    if target.suffix != ".json":
        raise InputError(f"{target} is no .json file, which the scores of both hands are written as")
    if most < 1:
        raise InputError(f"at most {most} places are none; give 1 or more")
    if threads < 1:
        raise InputError(f"{threads} threads cannot work; give at least one (--threads)")
    check_device(device)
    target = absolute(target)
    root = target.with_name(f".{target.name}.unfinished")
    resolved = resolve_source(source)
    spec = MatchSpec(root, searched, resolved, settings, Null.MIRRORED, device)
    files = [*inputs, *([Path(resolved)] if Path(resolved).is_file() else [])]
    refusals = [] if may_hold_work(root) else [f"{root} holds no unfinished search; move it away"]
    with claim_outputs([target], inputs=files, overwrite=overwrite, refusals=refusals):
        complete_search(spec, target, threads, advance=advance)
        check = _compare(spec, most, distance_A or spec.template.radius_A)
        _write(target, check)
        shutil.rmtree(root)
        return check


def _compare(spec: MatchSpec, most: int, distance_A: float) -> HandCheck:
    score, mirrored = read_scores(spec, PARTICLE).score, read_scores(spec, NULL).score
    peaks = find_peaks(np.maximum(score, mirrored), distance_A / spec.searched.voxel_size_A)
    voxel = peaks.voxel[:most]
    if not len(voxel):
        raise InputError(
            f"neither the particle nor its mirror image is anywhere in {spec.searched.title}; check its contrast "
            "(--contrast)"
        )
    at = tuple(voxel.T)
    return HandCheck(
        spec.searched.locate(voxel), score[at].astype(np.float64), mirrored[at].astype(np.float64)
    )


def _write(path: Path, check: HandCheck) -> None:
    low, high = check.interval()
    document = {
        "verdict": check.verdict.value,
        "places": len(check.score),
        "share": check.share,
        "interval_95": [low, high],
        "centre_A": check.centre_A.tolist(),
        "score": check.score.tolist(),
        "mirrored_score": check.mirrored.tolist(),
    }
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in document.items())
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
