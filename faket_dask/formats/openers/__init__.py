"""Open a recorded tilt-series in any format that the field keeps one in.

A tilt-series is named by a stack with its angles beside it (IMOD's `.tlt` or `.rawtlt`, SerialEM's `.mdoc`, SHREC's
``alignment_simulated.txt``), an `.mdoc` (of a stack or of single images), a RELION-5 table of tomograms or
tilt-series, a Warp `.tomostar`, or a folder with one of these, or with single images and one angle file. Each gives a
`TiltSeries`: the geometry in this project's convention, tilts sorted by angle, and, on request, the alignment that
brings the tilt axis onto y and its centre onto pixel ``(N // 2, N // 2)``.

Each format is one module with a `SeriesFormat`; a new one is such a module and its entry in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from numpy.typing import ArrayLike

from faket_dask.errors import InputError
from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.exclusion import Exclusion
from faket_dask.formats.mrc import STACK_SUFFIXES
from faket_dask.formats.openers.images import SINGLE_IMAGES
from faket_dask.formats.openers.mdoc import MDOC
from faket_dask.formats.openers.relion5 import RELION5
from faket_dask.formats.openers.series_format import (
    CtfChoice,
    SeriesFormat,
    SeriesOptions,
    Sign,
    list_visible_files,
)
from faket_dask.formats.openers.shrec import SHREC
from faket_dask.formats.openers.stack import ARETOMO, STACK, MissingAnglesError
from faket_dask.formats.openers.warp import TOMOSTAR, WARP_XML
from faket_dask.formats.tilt_series import TiltSeries

__all__ = ["FORMATS", "MissingAnglesError", "SeriesFormat", "SeriesOptions", "open_tilt_series"]

FORMATS: list[SeriesFormat] = [SHREC, SINGLE_IMAGES, TOMOSTAR, WARP_XML, RELION5, MDOC, ARETOMO, STACK]
"""Formats in the order in which a folder is searched for them. A file of no format's ending is opened as the last."""


def open_tilt_series(
    path: Path,
    *,
    tilt_angles: Path | ArrayLike | None = None,
    transforms: Path | None = None,
    pixel_size_A: float | None = None,
    tomogram: str | None = None,
    sign: str = "imod",
    exclude: Sequence[int | str] | str = (),
    exclude_angles: Sequence[float] | str = (),
    ctf: Path | str = "files",
    defocus_um: float | None = None,
) -> TiltSeries:
    """Open a tilt-series; headers and metadata are read, images are not.

    Parameters
    ----------
    path
        Stack, `.mdoc`, `.star`, `.tomostar`, or a folder that holds one tilt-series. Single images in a folder are
        taken in the order of their names, in which numbers count as numbers; in a SHREC model, ``projections.mrc`` is.
        Tomograms and hidden files of a folder are passed over.
    tilt_angles
        Angles of a stack or single images: an angle file, SHREC's alignment file or an `.mdoc`, or ``(tilt,)`` degrees
        in the order of the stack with this project's sign. By default the file of the stack's name is taken, and the
        only one in a folder of single images.
    transforms
        An `.xf` file with one line a tilt of the stack; by default that of the stack's name, if there is one.
    pixel_size_A
        Edge of a pixel in Å, in place of the one in the files.
    tomogram
        Name of a tomogram of a RELION table, where it has more than one.
    sign
        Sign of the angles in angle files: ``"imod"``, as IMOD and SerialEM have them, or ``"warp"``, the opposite,
        which is this project's too.
    exclude
        Tilts to leave out, by their numbers from 1: sections of the stack as IMOD counts views (one more than
        SerialEM's ``ZValue``), or, for single images, places in the file that lists them or in the order of their
        names. ``[3, "7-9"]`` and ``"3,7-9"`` are the same.
    exclude_angles
        Tilts to leave out, by angles in degrees with the sign of the series' own files: for each the nearest tilt,
        which must be within half a degree.
    ctf
        File of the contrast transfer: IMOD's `.defocus`, a text file of CTFFIND or AreTomo, RELION's table of the
        tilt-series, Warp's `.xml` or an `.mdoc`. ``"files"`` takes it from the series' own files, where they have it,
        ``"none"`` does not read it.
    defocus_um
        Defocus of all tilts in µm, underfocus positive, in place of what files say.

    Raises
    ------
    MissingAnglesError
        If nothing says the angles of a stack.
    InputError
        If a file is absent or damaged, more than one series could be meant, angles, images, transforms and contrast
        transfer do not fit together, or a tilt to leave out is not there.
    """
    if sign not in get_args(Sign):
        raise InputError(f"the sign of angle files is 'imod' or 'warp', not {sign!r}")
    exclusion = Exclusion.parse(exclude, exclude_angles)
    choice = cast(CtfChoice, ctf) if ctf in get_args(CtfChoice) else Path(ctf)
    options = SeriesOptions(
        tilt_angles, transforms, pixel_size_A, tomogram, cast(Sign, sign), exclusion, choice, defocus_um
    )
    path = Path(path)
    series_format, path = _find_in_folder(path) if path.is_dir() else (_find_format(path), path)
    series = series_format.open(path, options)
    # a format that is registered from outside may not know of exclusions
    return series.without(exclusion.find(series.list_tilts())) if series.recorded is None else series


def _find_format(path: Path) -> SeriesFormat:
    fitting = (candidate for candidate in FORMATS if kind_suffix(path) in candidate.suffixes)
    return next(fitting, FORMATS[-1])


def _find_in_folder(folder: Path) -> tuple[SeriesFormat, Path]:
    files = list_visible_files(folder)
    for candidate in FORMATS:
        matches = candidate.find(folder, files)
        if len(matches) == 1:
            return candidate, matches[0]
        if matches:
            names = ", ".join([match.name for match in matches[:4]] + ["…"] * (len(matches) > 4))
            raise InputError(f"{folder} holds several tilt-series ({names}); name one of the files")
    tomograms = [file.name for file in files if kind_suffix(file) in STACK_SUFFIXES]
    if tomograms:
        raise InputError(
            f"{folder} holds no tilt-series, only tomograms by their names or headers ({tomograms[0]}); name the file "
            "if it is a tilt-series"
        )
    raise InputError(f"{folder} holds no stack, .mdoc, .star or .tomostar of a tilt-series")
