"""Arguments of the commands that read a tomogram, of a file or of a data set."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from faket_dask.cli.console import check_length
from faket_dask.errors import InputError

if TYPE_CHECKING:
    from faket_dask.pipeline.tomogram_source import DatasetTomogram, GivenTomogram

K = TypeVar("K", bound=Enum)

TomogramPath = Annotated[
    Path, typer.Argument(help="Tomogram (MRC), or a data set that has some.", show_default=False)
]
TiltRange = Annotated[
    str | None,
    typer.Option(
        "--tilt-range",
        help="First and last tilt of an MRC tomogram in degrees: -60,60; tilts are about the y axis.",
        show_default=False,
    ),
]
TiltAngles = Annotated[
    Path | None,
    typer.Option("--angles", help="Angle file (.tlt, .rawtlt) in place of --tilt-range.", show_default=False),
]
SeriesName = Annotated[
    str | None, typer.Option("--series", help="Series of a data set.", show_default="its first")
]
Modality = Annotated[
    str | None,
    typer.Option(
        "--modality",
        help="Modality of a data set's tomogram.",
        show_default="the first that has tomograms",
    ),
]
GreyValue = Annotated[str, typer.Option("--contrast", help="Grey value of particles: dark or bright.")]
VoxelSize = Annotated[
    float | None,
    typer.Option(
        "--voxel-size-A",
        callback=check_length,
        help="Voxel size in Å, in place of the header's.",
        show_default=False,
    ),
]
TemplateDefocus = Annotated[
    float | None,
    typer.Option(
        "--defocus-um",
        help="Mean defocus in µm, for the contrast transfer of the template; none by default.",
        show_default=False,
    ),
]
PhaseFlipped = Annotated[
    bool, typer.Option("--phase-flipped", help="The tomogram's tilts have flipped phases.")
]


class AngleSign(Enum):
    """Signs of tilt angles."""

    IMOD = "imod"
    WARP = "warp"

    @property
    def opposite(self) -> AngleSign:
        """The other sign."""
        return AngleSign.WARP if self is AngleSign.IMOD else AngleSign.IMOD


def open_tomogram(
    path: Path,
    series: str | None,
    modality: str | None,
    voxel_size_A: float | None,
    tilt_range: str | None,
    angles: Path | None,
    sign: str,
) -> tuple[GivenTomogram, tuple[float, ...]]:
    """Open a tomogram, and return the angles of its tilts with the sign of this project.

    Raises
    ------
    InputError
        If it cannot be read, or an option is missing or of no use.
    """
    from faket_dask.engine.folder import RunFolder
    from faket_dask.pipeline.tomogram_source import MrcTomogram

    if RunFolder(path).description.exists():
        if tilt_range is not None or angles is not None or voxel_size_A is not None:
            raise InputError(
                f"--tilt-range, --angles, --voxel-size-A: {path} is a data set, which knows; leave out"
            )
        found = _open_in_dataset(path, series, modality)
        return found, found.tilt_angles
    if series is not None or modality is not None:
        raise InputError(f"--series, --modality: for data sets, and {path} is none; leave out")
    tilts = _read_tilts(tilt_range, angles, sign)
    return MrcTomogram.open(path, voxel_size_A), tilts


def _open_in_dataset(folder: Path, series: str | None, modality: str | None) -> DatasetTomogram:
    from faket_dask.dataset.spec import DatasetSpec
    from faket_dask.pipeline.tomogram_source import DatasetTomogram

    spec = DatasetSpec.read(folder)
    modalities = spec.config.reconstruction.modalities
    if not modalities and modality is None:
        raise InputError(f"{folder} has no tomograms; make them with `faket-dask reconstruct {folder}`")
    chosen = modalities[0] if modality is None else modality
    first = next(iter(spec.series_by_name))
    return DatasetTomogram(folder.resolve(), first if series is None else series, chosen)


def _read_tilts(tilt_range: str | None, angles: Path | None, sign: str) -> tuple[float, ...]:
    """Return tilt angles with the sign of this project."""
    from faket_dask.formats.openers.listed_tilts import list_stated

    if (tilt_range is None) == (angles is None):
        raise InputError(
            "the missing wedge of an MRC tomogram follows from its tilts: give either --tilt-range, such as -60,60, or "
            "--angles"
        )
    is_stage = choose(AngleSign, sign, "--sign") is AngleSign.IMOD
    if angles is not None:
        return tuple(list_stated(angles, "imod" if is_stage else "warp", None).tilt_angles.tolist())
    assert tilt_range is not None
    try:
        first, last = (float(text) for text in tilt_range.split(","))
    except ValueError:
        raise InputError(
            f"--tilt-range {tilt_range} is no pair of angles; give the first and the last: -60,60"
        ) from None
    if not -90 < first < last < 90:
        raise InputError(f"--tilt-range {tilt_range}: the angles must increase, between -90 and 90")
    return (-last, -first) if is_stage else (first, last)


def choose(kinds: type[K], value: str, option: str) -> K:
    """Return the member of an enumeration that an option names.

    Raises
    ------
    InputError
        If there is none, with all that there are.
    """
    try:
        return kinds(value)
    except ValueError:
        known = ", ".join(kind.value for kind in kinds)
        raise InputError(f"{option} is one of {known}, not {value!r}") from None
