"""Tilt-series on disk: images of tilts in the order of increasing angle, read one at a time, aligned or as recorded.

`faket_dask.formats.openers` makes one from any of the formats that hold tilt-series.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.alignment import Alignment
from faket_dask.formats.image_checks import check_finite
from faket_dask.formats.mrc import MrcStack
from faket_dask.formats.tilt_list import TiltList
from faket_dask.geometry import TiltGeometry
from faket_dask.geometry.series_ctf import SeriesCtf

_RESAMPLING_ORDER = 5
"""Order of the splines: cubic ones take 13 % off the standard deviation of noise, these 8 %."""


@dataclass(frozen=True, eq=False)
class TiltSeries:
    """Tilt-series on disk, its tilts in the order of increasing angle.

    Parameters
    ----------
    geometry
        Geometry of the tilts as they are recorded.
    images
        ``(tilt,)`` file and section of each tilt.
    transforms
        ``(tilt, 2, 3)`` alignment from an `.xf` file as `imod.read_transforms` returns it, where there is one.
    alignment
        Alignment to read the tilts through; ``None`` reads them as they are recorded.
    recorded
        All tilts that the files list, left out ones too, as the files name them; ``None`` where tilts are the
        sections of stacks with angles of this project's sign.
    rows
        ``(tilt,)`` position of each tilt in `recorded`.
    unapplied
        Parts of the files' alignment that `aligned` does not apply, one sentence each.
    ctf
        Contrast transfer of the tilts as they are read, if it is known.
    """

    geometry: TiltGeometry
    images: tuple[tuple[MrcStack, int], ...]
    transforms: NDArray[np.float64] | None = None
    alignment: Alignment | None = None
    recorded: TiltList | None = None
    rows: NDArray[np.intp] | None = None
    unapplied: tuple[str, ...] = ()
    ctf: SeriesCtf | None = None

    def describe_tilt(self, index: int) -> str:
        """Name a tilt as its files do: number, file, and angle with the file's sign.

        Parameters
        ----------
        index
            Position in this series.
        """
        tilts = self.list_tilts()
        name = tilts.describe(self._row(index))
        return name if tilts.stack else f"{self.images[index][0].path} ({name})"

    def number(self, index: int) -> int:
        """Return the number by which users call a tilt, from 1.

        Parameters
        ----------
        index
            Position in this series.
        """
        return self.list_tilts().numbers[self._row(index)]

    def _row(self, index: int) -> int:
        """Return the position of a tilt among all that the files list."""
        return index if self.rows is None else int(self.rows[index])

    def list_tilts(self) -> TiltList:
        """Return all tilts that the files list, left out ones too, as the files name them."""
        if self.recorded is not None:
            return self.recorded
        path = self.images[0][0].path
        tilts = TiltList.in_order(path, self.geometry.tilt_angles, is_stage=False, place="tilt")
        if not self._is_one_stack:
            return tilts
        return replace(tilts, numbers=tuple(section + 1 for _, section in self.images), stack=path)

    def without(self, left_out: NDArray[np.bool_]) -> TiltSeries:
        """Return the same series without some tilts, which is to be aligned later.

        Parameters
        ----------
        left_out
            ``(tilt,)`` True for tilts to leave out.

        Raises
        ------
        InputError
            If none is left.
        """
        if not left_out.any():
            return self
        tilts = self.list_tilts()
        rows = np.arange(len(tilts)) if self.rows is None else self.rows
        chosen = np.nonzero(~left_out[rows])[0]
        if not chosen.size:
            raise InputError(
                f"all {len(tilts)} tilts of {tilts.stack or tilts.source} are left out; keep some"
            )
        return replace(
            self,
            geometry=self.geometry.select(chosen),
            images=tuple(self.images[tilt] for tilt in chosen),
            transforms=None if self.transforms is None else self.transforms[chosen],
            recorded=tilts,
            rows=rows[chosen],
            ctf=None if self.ctf is None else self.ctf.select(chosen.tolist()),
        )

    @property
    def left_out(self) -> int:
        """Number of recorded tilts that are left out."""
        return 0 if self.recorded is None else len(self.recorded) - len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Tilts, rows, columns, as they are read."""
        rows_columns = self._recorded_shape if self.alignment is None else self.alignment.shape
        return (len(self.images), *rows_columns)

    @property
    def _is_one_stack(self) -> bool:
        return len({image.path for image, _ in self.images}) == 1

    @property
    def _recorded_shape(self) -> tuple[int, int]:
        return self.images[0][0].shape[1:]

    @property
    def pixel_size_A(self) -> float:
        """Edge of a pixel in Å."""
        return self.geometry.pixel_size_A

    def tilt(self, index: int) -> NDArray[np.float32]:
        """Read one tilt, ``(y, x)`` float32, aligned if the series is; pixels outside the detector are its median.

        Raises
        ------
        InputError
            If the file has gone or has become shorter, or a pixel is NaN or infinite.
        """
        return self.read_tilt_and_outside(index)[0]

    def read_tilt_and_outside(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read one tilt as `tilt` does, with `outside_detector` of it.

        Raises
        ------
        InputError
            If the file has gone or has become shorter.
        """
        stack, section = self.images[index]
        image = stack.tilt(section)
        check_finite(image, stack.path, section, stack.shape[0], self.number(index))
        outside = self.outside_detector(index)
        if self.alignment is None:
            return image, outside
        aligned = self.alignment.resample(image, index, _RESAMPLING_ORDER)
        aligned[outside] = np.median(image)
        return aligned, outside

    def outside_detector(self, index: int) -> NDArray[np.bool_]:
        """Find the pixels ``(y, x)`` of an aligned tilt that lie outside the recorded one."""
        if self.alignment is None:
            return np.zeros(self.shape[1:], dtype=np.bool_)
        recorded = np.ones(self.images[index][0].shape[1:], dtype=np.float32)
        return self.alignment.resample(recorded, index, 1) < 0.999

    def nonzero_pixels(self, index: int) -> NDArray[np.bool_]:
        """Find the pixels ``(y, x)`` of a tilt that differ from 0, in an aligned tilt those that one touches."""
        stack, section = self.images[index]
        nonzero = stack.tilt(section) != 0
        if self.alignment is None:
            return nonzero
        return self.alignment.resample(nonzero.astype(np.float32), index, 1) > 0.001

    def aligned(self) -> TiltSeries:
        """Return the same series, read with its tilt axis along y through the centre.

        The transforms of an `.xf` file are taken where there are any, otherwise the tilt-axis angle and the
        shifts of the geometry. Where the axis is nearer to x, rows and columns change places.

        Raises
        ------
        InputError
            If nothing is known about the alignment.
        """
        for sentence in self.unapplied:
            warnings.warn(sentence, stacklevel=2)
        shape = self.shape[1:]
        if self.transforms is not None:
            alignment = Alignment.from_transforms(self.transforms, shape)
        elif not self.geometry.is_aligned:
            alignment = Alignment.from_geometry(self.geometry, shape)
        else:
            raise InputError(
                f"{self.images[0][0].path} has no .xf file beside it and no tilt-axis angle; give its .xf file, or "
                "use the series as it is"
            )
        geometry = replace(self.geometry, tilt_axis_angle_deg=0.0, shift_A=None)
        ctf = None if self.ctf is None else self.ctf.turn(alignment.turns_deg)
        return replace(self, geometry=geometry, alignment=alignment, unapplied=(), ctf=ctf)

    @property
    def needs_alignment(self) -> bool:
        """True if the series is read as it was recorded, although its files say how to align it."""
        moves = self.transforms is not None and not np.allclose(self.transforms, np.eye(2, 3), atol=1e-4)
        return self.alignment is None and (moves or not self.geometry.is_aligned)

    def xf_transforms(self) -> NDArray[np.float64] | None:
        """Return the alignment ``(tilt, 2, 3)`` as an `.xf` file has it; ``None`` where the files know none."""
        if self.transforms is not None or not self.needs_alignment:
            return self.transforms
        return Alignment.from_geometry(self.geometry, self._recorded_shape).to_transforms(
            self._recorded_shape
        )

    def counterpart(self, stack: MrcStack) -> TiltSeries:
        """Return the same series in another stack, with the same sections and alignment.

        Raises
        ------
        InputError
            If this series is not in one stack, or the other one's shape differs.
        """
        first = self.images[0][0]
        if not self._is_one_stack:
            raise InputError(f"{stack.path} cannot be the counterpart of single images ({first.path}, …)")
        if stack.shape != first.shape:
            raise InputError(
                f"{stack.path} has the shape {stack.shape}, its noisy counterpart {first.path} {first.shape}; "
                f"they must agree{', tilts that are left out included' if self.left_out else ''}"
            )
        return replace(self, images=tuple((stack, section) for _, section in self.images))

    def mask(self, stack: MrcStack) -> TiltSeries:
        """Return a mask of this series, with the same alignment.

        Its sections are those of the stack that the tilts are in; for tilts in single images, they are in the order
        of increasing angle, with or without those of the tilts that are left out.

        Raises
        ------
        InputError
            If its shape differs from that of the tilts.
        """
        first = self.images[0][0]
        sections = [section for _, section in self.images]
        expected = first.shape
        if not self._is_one_stack:
            sections, expected = list(range(len(sections))), (len(sections), *first.shape[1:])
            if self.left_out and stack.shape[0] == len(sections) + self.left_out:
                assert self.recorded is not None
                ranks = np.argsort(np.argsort(self.recorded.tilt_angles, kind="stable"))
                sections, expected = ranks[self.rows].tolist(), (len(self.recorded), *first.shape[1:])
        if stack.shape != expected:
            raise InputError(
                f"{stack.path} has the shape {stack.shape}, the tilts that it masks {expected}; they must agree"
            )
        return replace(self, images=tuple((stack, section) for section in sections))

    def checksum(self) -> str:
        """SHA-256, in hexadecimal digits, of image files, sections that are left out, and alignment.

        A whole stack as it is recorded has the checksum of its file.
        """
        sums = {stack.path: stack.checksum() for stack in dict.fromkeys(stack for stack, _ in self.images)}
        if len(sums) == 1 and self.alignment is None and not self.left_out:
            return next(iter(sums.values()))
        digest = hashlib.sha256("".join(sums[stack.path] for stack, _ in self.images).encode())
        if self.left_out:
            digest.update(",".join(str(section) for _, section in self.images).encode())
        if self.alignment is not None:
            digest.update(self.alignment.matrix.tobytes() + self.alignment.shift.tobytes())
        return digest.hexdigest()


def check_images(path: object, series: TiltSeries) -> TiltSeries:
    """Check that the sections of a series exist, in images of one shape; return the series.

    Parameters
    ----------
    path
        File or folder that names the images, for messages.
    series
        Series to check.

    Raises
    ------
    InputError
        If the images differ in shape, or a section is missing.
    """
    shapes = {stack.shape[1:] for stack, _ in series.images}
    if len(shapes) > 1:
        raise InputError(f"{path}: its images have different shapes, {sorted(shapes)[:3]}")
    for stack, section in series.images:
        if section >= stack.shape[0]:
            raise InputError(
                f"{path} names section {section + 1} (counted from 1) of {stack.path}, which has {stack.shape[0]}"
            )
    return series
