"""Write the contrast transfer of a tilt-series as Warp 2 keeps it, in an `.xml` beside the geometry of its tilts.

Warp reads an `.xml` in place of the `.tomostar`, so it repeats what that says. The conventions are those of `warp_xml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.geometry import TiltGeometry
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Optics


def write_warp_xml(
    path: Path,
    geometry: TiltGeometry,
    movies: Sequence[str],
    tilt_shape: tuple[int, int],
    ctf: SeriesCtf,
) -> None:
    """Write the `.xml` of a tilt-series, its tilts in the order of acquisition where it is known.

    Parameters
    ----------
    path
        File to write, by custom ``warp_tiltseries/<series>.xml``; replaced whole.
    geometry
        Geometry of the series.
    movies
        ``(tilt,)`` path of each tilt's image, relative to the `.tomostar`.
    tilt_shape
        Rows and columns of a tilt.
    ctf
        Contrast transfer of the tilts.

    Notes
    -----
    ``AreAnglesInverted`` is true: of a tilted specimen, the side that this project's positive angles move away from the
    source has the larger underfocus.
    """
    tilts = len(geometry)
    order = np.arange(tilts) if geometry.acquisition_order is None else np.argsort(geometry.acquisition_order)
    before = geometry.exposure_before_e_per_A2
    shift = np.zeros((tilts, 2)) if geometry.shift_A is None else geometry.shift_A
    rows, columns = (size * geometry.pixel_size_A for size in tilt_shape)
    root = ElementTree.Element(
        "TiltSeries",
        {
            "AreAnglesInverted": "True",
            "PlaneNormal": "0, 0, 0",
            "Bfactor": "0",
            "Weight": "1",
            "MagnificationCorrection": "1, 0, 0, 1",
            "ImageDimensionsAngstrom": f"{columns:.9g}, {rows:.9g}",
            "UnselectFilter": "False",
            "UnselectManual": "null",
            "CTFResolutionEstimate": "0",
        },
    )
    per_tilt: dict[str, Iterable[object]] = {
        "Angles": _numbers(geometry.tilt_angles[order]),
        "Dose": _numbers((np.zeros(tilts) if before is None else before)[order]),
        "UseTilt": ["True"] * tilts,
        "AxisAngle": _numbers(geometry.tilt_axis_angles[order]),
        "AxisOffsetX": _numbers(shift[order, 0]),
        "AxisOffsetY": _numbers(shift[order, 1]),
        "MoviePath": [movies[tilt] for tilt in order],
        "FOVFraction": ["1"] * tilts,
    }
    for tag, values in per_tilt.items():
        ElementTree.SubElement(root, tag).text = "\n".join(map(str, values))
    _add_ctf(root, ctf.order_axes().select(order.tolist()), geometry.pixel_size_A)
    ElementTree.indent(root, "\t")
    text = ElementTree.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')


def _add_ctf(root: ElementTree.Element, ctf: SeriesCtf, pixel_size_A: float) -> None:
    """Add the constants with the means of the tilts, and a grid with a node for each tilt of what varies."""
    optics = ctf.complete(Optics())
    grids = {
        "GridCTF": ("Defocus", [tilt.mean_um for tilt in ctf.defocus]),
        "GridCTFDefocusDelta": ("DefocusDelta", [tilt.astigmatism_um for tilt in ctf.defocus]),
        "GridCTFDefocusAngle": ("DefocusAngle", [tilt.astigmatism_angle for tilt in ctf.defocus]),
        "GridCTFPhase": ("PhaseShift", [tilt.phase_shift / 180 for tilt in ctf.defocus]),
    }
    constants = {
        "PixelSize": pixel_size_A,
        "Voltage": optics.voltage_kV,
        "Cs": optics.spherical_aberration_mm,
        "Amplitude": optics.amplitude_contrast,
        **{name: float(np.mean(values)) for name, values in grids.values()},
    }
    element = ElementTree.SubElement(root, "CTF")
    for name, value in constants.items():
        ElementTree.SubElement(element, "Param", {"Name": name, "Value": _number(value)})
    for tag, (_, values) in grids.items():
        grid = ElementTree.SubElement(root, tag, {"Width": "1", "Height": "1", "Depth": str(len(values))})
        for layer, value in enumerate(values):
            node = {"X": "0", "Y": "0", "Z": str(layer), "Value": _number(value)}
            ElementTree.SubElement(grid, "Node", node)


def _numbers(values: Iterable[float]) -> list[str]:
    return [_number(value) for value in values]


def _number(value: float) -> str:
    """Return a number without an exponent, which Warp's decimal numbers do not have."""
    return f"{value:z.6f}"
