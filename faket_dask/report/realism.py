"""How real the series of a data set look: a table and a chart for its page, and a file for machines.

All numbers were found by units of the stage `realism`; here they are only gathered. `realism.json` holds those of
every series, whatever the page has room for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.dataset.pairing import Series
from faket_dask.engine.completed import CompletedUnits
from faket_dask.kernels.noise.spectra import DEFAULT_BAND
from faket_dask.kernels.similarity.texture_similarity import CROP_PX
from faket_dask.pipeline.realism import measured_modalities, realism_item
from faket_dask.report.figures import COLOURS, Curve, chart

FLOOR = "floor"


@dataclass(frozen=True)
class Realism:
    """How far a tilt of one modality is from the reference; or, as the `floor`, one part of it from another.

    `distances` go by what they compare: ``log spectrum``, ``Gram 1``, ``Gram 6``, ... `signal` is the correlation with
    the noiseless projection, `unexplained` the number of objects per million pixels that no label explains, which
    means something beside that of `noisy`; the floor has neither.
    """

    modality: str
    distances: Mapping[str, float]
    kurtosis: float
    artefacts_percent: float
    signal: float | None = None
    unexplained: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "distances": dict(self.distances),
            "kurtosis": self.kurtosis,
            "artefacts_percent": self.artefacts_percent,
            "signal": self.signal,
            "unexplained_per_megapixel": self.unexplained,
        }


@dataclass(frozen=True)
class RealismAtTilt:
    """All modalities of a series at one tilt angle, the floor last."""

    tilt_angle: float
    rows: Sequence[Realism]

    @property
    def measures(self) -> list[str]:
        """What is compared."""
        return list(self.rows[-1].distances)

    def chart(self) -> str:
        """Distances in units of the floor's, as an SVG."""
        floor = np.array(list(self.rows[-1].distances.values()))
        places = np.arange(floor.size, dtype=np.float64)
        curves = [
            Curve(
                row.modality,
                places,
                np.array(list(row.distances.values())) / floor,
                COLOURS.get(row.modality, COLOURS["reference"]),
                "--" if row.modality == FLOOR else "-",
                row.modality != FLOOR,
            )
            for row in self.rows
        ]
        return chart(curves, "", "distance to the reference (floor: 1)", ticks=self.measures, bottom=0.0)


def realism_of(completed: CompletedUnits, series: Series) -> list[RealismAtTilt]:
    """What has been measured of a series, by tilt angle."""
    by_angle: dict[float, list[Realism]] = {}
    floors: dict[float, Realism] = {}
    for modality in measured_modalities(completed.spec):
        records = completed.records.get(("realism", realism_item(series.name, modality)), {})
        for record in records.values():
            found = record["findings"]
            angle, against = found["tilt_angle"], found["against"]
            mean = _mean(modality, against, "distances", found["kurtosis"], found["artefacts"])
            by_angle.setdefault(angle, []).append(
                replace(mean, signal=found["signal"], unexplained=found["unexplained"])
            )
            total = sum(part["weight"] for part in against)
            kurtosis, artefacts = (
                sum(part["weight"] * part[key] for part in against) / total
                for key in ("kurtosis", "artefacts")
            )
            floors[angle] = _mean(FLOOR, against, "floor", kurtosis, artefacts)
    return [RealismAtTilt(angle, [*by_angle[angle], floors[angle]]) for angle in sorted(by_angle, key=abs)]


def _mean(
    modality: str, against: Sequence[Mapping[str, Any]], key: str, kurtosis: float, artefacts: float
) -> Realism:
    """Mean over the references that a blend is made of."""
    total = sum(part["weight"] for part in against)
    named = [(part["weight"] / total, _named(part[key])) for part in against]
    distances = {name: sum(weight * found[name] for weight, found in named) for name in named[0][1]}
    return Realism(modality, distances, kurtosis, 100 * artefacts)


def _named(distances: Mapping[str, Any]) -> dict[str, float]:
    grams = {f"Gram {layer}": value for layer, value in distances["gram"].items()}
    return {"log spectrum": distances["log_spectrum"], **grams}


def write_realism(completed: CompletedUnits, path: Path) -> None:
    """Write the distances of all series as JSON, whole or not at all."""
    document = {
        "band_cycles_per_px": list(DEFAULT_BAND),
        "crop_px": CROP_PX,
        "weights_sha256": completed.spec.inputs.weights_checksum,
        "series": [
            {
                "series": series.name,
                "specimen": series.specimen,
                "reference": series.reference,
                "tilts": [
                    {
                        "tilt_angle": select_statistics.tilt_angle,
                        "modalities": {row.modality: row.to_json() for row in select_statistics.rows},
                    }
                    for select_statistics in realism_of(completed, series)
                ],
            }
            for series in completed.spec.series
        ],
    }
    write_text(path, json.dumps(document, indent=1) + "\n")
