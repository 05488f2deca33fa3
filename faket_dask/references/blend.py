"""Blended references: weighted mixtures of recorded and simulated ones; a plain reference is a blend of one."""

from __future__ import annotations

from dataclasses import dataclass

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.references.base import Reference, open_reference
from faket_dask.stages.angle_interpolation import AngleMatch, interpolation_weights


@dataclass(frozen=True)
class WeightedTilt:
    """Tilt of a reference that stands for an angle with a weight."""

    reference: str
    tilt: int
    weight: float


@dataclass(frozen=True)
class BlendedReference:
    """Mixture of references.

    Parameters
    ----------
    parts
        References with their weights, which add up to 1.
    """

    parts: tuple[tuple[Reference, float], ...]

    def select_tilts(self, angle: float, match: AngleMatch) -> list[WeightedTilt]:
        """Select the tilts that stand for an angle.

        Parameters
        ----------
        angle
            Tilt angle in degrees.
        match
            ``"nearest"`` or ``"interpolate"``; see `faket_dask.stages.angle_interpolation`.

        Returns
        -------
        tilts
            Their weights add up to 1.
        """
        total = sum(weight for _, weight in self.parts)
        return [
            WeightedTilt(reference.name, tilt, weight / total * share)
            for reference, weight in self.parts
            for tilt, share in interpolation_weights(reference.tilt_angles, angle, match)
        ]


def open_blend(spec: DatasetSpec, name: str) -> BlendedReference:
    """Return any reference of a data set as a blend.

    Parameters
    ----------
    spec
        Specification of the data set.
    name
        Name of any of its references.
    """
    weights = spec.blend_weights(name)
    return BlendedReference(tuple((open_reference(spec, part), weight) for part, weight in weights.items()))
