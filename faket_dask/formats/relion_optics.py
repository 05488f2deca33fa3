"""Optics groups of RELION: images of one pixel size and one set of microscope constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from faket_dask.formats.relion5 import RelionOptics, RelionTomogram


@dataclass(frozen=True)
class OpticsGroup:
    """Pixel size in Å and microscope constants that images share."""

    pixel_size_A: float
    optics: RelionOptics

    @classmethod
    def from_tilts(cls, tomogram: RelionTomogram) -> OpticsGroup:
        """Return the group of a tomogram's tilts."""
        return cls(tomogram.geometry.pixel_size_A, ctf_constants(tomogram))

    @classmethod
    def from_volume(cls, tomogram: RelionTomogram) -> OpticsGroup:
        """Return the group of subtomograms from a tomogram's volume."""
        return cls(tomogram.geometry.pixel_size_A * tomogram.binning, ctf_constants(tomogram))


def ctf_constants(tomogram: RelionTomogram) -> RelionOptics:
    """Return the constants that a tomogram is written with.

    Images without a CTF get one that is 1 at every frequency: no defocus, no spherical aberration, all contrast from
    amplitude. RELION then makes the same map with and without correction.

    Examples
    --------
    >>> import numpy as np
    >>> from faket_dask.geometry import TiltGeometry
    >>> optics, geometry = RelionOptics(300, 2.7, 0.1), TiltGeometry(np.zeros(1), 5.0)
    >>> ctf_constants(RelionTomogram("a", geometry, optics, ("a.mrcs",), (0,), (8, 8, 8)))
    RelionOptics(voltage_kV=300, spherical_aberration_mm=0.0, amplitude_contrast=1.0)
    """
    if tomogram.ctf is None:
        return RelionOptics(tomogram.optics.voltage_kV, 0.0, 1.0)
    return tomogram.optics


def number_groups(groups: Iterable[OpticsGroup]) -> dict[OpticsGroup, int]:
    """Number distinct groups from 1, in the order in which they come first."""
    return {group: number for number, group in enumerate(dict.fromkeys(groups), start=1)}


def group_name(number: int) -> str:
    """Return the name of a group."""
    return f"optics{number}"


def optics_columns(
    numbers: Mapping[OpticsGroup, int], pixel_size_labels: Sequence[str]
) -> dict[str, Sequence[object]]:
    """Return the columns of ``data_optics``.

    Parameters
    ----------
    numbers
        Number of each group.
    pixel_size_labels
        Labels under which the pixel size is written.
    """
    columns: dict[str, Sequence[object]] = {
        "rlnOpticsGroup": list(numbers.values()),
        "rlnOpticsGroupName": [group_name(number) for number in numbers.values()],
        "rlnSphericalAberration": [float(group.optics.spherical_aberration_mm) for group in numbers],
        "rlnVoltage": [float(group.optics.voltage_kV) for group in numbers],
        "rlnAmplitudeContrast": [float(group.optics.amplitude_contrast) for group in numbers],
    }
    return columns | {label: [group.pixel_size_A for group in numbers] for label in pixel_size_labels}
