"""Reference tilts that stand for a tilt angle of a series, with interpolation and blend weights."""

from __future__ import annotations

from dataclasses import dataclass

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.references.base import open_reference
from faket_dask.stages.angle_interpolation import interpolation_weights


@dataclass(frozen=True)
class WeightedTilt:
    """Tilt of a reference that stands for an angle with a weight."""

    reference: str
    tilt: int
    weight: float


def select_tilts(spec: DatasetSpec, reference: str, angle: float) -> list[WeightedTilt]:
    """Select the tilts that stand for an angle of a reference or a blend of several.

    Parameters
    ----------
    spec
        Specification of the data set.
    reference
        Name of any reference.
    angle
        Tilt angle in degrees.

    Returns
    -------
    tilts
        Their weights add up to 1.
    """
    match = spec.config.style.angle_match
    weights = spec.blend_weights(reference)
    total = sum(weights.values())
    return [
        WeightedTilt(name, tilt, weight / total * share)
        for name, weight in weights.items()
        for tilt, share in interpolation_weights(open_reference(spec, name).tilt_angles, angle, match)
    ]
