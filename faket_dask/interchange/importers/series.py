"""Import of recorded tilt-series as stacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import STACK_SUFFIXES, write_stack
from faket_dask.formats.side_files import list_misreadings, list_series_files
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.placing import remove_own_output


def import_series(
    series: TiltSeries, target: Path, *, inputs: Iterable[Path] = (), overwrite: bool = False
) -> Iterator[Path]:
    """Write a recorded series as one stack, sorted by angle, and aligned if it is read aligned.

    Parameters
    ----------
    series
        Recorded tilt-series.
    target
        ``.mrc`` file to write; its angles with IMOD's sign (`.rawtlt`) and an `.mdoc` go beside it, and an `.xf` where
        the series is read as recorded and its alignment is known, and a text file of the contrast transfer where it is
        known; else those of an earlier import are removed.
    inputs
        Files that the series was read from, beside its images.
    overwrite
        True to replace files of others, too; never those that the series is read from.

    Yields
    ------
    path
        Each written file, once it is written.

    Raises
    ------
    InputError
        Before anything is written, if the target has not the name of a stack, a target is a file of the series or not
        this program's or cannot be written, or one of the stacks in the folder, new or old, would be read with the
        angles or the alignment of another.
    """
    if target.suffix not in STACK_SUFFIXES:
        raise InputError(
            f"{target} ends with none of {', '.join(STACK_SUFFIXES)}, by which a stack is known; name it so"
        )
    tilts, rows, columns = series.shape
    angles, mdoc = target.with_suffix(".rawtlt"), target.with_name(target.name + ".mdoc")
    alignment = target.with_suffix(".xf")
    transforms = series.xf_transforms() if series.alignment is None else None
    contrast = target.with_name(f"{target.stem}_CTF.txt")
    estimate = None if series.ctf is None or series.ctf.is_target else series.ctf
    known = {alignment: transforms is not None, contrast: estimate is not None}
    side_files = [angles, mdoc, *(path for path, is_known in known.items() if is_known)]
    obsolete = [path for path, is_known in known.items() if not is_known]
    with claim_outputs(
        [target, *side_files],
        inputs=list_series_files(series, inputs),
        overwrite=overwrite,
        refusals=list_misreadings(target, side_files, obsolete),
    ):
        write_stack(target, map(series.tilt, range(tilts)), series.shape, series.pixel_size_A)
        yield target
        write_angles(angles, series.geometry.stage_angles)
        yield angles
        voltage_kV = None if series.ctf is None else series.ctf.voltage_kV
        write_mdoc(mdoc, series.geometry, target.name, (rows, columns), voltage_kV, series.ctf, recorded=True)
        yield mdoc
        if estimate is not None:
            write_ctffind(contrast, estimate)
            yield contrast
        if transforms is not None:
            write_transforms(alignment, transforms)
            yield alignment
        for path in obsolete:
            remove_own_output(path)
