"""Interface of a format of tilt-series, and the steps that several formats share."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from numpy.typing import ArrayLike

from faket_dask.errors import InputError
from faket_dask.formats.compression import COMPRESSED_SUFFIXES, kind_suffix, strip_compression
from faket_dask.formats.exclusion import Exclusion
from faket_dask.formats.files import file_name
from faket_dask.formats.imod import read_transforms
from faket_dask.formats.mrc import STACK_SUFFIXES, MrcStack, open_stack
from faket_dask.formats.tilt_series import TiltSeries

Sign = Literal["imod", "warp"]

CtfChoice = Literal["files", "none"]
"""Contrast transfer to read: what the series' own files say, or none."""


@dataclass(frozen=True)
class SeriesOptions:
    """Arguments of `faket_dask.formats.openers.open_tilt_series`, which describes them."""

    tilt_angles: Path | ArrayLike | None
    transforms: Path | None
    pixel_size_A: float | None
    tomogram: str | None
    sign: Sign
    exclusion: Exclusion = field(default_factory=Exclusion)
    ctf: Path | CtfChoice = "files"
    defocus_um: float | None = None

    @property
    def reads_own_ctf(self) -> bool:
        """True unless the user wants no contrast transfer."""
        return self.ctf != "none"


@dataclass(frozen=True)
class SeriesFormat:
    """Format that tilt-series come in.

    Parameters
    ----------
    suffixes
        Endings of the files that name a series of this format.
    find
        Function of a folder and its sorted files that returns the files (or the folder itself) that stand for a
        series of this format; a folder with more than one is refused.
    open
        Function of such a file and the options that opens the series.
    """

    suffixes: tuple[str, ...]
    find: Callable[[Path, Sequence[Path]], list[Path]]
    open: Callable[[Path, SeriesOptions], TiltSeries]


def list_visible_files(folder: Path) -> list[Path]:
    """List the files of a folder in the order of their names, without hidden ones, such as macOS's ``._NAME``.

    Raises
    ------
    InputError
        If the folder cannot be read.
    """
    try:
        return sorted(
            entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")
        )
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from None


def find_by_suffix(*suffixes: str) -> Callable[[Path, Sequence[Path]], list[Path]]:
    """Return a function for `SeriesFormat.find` that chooses files by their ending."""

    def find(folder: Path, files: Sequence[Path]) -> list[Path]:
        return [file for file in files if kind_suffix(file) in suffixes]

    return find


def add_transforms(series: TiltSeries, path: Path, transforms: Path | None) -> TiltSeries:
    """Add the alignment of an `.xf` file to a series, by default of the one of its name, if there is one.

    Parameters
    ----------
    series
        Series in one stack.
    path
        Stack or `.mdoc`.
    transforms
        `.xf` file, if the user names one.

    Raises
    ------
    InputError
        If the file is absent or damaged, or does not fit the series.
    """
    file = transforms or find_beside(path, (".xf",))
    if file is None:
        return series
    matrices = read_transforms(file)
    tilts = len(series.images) + series.left_out
    if len(matrices) != tilts:
        raise InputError(f"{file} has {len(matrices)} transforms, {path} has {tilts} tilts")
    sections = [section for _, section in series.images]
    if len(set(sections)) < len(sections):
        raise InputError(f"{file} aligns a stack; {path} names single images")
    return replace(series, transforms=matrices[sections])


def find_beside(
    path: Path, suffixes: Sequence[str], *, present: Container[Path] = (), absent: Container[Path] = ()
) -> Path | None:
    """Find a file of a stack's name, or of its part before the first dot, with one of the endings.

    Parameters
    ----------
    path
        Stack.
    suffixes
        Endings; files of the first go before those of the next.
    present, absent
        Files to take as being there, and as not.
    """
    plain = strip_compression(path)
    stems = dict.fromkeys((plain.name, plain.stem, plain.name.split(".")[0]))
    for suffix in suffixes:
        for stem in stems:
            for ending in (suffix, suffix.upper(), *(suffix + packed for packed in COMPRESSED_SUFFIXES)):
                candidate = path.with_name(stem + ending)
                if candidate not in absent and (candidate in present or candidate.is_file()):
                    return candidate
    return None


def open_movie_average(
    path: Path, movie: str, pixel_size_A: float | None, stated: tuple[object, float] | None = None
) -> MrcStack:
    """Open the averaged image of a tilt's movie: of the movie's name, beside the file that names it or in `average`.

    Parameters
    ----------
    path
        File that names the movie.
    movie
        Path of the movie as the file has it.
    pixel_size_A
        Edge of a pixel in Å, if the header's is not to be taken.
    stated
        File that states the edge of a pixel, and what it states, as for `open_stack`.

    Raises
    ------
    InputError
        If there is no such image, or it cannot be read.
    """
    name = file_name(movie)
    stem = Path(name).stem
    if not stem:
        raise InputError(f"{path} names neither a stack beside it nor an image of each tilt")
    folder = path.parent
    candidates = [folder / movie.replace("\\", "/"), folder / name]
    candidates += [
        parent / f"{stem}.mrc{packed}"
        for parent in (folder, folder / "average", (folder / movie).parent / "average")
        for packed in ("", *COMPRESSED_SUFFIXES)
    ]
    for candidate in candidates:
        if kind_suffix(candidate) in STACK_SUFFIXES and candidate.is_file():
            return open_stack(candidate, pixel_size_A=pixel_size_A, stated=stated)
    raise InputError(
        f"{path} names {movie}, of which there is no averaged image {stem}.mrc beside it or in average/; put it there, "
        "or name the stack of the series"
    )
