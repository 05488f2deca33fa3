"""Distances of a data set to its references, in the report and in `realism.json`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.pipeline.realism import measured_tilts
from tests.runs import small_document

MODALITIES = {"noisy", "faket", "content", "baseline", "benchmark", "intra-reference"}


def test_every_modality_is_compared_at_every_measured_angle(tiny_dataset: faket_dask.Dataset) -> None:
    document = json.loads((tiny_dataset.folder / "realism.json").read_text())
    assert [series["series"] for series in document["series"]] == tiny_dataset.series
    for series in document["series"]:
        assert [tilt["tilt_angle"] for tilt in series["tilts"]] == [0, 20, 40]
        for tilt in series["tilts"]:
            assert tilt["modalities"].keys() == MODALITIES
            for row in tilt["modalities"].values():
                names = ["log spectrum", *(f"Gram {layer}" for layer in (1, 6, 11, 20, 29))]
                assert list(row["distances"]) == names
                assert all(0 <= value < 100 for value in row["distances"].values())
            assert tilt["modalities"].pop("intra-reference")["signal"] is None
            for row in tilt["modalities"].values():
                assert 0 < row["signal"] < 1
                assert row["spurious_per_Mpx"] >= 0
            assert tilt["modalities"]["content"]["signal"] > tilt["modalities"]["noisy"]["signal"]


def test_images_by_the_microscope_model_are_nearest_to_simulated_references(
    tiny_dataset: faket_dask.Dataset,
) -> None:
    """References are made by the microscope model, as `benchmark` is; it should be near the halves of one."""
    document = json.loads((tiny_dataset.folder / "realism.json").read_text())
    spectrum = {
        name: np.mean(
            [
                tilt["modalities"][name]["distances"]["log spectrum"]
                for series in document["series"]
                for tilt in series["tilts"]
            ]
        )
        for name in ("benchmark", "noisy", "faket")
    }
    assert spectrum["benchmark"] < min(spectrum["noisy"], spectrum["faket"])


def test_modality_added_later_is_measured_without_the_others(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(tiny_dataset.folder, copy)
    markers = {path: path.read_text() for path in (copy / "progress/realism").rglob("*.json")}
    document = small_document(copy)
    document["outputs"]["report"] = True
    document["outputs"]["modalities"].append("spectral")
    faket_dask.run(parse(document, copy), one_worker)
    assert all(path.read_text() == text for path, text in markers.items())
    modalities = json.loads((copy / "realism.json").read_text())["series"][0]["tilts"][0]["modalities"]
    assert modalities.keys() == MODALITIES | {"spectral"}


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ((-60.0, -30.0, 0.0, 30.0, 60.0), [0, 30, 60]),
        ((-40.0, -20.0, 1.0), [1, -20, -40]),
        ((10.0,), [10]),
    ],
)
def test_flat_steep_and_intermediate_tilts_are_measured(
    tiny_dataset: faket_dask.Dataset, angles: tuple[float, ...], expected: list[float]
) -> None:
    document = small_document(Path("/nowhere"))
    document["acquisition"]["tilt_angles"] = angles
    document["noise"] = {"order": 0}
    spec = DatasetSpec(parse(document, Path("/nowhere")), tiny_dataset.spec.inputs)
    tilts = measured_tilts(spec, spec.series[0].name)
    assert [angles[tilt] for tilt in tilts] == expected


def test_series_are_judged_in_three_dimensions(tiny_dataset: faket_dask.Dataset) -> None:
    document = json.loads((tiny_dataset.folder / "realism.json").read_text())
    kept = set(tiny_dataset.spec.config.outputs.modalities)
    page = (tiny_dataset.folder / "report.html").read_text()
    assert "Signal of one particle in one tilt" in page
    for series in document["series"]:
        judged = series["consistency"]
        assert kept < judged["tilts_and_tomograms"].keys()  # and the references
        assert all(row["tomogram_accuracy"] is None for row in judged["tilts_and_tomograms"].values())
        assert judged["particles"]
        for signals in judged["particles"].values():
            assert signals.keys() == kept
            assert signals["benchmark"]["relative_detectability"] == 1
            assert all(signal["detectability"] > 0 for signal in signals.values())
            assert signals["content"]["detectability"] > signals["noisy"]["detectability"]
