"""References whose style is transferred: recorded tilt-series, simulated ones, and blends of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from faket_dask.config.acquisition import PixelSize, UnderfocusUm
from faket_dask.config.limits import MOST_TILTS
from faket_dask.documents.section import TRUTH_VALUES, Section, kind_or, resolve_path
from faket_dask.errors import InputError
from faket_dask.formats.exclusion import Exclusion
from faket_dask.recordings import resolve_file

LONGEST_NAME = 100
"""Most characters of a reference's name, which file names contain."""


def _resolve_input(path: Path, info: ValidationInfo) -> Path:
    """Return the absolute path of a file, or its place in the cache if it is that of a recording."""
    return resolve_file(str(path)) or resolve_path(path, info)


def _check_name(name: str) -> str:
    if len(name) > LONGEST_NAME:
        raise ValueError(f"has {len(name)} characters; at most {LONGEST_NAME} are possible")
    wrong = next((sign for sign in name if not (sign.isascii() and (sign.isalnum() or sign in "_.-"))), None)
    if wrong is not None:
        raise ValueError(f"holds {wrong!r}; a name consists of letters, digits, '_', '.' and '-'")
    if not name or not name[0].isalnum():
        raise ValueError("must begin with a letter or a digit")
    if "__" in name:
        raise ValueError(
            "holds two underscores in a row, which separate specimen and reference in the names of series; "
            "write one"
        )
    return name


ReferenceName = Annotated[
    str, AfterValidator(_check_name), Field(description="name of the reference, also in file names")
]


class TiltSeriesReference(Section):
    """Recorded tilt-series whose style is transferred.

    `clean` names a noiseless stack of the same content, where one exists (a simulated reference): noise
    statistics can then be paired.
    """

    kind: Literal["tilt_series"] = "tilt_series"
    name: ReferenceName
    stack: Path = Field(
        description="stack, .mdoc, RELION-5 .star, Warp .tomostar or .xml, AreTomo .aln, or a folder with one "
        "tilt-series: one of these, single images with an angle file, or a SHREC model; data:NAME/FILE for a recording "
        "that `faket-dask data fetch NAME` has brought"
    )
    tilt_angles: Path | Annotated[tuple[float, ...], Field(max_length=MOST_TILTS)] | None = Field(
        default=None,
        description="a .tlt, .rawtlt or .mdoc file, SHREC's alignment_simulated.txt, or a list with this project's "
        "sign; default: the file beside the stack",
    )
    angle_sign: Literal["imod", "warp"] = Field(
        default="imod",
        description="sign of angle files: IMOD's and SerialEM's, or Warp's, which is the opposite",
    )
    tomogram: str | None = Field(default=None, description="name in a RELION table")
    align: bool | Path = Field(
        default=False,
        description="align first: by an .xf or .aln file, or true for the one beside the stack or the project's own",
    )
    aligned: bool = Field(
        default=False,
        description="true for a stack that is aligned already and has no file that says so: its tilt axis lies along y "
        "through the centre",
    )
    mask: Literal["artefacts", "none"] | Path = Field(
        default="artefacts",
        description="pixels to exclude from statistics, spectra, style and scaling: artefacts detected on the tilts "
        "(beads, dead pixels and the like); none; or the pixels that are not 0 in a stack with the sections of `stack` "
        "(for single images: as the angles increase). Pixels beyond the detector are excluded with any but `none`",
    )
    exclude: tuple[int | str, ...] = Field(
        default=(),
        max_length=MOST_TILTS,
        description="tilts to leave out, by their numbers from 1 (sections of a stack as IMOD counts views; places in "
        'the file that lists single images), or ranges of them: `[3, "7-9"]`',
    )
    exclude_angles: tuple[Annotated[float, Field(ge=-90, le=90)], ...] = Field(
        default=(),
        max_length=MOST_TILTS,
        description="tilts to leave out, by their angles with the sign of the reference's own files: `[-60, 58.5]`",
    )
    ctf: Literal["files", "none"] | Path = Field(
        default="files",
        description="contrast transfer of the tilts: as the reference's own files or a CTF file beside the stack say; "
        "none; or a file that goes before them: IMOD's .defocus, a text file of CTFFIND or AreTomo, RELION's table of "
        "the tilt-series, Warp's .xml, or an .mdoc",
    )
    defocus_um: UnderfocusUm | None = Field(
        default=None, description="defocus of all tilts, in place of what files say; underfocus is positive"
    )
    clean: Path | None = Field(
        default=None, description="noiseless stack of the same content, with the same sections"
    )
    pixel_size_A: PixelSize | None = Field(default=None, description="overrides the header")
    resample: bool = Field(
        default=False, description="bring the reference to the acquisition's pixel size when they differ"
    )

    @field_validator("exclude", mode="before")
    @classmethod
    def _check_exclude(cls, value: Any) -> tuple[int | str, ...]:
        """Take one number or text as well as a list, so that `exclude: 3-5` means what it seems to."""
        items = tuple(value) if isinstance(value, list | tuple) else (value,)
        try:
            Exclusion.parse(items)
        except InputError as error:
            raise ValueError(str(error).partition(": ")[2]) from None
        return items

    _resolve_paths = field_validator("stack", "clean")(
        lambda path, info: None if path is None else _resolve_input(path, info)
    )

    @property
    def blend_weights(self) -> dict[str, float]:
        """Weights of the plain references that it consists of: itself alone."""
        return {self.name: 1.0}

    @field_validator("align", mode="before")
    @classmethod
    def _read_truth_value(cls, value: Any) -> Any:
        return TRUTH_VALUES.get(value.lower(), value) if isinstance(value, str) else value

    @field_validator("tilt_angles", "align", "mask", "ctf")
    @classmethod
    def _resolve_files(cls, value: Any, info: ValidationInfo) -> Any:
        return _resolve_input(value, info) if isinstance(value, Path) else value


class SimulatedReference(Section):
    """Reference made by the microscope model from a specimen of its own, which is no specimen of the data set."""

    kind: Literal["simulated"]
    name: ReferenceName

    @property
    def blend_weights(self) -> dict[str, float]:
        """Weights of the plain references that it consists of: itself alone."""
        return {self.name: 1.0}


class BlendedReference(Section):
    """Weighted blend of the styles of other references."""

    kind: Literal["blend"]
    name: ReferenceName
    weights: dict[str, Annotated[float, Field(ge=1e-6, le=1e6)]] = Field(
        min_length=1, description="weight of each reference in the blend, by name"
    )

    @property
    def blend_weights(self) -> dict[str, float]:
        """Weights of the plain references that it consists of; they add up to 1."""
        total = sum(self.weights.values())
        return {name: weight / total for name, weight in self.weights.items()}


Reference = Annotated[
    Annotated[TiltSeriesReference, Tag("tilt_series")]
    | Annotated[SimulatedReference, Tag("simulated")]
    | Annotated[BlendedReference, Tag("blend")],
    kind_or("tilt_series"),
]
