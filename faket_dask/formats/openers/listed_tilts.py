"""Tilts that a file or the user lists for images in the same order, and the series that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.errors import InputError
from faket_dask.formats.ctf_table import CtfTable
from faket_dask.formats.imod import read_angle_file
from faket_dask.formats.mdoc import Mdoc
from faket_dask.formats.mrc import MrcStack
from faket_dask.formats.openers.series_format import Sign
from faket_dask.formats.shrec import ALIGNMENT_FILE, read_alignment
from faket_dask.formats.tilt_list import FindLeftOut, TiltList
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.geometry import TiltGeometry, add_earlier_exposure, select_exposures


@dataclass(frozen=True, eq=False)
class ListedTilts:
    """Tilts in the order of their images, with what is known of their exposure.

    Parameters
    ----------
    tilts
        All tilts.
    acquisition_order, exposure_e_per_A2
        ``(tilt,)`` rank in time and exposure of each tilt, if known.
    left_out_exposure_e_per_A2
        ``(tilt,)`` exposure before each tilt in others that are not listed, or before the series; ``None`` for none.
    ctf
        Target defocus of the tilts, if known.
    """

    tilts: TiltList
    acquisition_order: NDArray[np.int64] | None = None
    exposure_e_per_A2: NDArray[np.float64] | None = None
    left_out_exposure_e_per_A2: NDArray[np.float64] | None = None
    ctf: CtfTable | None = None

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees with this project's sign."""
        return self.tilts.tilt_angles

    def reorder(self, places: NDArray[np.intp]) -> ListedTilts:
        """Return the tilts in another order; they are numbered anew.

        Parameters
        ----------
        places
            ``(tilt,)`` present place of each tilt.
        """
        tilts = replace(
            self.tilts,
            angles=self.tilts.angles[places],
            places=tuple(self.tilts.places[place] for place in places),
        )
        ctf = None if self.ctf is None else self.ctf.reorder(places)
        return ListedTilts(tilts, *self.select_exposures(places), ctf)

    def select_exposures(
        self, places: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Select what is known of the exposure of tilts, as `faket_dask.geometry.select_exposures` does.

        Parameters
        ----------
        places
            ``(selected,)`` places of the tilts.
        """
        return select_exposures(
            self.acquisition_order, self.exposure_e_per_A2, places, self.left_out_exposure_e_per_A2
        )

    def with_exposures(self, mdoc: Mdoc, places: NDArray[np.intp]) -> ListedTilts:
        """Return the tilts with the exposures, the order of acquisition and the target defocus of an `.mdoc`.

        Parameters
        ----------
        mdoc
            Metadata.
        places
            ``(tilt,)`` place of each tilt in it.
        """
        rank, exposure, left_out = select_exposures(mdoc.acquisition_order, mdoc.exposure_e_per_A2, places)
        left_out = add_earlier_exposure(left_out, mdoc.earlier_exposure_e_per_A2, len(places))
        rank = self.acquisition_order if rank is None else rank
        ctf = None if mdoc.target_ctf is None else mdoc.target_ctf.reorder(places)
        return ListedTilts(self.tilts, rank, exposure, left_out, ctf)


def list_stated(tilt_angles: Path | ArrayLike, sign: Sign, stack: Path | None) -> ListedTilts:
    """List the tilts whose angles a file or the user states.

    Parameters
    ----------
    tilt_angles
        Angle file, SHREC's alignment file, or ``(tilt,)`` degrees with this project's sign.
    sign
        Sign of the angles in an angle file.
    stack
        Stack of the images, if they are in one.

    Raises
    ------
    InputError
        If the file is absent or damaged.
    """
    if not isinstance(tilt_angles, Path):
        angles = np.asarray(tilt_angles, dtype=np.float64)
        return ListedTilts(
            TiltList.in_order("tilt_angles", angles, is_stage=False, place="number", stack=stack)
        )
    if tilt_angles.name == ALIGNMENT_FILE:
        angles = read_alignment(tilt_angles)
        return ListedTilts(TiltList.in_order(tilt_angles, angles, is_stage=False, place="row", stack=stack))
    is_stage = sign == "imod"
    file = read_angle_file(tilt_angles)
    tilts = TiltList.in_order(tilt_angles, file.tilt_angles, is_stage=is_stage, place="line", stack=stack)
    return ListedTilts(
        replace(tilts, places=tuple(f"line {line}" for line in file.lines)),
        file.acquisition_order,
        file.exposure_e_per_A2,
    )


def list_mdoc(mdoc: Mdoc, places: NDArray[np.intp], stack: Path | None) -> ListedTilts:
    """List the tilts of an `.mdoc`.

    Parameters
    ----------
    mdoc
        Metadata.
    places
        ``(tilt,)`` place in it of each tilt.
    stack
        Stack whose sections the tilts are; without one they have the numbers of the `.mdoc`, from 1.
    """
    sections = [mdoc.sections[place] for place in places]
    numbers = range(1, len(places) + 1) if stack else [section + 1 for section in sections]
    names = tuple(f"[ZValue = {section}]" for section in sections)
    tilts = TiltList(mdoc.path, mdoc.stage_angles[places], True, tuple(numbers), names, stack)
    return ListedTilts(tilts).with_exposures(mdoc, places)


def make_series(
    listed: ListedTilts,
    open_image: Callable[[int], tuple[MrcStack, int]],
    find_left_out: FindLeftOut,
    tilt_axis_angle_deg: float | None = None,
) -> TiltSeries:
    """Make a series of listed tilts.

    Parameters
    ----------
    listed
        All tilts.
    open_image
        Function of the place of a tilt in the list that returns its file and section.
    find_left_out
        Function of all tilts that returns which of them are left out.
    tilt_axis_angle_deg
        Angle of the tilt axis in degrees from y, if known.

    Raises
    ------
    InputError
        If the angles cannot be used, or an image cannot be opened.
    """
    order = listed.tilts.choose(find_left_out(listed.tilts))
    rank, exposure, left_out = listed.select_exposures(order)
    images = tuple(open_image(int(place)) for place in order)
    geometry = TiltGeometry(
        listed.tilt_angles[order],
        images[0][0].pixel_size_A,
        tilt_axis_angle_deg=tilt_axis_angle_deg or 0.0,
        exposure_e_per_A2=exposure,
        acquisition_order=rank,
        left_out_exposure_e_per_A2=left_out,
    )
    return TiltSeries(geometry, images, recorded=listed.tilts, rows=order)


def check_count(listed: ListedTilts, images: int, path: Path) -> None:
    """Refuse a list that is not as long as there are images.

    Raises
    ------
    InputError
        Naming both numbers.
    """
    if listed.tilts.angles.shape != (images,):
        raise InputError(
            f"{listed.tilts.source} has {listed.tilts.angles.size} angles, {path} has {images} tilts"
        )
