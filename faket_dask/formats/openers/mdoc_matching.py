"""Match the sections of an `.mdoc` to those of its stack.

By itself a section is the one of its ZValue. Where a stack was sorted, or lost images, after its `.mdoc` was written,
other records tell: the angles in the stack's extended header, those of an angle file, or the extremes and means of
images.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.angle_agreement import Agreement, assign_sections
from faket_dask.formats.mdoc import Mdoc
from faket_dask.formats.mrc import MrcStack

_SAMPLED_SECTIONS = 3


def match_recorded_angles(mdoc: Mdoc, stack: MrcStack) -> NDArray[np.intp]:
    """Match an `.mdoc` to a stack that has no other source of angles.

    Parameters
    ----------
    mdoc
        Metadata.
    stack
        Stack; up to three of its images are read where its extended header records no angles and the `.mdoc` has the
        statistics of images.

    Returns
    -------
    places
        ``(section,)`` place in the `.mdoc` of each section of the stack. A warning says where it is not by ZValue.

    Raises
    ------
    InputError
        If the sections do not fit together.
    """
    recorded = stack.header.extended.tilt_angles
    by_number = np.argsort(mdoc.sections)
    numbered = np.array_equal(np.sort(mdoc.sections), np.arange(stack.shape[0]))
    if recorded is None:
        if not numbered:
            raise InputError(
                f"{mdoc.path} has {len(mdoc)} sections up to [ZValue = {max(mdoc.sections)}], {stack.path} has "
                f"{stack.shape[0]} tilts, which are ZValue 0 to {stack.shape[0] - 1}; remove the sections of images "
                "that the stack does not have, and number the others anew"
            )
        return _match_statistics(mdoc, stack, by_number)
    source = f"in the extended header of {stack.path}"
    places = _match(mdoc, by_number, np.array(recorded), source, numbered=numbered)
    if places is None:
        raise InputError(
            f"the angles of {mdoc.path} do not fit those {source} ({_first_difference(mdoc, by_number, recorded)}); "
            "one of them is of another series: name the file of the angles (an .mdoc, .tlt or .rawtlt)"
        )
    return places


def match_angle_file(
    mdoc: Mdoc, stage_angles: NDArray[np.float64], source: Path | str
) -> NDArray[np.intp] | None:
    """Match an `.mdoc` to a stack whose angles another source gives.

    Parameters
    ----------
    mdoc
        Metadata.
    stage_angles
        ``(section,)`` angles of the stack's sections, with SerialEM's sign.
    source
        Where they are from, for messages.

    Returns
    -------
    places
        As for `match_recorded_angles`; ``None``, with a warning, where the two do not fit together.
    """
    by_number = np.argsort(mdoc.sections)
    numbered = np.array_equal(np.sort(mdoc.sections), np.arange(stage_angles.size))
    places = _match(mdoc, by_number, stage_angles, f"in {source}", numbered=numbered, refined=True)
    if places is None:
        warnings.warn(
            f"the angles of {mdoc.path} do not fit those in {source} "
            f"({_first_difference(mdoc, by_number, stage_angles)}); of the .mdoc, exposures and the order of "
            "acquisition are not used",
            stacklevel=4,
        )
    return places


def _match(
    mdoc: Mdoc,
    by_number: NDArray[np.intp],
    recorded: NDArray[np.float64],
    source: str,
    *,
    numbered: bool,
    refined: bool = False,
) -> NDArray[np.intp] | None:
    stated = mdoc.stage_angles[by_number]
    assigned = assign_sections(stated, recorded)
    agreement = assigned.agreement
    if agreement is Agreement.OPPOSITE_SIGN and not refined:
        # SerialEM and the header that it wrote have one sign, so the order is what differs.
        turned = assign_sections(stated[::-1], recorded)
        if turned.agreement not in (Agreement.EQUAL, Agreement.SAME_ORDER):
            return None
        assigned, agreement = turned, Agreement.OTHER_ORDER
        by_number = by_number[::-1]
    if agreement is Agreement.NONE:
        return None
    places = by_number[assigned.places]
    if agreement is Agreement.OTHER_ORDER:
        warnings.warn(
            f"{mdoc.path} has its sections in another order than the angles {source}; its sections are matched to the "
            "stack's by their angles, not by ZValue",
            stacklevel=5,
        )
    elif agreement is Agreement.SUBSET or not numbered:
        warnings.warn(
            f"{mdoc.path} has {len(mdoc)} sections up to ZValue {max(mdoc.sections)} for {recorded.size} images; they "
            f"are matched by the angles {source}",
            stacklevel=5,
        )
    elif agreement is Agreement.OPPOSITE_SIGN:
        warnings.warn(
            f"the angles {source} have the opposite sign of those in {mdoc.path}; the former are used: if the tomogram "
            "is mirrored, read the angle file with the other sign",
            stacklevel=5,
        )
    elif agreement is Agreement.SAME_ORDER and not refined:
        warnings.warn(
            f"the angles of {mdoc.path} differ from those {source} by up to {np.abs(stated - recorded).max():.3g}°; "
            "those of the .mdoc are used",
            stacklevel=5,
        )
    return places


def _first_difference(
    mdoc: Mdoc, by_number: NDArray[np.intp], recorded: NDArray[np.float64] | tuple[float, ...]
) -> str:
    if len(mdoc) != len(recorded):
        return f"{len(mdoc)} and {len(recorded)} of them"
    stated = mdoc.stage_angles[by_number]
    section = int(np.argmax(np.abs(stated - np.asarray(recorded))))
    return f"view {section + 1}, counted from 1: {stated[section]:g}° and {recorded[section]:g}°"


def _match_statistics(mdoc: Mdoc, stack: MrcStack, by_number: NDArray[np.intp]) -> NDArray[np.intp]:
    """Compare the statistics of some images with those in the `.mdoc`; of all where these tell of another order.

    Statistics of images that were scaled or filtered are those of no section, and tell nothing.
    """
    if mdoc.statistics is None:
        steps = np.diff(mdoc.stage_angles[by_number])
        if mdoc.is_thermo and (steps < 0).any() and (steps > 0).any():
            warnings.warn(
                f"{mdoc.path} is in the order of acquisition, and Thermo Fisher's Tomography sorts its stacks by "
                f"angle; its sections are taken to be those of {stack.path} by ZValue, as nothing says otherwise: if "
                "the stack is sorted, put a .rawtlt with its angles beside it",
                stacklevel=4,
            )
        return by_number
    statistics = mdoc.statistics[by_number]
    sample = np.unique(np.linspace(0, stack.shape[0] - 1, _SAMPLED_SECTIONS).round().astype(int))
    matches = [_find_section(stack, int(section), statistics) for section in sample]
    misplaced = [
        section for section, match in zip(sample, matches, strict=True) if match not in (None, int(section))
    ]
    if not misplaced or len(misplaced) < min(2, sample.size):
        return by_number
    rows = [_find_section(stack, section, statistics) for section in range(stack.shape[0])]
    if None in rows or len(set(rows)) < len(rows):
        raise InputError(
            f"view {misplaced[0] + 1} of {stack.path} (counted from 1) has the extremes and mean (MinMaxMean) of "
            f"another section in {mdoc.path}, so the stack was sorted afterwards; name a file of the stack's angles "
            "(.tlt or .rawtlt)"
        )
    warnings.warn(
        f"{mdoc.path} has its sections in another order than {stack.path}, by the extremes and means of the images "
        "(MinMaxMean); its sections are matched to the stack's by these, not by ZValue",
        stacklevel=5,
    )
    return by_number[np.array(rows, dtype=np.intp)]


def _find_section(stack: MrcStack, section: int, statistics: NDArray[np.float64]) -> int | None:
    """Find the only row of statistics that an image has."""
    image = stack.tilt(section)
    measured = np.array([image.min(), image.max(), image.mean(dtype=np.float64)])
    tolerance = 1e-4 * np.maximum(np.abs(statistics), 1.0)
    rows = np.flatnonzero((np.abs(statistics - measured) <= tolerance).all(axis=1))
    return int(rows[0]) if rows.size == 1 else None
