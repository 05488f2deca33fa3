"""Distances of series to their references: a table and a chart for the report, and `realism.json`.

Units of the stage `realism` have measured all numbers; here they are collected. `realism.json` holds those of every
series, the report those of the series that it shows in full.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.unit import Item
from faket_dask.kernels.noise.spectra import DEFAULT_BAND
from faket_dask.kernels.similarity.texture_similarity import CROP_PX
from faket_dask.pipeline.realism import (
    Distances,
    MeasureRealism,
    RealismFindings,
    ReferenceFindings,
    measured_modalities,
)
from faket_dask.report.consistency import collect_consistency
from faket_dask.report.figures import COLOURS, REFERENCE, Curve, chart

INTRA_REFERENCE = "intra-reference"
"""Name of the distances between the halves of a reference tilt, beside those of the modalities."""


@dataclass(frozen=True)
class Realism:
    """Distances of a tilt of one modality to the reference, or between the halves of the reference.

    Parameters
    ----------
    modality
        Name of the modality, or `INTRA_REFERENCE`.
    distances
        Distances by name: ``log spectrum``, ``Gram 1``, ``Gram 6``, ...
    kurtosis
        Kurtosis of the pixels; 3 for a normal distribution.
    artefacts_percent
        Percentage of pixels that are detected as gold beads or bad pixels.
    signal
        Correlation with the noiseless projection; ``None`` for the reference.
    spurious_per_Mpx
        Number of objects per million pixels that no label explains, to be compared with that of `noisy`; ``None`` for
        the reference.
    """

    modality: str
    distances: Mapping[str, float]
    kurtosis: float
    artefacts_percent: float
    signal: float | None = None
    spurious_per_Mpx: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `realism.json` holds them."""
        return {
            "distances": dict(self.distances),
            "kurtosis": self.kurtosis,
            "artefacts_percent": self.artefacts_percent,
            "signal": self.signal,
            "spurious_per_Mpx": self.spurious_per_Mpx,
        }


@dataclass(frozen=True)
class RealismAtTilt:
    """Distances of all modalities of a series at one tilt angle, those within the reference last."""

    tilt_angle: float
    rows: Sequence[Realism]

    @property
    def measures(self) -> list[str]:
        """Names of the distances."""
        return list(self.rows[-1].distances)

    def chart(self) -> str:
        """Draw the distances in units of the intra-reference distance, as an SVG."""
        unit = np.array(list(self.rows[-1].distances.values()))
        places = np.arange(unit.size, dtype=np.float64)
        curves = [
            Curve(
                row.modality,
                places,
                np.array(list(row.distances.values())) / unit,
                COLOURS.get(row.modality, COLOURS[REFERENCE]),
                "--" if row.modality == INTRA_REFERENCE else "-",
                row.modality != INTRA_REFERENCE,
            )
            for row in self.rows
        ]
        return chart(
            curves, "", "distance to the reference (intra-reference: 1)", ticks=self.measures, bottom=0.0
        )


def collect_realism(completed: CompletedUnits, series: Series) -> list[RealismAtTilt]:
    """Return the measured distances of a series, in the order of the absolute tilt angle."""
    by_angle: dict[float, list[Realism]] = {}
    intra_reference: dict[float, Realism] = {}
    for modality in measured_modalities(completed.plan.spec):
        markers = completed.read_markers(MeasureRealism.name, Item(series.name, modality))
        for marker in markers.values():
            findings = cast(RealismFindings, marker.findings)
            angle, against = findings["tilt_angle"], findings["against"]
            mean = _mean(
                modality,
                against,
                [part["distances"] for part in against],
                findings["kurtosis"],
                findings["artefacts"],
            )
            by_angle.setdefault(angle, []).append(
                replace(mean, signal=findings["signal"], spurious_per_Mpx=findings["spurious_per_Mpx"])
            )
            total = sum(part["weight"] for part in against)
            intra_reference[angle] = _mean(
                INTRA_REFERENCE,
                against,
                [part["intra_reference"] for part in against],
                sum(part["weight"] * part["kurtosis"] for part in against) / total,
                sum(part["weight"] * part["artefacts"] for part in against) / total,
            )
    return [
        RealismAtTilt(angle, [*by_angle[angle], intra_reference[angle]])
        for angle in sorted(by_angle, key=abs)
    ]


def _mean(
    modality: str,
    against: Sequence[ReferenceFindings],
    distances: Sequence[Distances],
    kurtosis: float,
    artefacts: float,
) -> Realism:
    """Return the weighted mean over the references that a blend consists of."""
    total = sum(part["weight"] for part in against)
    weighted = [
        (part["weight"] / total, _by_name(values)) for part, values in zip(against, distances, strict=True)
    ]
    mean = {name: sum(weight * part[name] for weight, part in weighted) for name in weighted[0][1]}
    return Realism(modality, mean, kurtosis, 100 * artefacts)


def _by_name(distances: Distances) -> dict[str, float]:
    grams = {f"Gram {layer}": value for layer, value in distances["gram"].items()}
    return {"log spectrum": distances["log_spectrum"], **grams}


def write_realism(completed: CompletedUnits, path: Path) -> None:
    """Write the distances of all series as JSON, whole or not at all."""
    spec: DatasetSpec = completed.plan.spec
    document = {
        "band_cycles_per_px": list(DEFAULT_BAND),
        "crop_px": CROP_PX,
        "weights_sha256": spec.inputs.weights_checksum,
        "series": [
            {
                "series": series.name,
                "specimen": series.specimen,
                "reference": series.reference,
                "tilts": [
                    {
                        "tilt_angle": tilt.tilt_angle,
                        "modalities": {row.modality: row.to_json() for row in tilt.rows},
                    }
                    for tilt in collect_realism(completed, series)
                ],
                "consistency": collect_consistency(completed, series).to_json(),
            }
            for series in spec.series
        ],
    }
    write_text(path, json.dumps(document, indent=1) + "\n")
