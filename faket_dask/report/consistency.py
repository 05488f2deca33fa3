"""Judgement of series in three dimensions: tables for the report, and their part of `realism.json`.

Units of the stage `consistency` have measured all numbers; here they are collected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.unit import Item
from faket_dask.modalities import SIMULATED
from faket_dask.pipeline.consistency import ConsistencyFindings, MeasureConsistency, ParticleSignal

if TYPE_CHECKING:
    from faket_dask.stages.consistency import Coherence


@dataclass(frozen=True)
class ConsistencyRow:
    """Coherence of one modality or reference, and how well its tomogram is told from the reference's.

    Parameters
    ----------
    name
        Name of the modality, or of the reference.
    is_reference
        True for a reference.
    coherence
        Coherence of neighbouring tilts; ``None`` where none are neighbours or the alignment is not known.
    accuracy, floor
        Share of held-out patches of tomograms that a linear classifier of ring powers tells right, and the same between
        the halves of the reference; ``None`` where tomograms cannot be made.
    """

    name: str
    is_reference: bool
    coherence: Coherence | None
    accuracy: float | None = None
    floor: float | None = None


@dataclass(frozen=True)
class ParticleRow:
    """Signal of a particle of one class, by modality."""

    class_name: str
    signals: Mapping[str, ParticleSignal]

    def relative_detectability(self, modality: str) -> float | None:
        """Return d′ over that of the physics modality; ``None`` where that is not kept."""
        truth = self.signals.get(SIMULATED)
        if truth is None or not truth["detectability"]:
            return None
        return self.signals[modality]["detectability"] / truth["detectability"]


@dataclass(frozen=True)
class Consistency:
    """Judgement of one series in three dimensions."""

    rows: Sequence[ConsistencyRow]
    particles: Sequence[ParticleRow]

    @property
    def wavelengths_A(self) -> list[float]:
        """Wavelengths that coherence is given at."""
        return max(
            (row.coherence["wavelengths_A"] for row in self.rows if row.coherence), key=len, default=[]
        )

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities whose particles are measured."""
        return list(self.particles[0].signals) if self.particles else []

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `realism.json` holds them."""
        return {
            "tilts_and_tomograms": {
                row.name: {
                    "is_reference": row.is_reference,
                    "coherence": row.coherence,
                    "tomogram_accuracy": row.accuracy,
                    "tomogram_floor": row.floor,
                }
                for row in self.rows
            },
            "particles": {
                row.class_name: {
                    name: {**signal, "relative_detectability": row.relative_detectability(name)}
                    for name, signal in row.signals.items()
                }
                for row in self.particles
            },
        }


def collect_consistency(completed: CompletedUnits, series: Series) -> Consistency:
    """Return what has been measured of a series."""
    spec: DatasetSpec = completed.plan.spec
    rows: list[ConsistencyRow] = []
    references: dict[str, Coherence | None] = {}
    particles: dict[str, dict[str, ParticleSignal]] = {}
    for modality in spec.config.outputs.modalities:
        for marker in completed.read_markers(MeasureConsistency.name, Item(series.name, modality)).values():
            findings = cast(ConsistencyFindings, marker.findings)
            against = findings["against"]
            references |= {part["reference"]: part["coherence"] for part in against}
            main = max(against, key=lambda part: part["weight"])
            accuracy, floor = main["tomogram_accuracy"], main["tomogram_floor"]
            rows.append(ConsistencyRow(modality, False, findings["coherence"], accuracy, floor))
            for name, signal in findings["particles"].items():
                particles.setdefault(name, {})[modality] = signal
    rows += [ConsistencyRow(name, True, coherence) for name, coherence in references.items()]
    return Consistency(rows, [ParticleRow(name, signals) for name, signals in particles.items()])
