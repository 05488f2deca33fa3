"""The realism of a data set: measured once per modality, shown in the report and written for machines."""

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

MODALITIES = {"noisy", "faket", "content", "baseline", "benchmark", "floor"}


def test_every_modality_is_compared_at_every_measured_angle(tiny_dataset: faket_dask.Dataset) -> None:
    document = json.loads((tiny_dataset.folder / "realism.json").read_text())
    assert [series["series"] for series in document["series"]] == tiny_dataset.series
    for series in document["series"]:
        assert [tilt["tilt_angle"] for tilt in series["tilts"]] == [0, 20, 40]
        for tilt in series["tilts"]:
            assert tilt["modalities"].keys() == MODALITIES
            for found in tilt["modalities"].values():
                names = ["log spectrum", *(f"Gram {layer}" for layer in (1, 6, 11, 20, 29))]
                assert list(found["distances"]) == names
                assert all(0 <= value < 100 for value in found["distances"].values())
            assert tilt["modalities"].pop("floor")["signal"] is None
            for found in tilt["modalities"].values():
                assert 0 < found["signal"] < 1
                assert found["unexplained_per_megapixel"] >= 0
            assert tilt["modalities"]["content"]["signal"] > tilt["modalities"]["noisy"]["signal"]


def test_the_microscope_s_own_images_are_the_most_real(tiny_dataset: faket_dask.Dataset) -> None:
    """References are made by the microscope model, as `benchmark` is; it should be next to the floor."""
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


def test_a_modality_that_is_asked_for_later_is_measured_alone(
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
    found = json.loads((copy / "realism.json").read_text())["series"][0]["tilts"][0]["modalities"]
    assert found.keys() == MODALITIES | {"spectral"}


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ((-60.0, -30.0, 0.0, 30.0, 60.0), [0, 30, 60]),
        ((-40.0, -20.0, 1.0), [1, -20, -40]),
        ((10.0,), [10]),
    ],
)
def test_flat_steep_and_half_way_tilts_are_measured(
    tiny_dataset: faket_dask.Dataset, angles: tuple[float, ...], expected: list[float]
) -> None:
    document = small_document(Path("/nowhere"))
    document["acquisition"]["tilt_angles"] = angles
    document["noise"] = {"order": 0}
    spec = DatasetSpec(parse(document, Path("/nowhere")), tiny_dataset.spec.inputs)
    found = measured_tilts(spec, spec.series[0].name)
    assert [angles[tilt] for tilt in found] == expected
