"""Recorded references without noiseless counterparts: statistics and noise from their spectra."""

import json
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.dataset.field_of_view import mask_beads
from faket_dask.kernels.artefacts import artefact_mask, fill
from faket_dask.kernels.noise.spectra import log_spectrum_distance
from faket_dask.specimen.particles import read_particles
from tests.runs import checksum_results, small_document

ANGLES = (-45.0, -15.0, 15.0, 45.0)


def record(path: Path, seed: int, pixel_size_A: float = 10.0, shape: tuple[int, int] = (120, 110)) -> None:
    """Write a series of coloured noise with a bead and a hot pixel in every tilt."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    tilts = np.fft.irfft2(
        np.fft.rfft2(rng.standard_normal((len(ANGLES), *shape))) * np.exp(-3 * radius), s=shape
    )
    y, x = np.ogrid[: shape[0], : shape[1]]
    tilts[:, (y - 30) ** 2 + (x - 60) ** 2 < 16] = -8 * tilts.std()
    tilts[:, 90, 20] = 1000
    with mrcfile.new(path) as file:
        file.set_data((100 + 10 * tilts).astype(np.float32))
        file.voxel_size = pixel_size_A


def recorded_document(folder: Path, source: Path, **changes: Any) -> dict[str, Any]:
    references = [
        {"name": name, "stack": str(source / f"{name}.mrc"), "tilt_angles": list(ANGLES), **more}
        for name, more in (("p", {}), ("q", {"resample": True}))
    ]
    document = small_document(folder, references=references, **changes)
    document["outputs"]["modalities"] = ["faket", "noisy", "content", "baseline", "spectral"]
    document["noise"] = {"order": 1, **changes.get("noise", {})}
    return document


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    record(folder / "p.mrc", 0)
    record(folder / "q.mrc", 1, pixel_size_A=8.0)
    return folder


@pytest.fixture(scope="module")
def finished(
    one_worker: Client, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> faket_dask.Dataset:
    folder = tmp_path_factory.mktemp("finished") / "data"
    document = recorded_document(folder, source, style={"noise": "spectral"})
    return faket_dask.run(parse(document, folder), one_worker)


def test_statistics_are_unpaired_by_default(finished: faket_dask.Dataset) -> None:
    assert finished.spec.config.noise.statistics == "unpaired"
    series = finished.open("specimen-000__q")
    without_beads = series["signal_scale"] ** 2 * series["signal_variance"] + series["noise_scale"] ** 2
    assert 0.5 < float(without_beads.min()) <= float(without_beads.max()) < 1.05
    assert float(series["noise_scale"].min()) > 0.7


def test_hot_pixel_does_not_change_the_contrast(finished: faket_dask.Dataset) -> None:
    series = finished.open("specimen-000__q")
    assert float(series["spectral"].std()) < 30


def test_spectral_noise_has_the_spectrum_of_its_reference(finished: faket_dask.Dataset, source: Path) -> None:
    series = finished.open("specimen-001__p")
    with mrcfile.open(source / "p.mrc") as file:
        tilt = np.array(file.data[1])
    bare = fill(tilt, artefact_mask(tilt))
    table = finished.particles("specimen-001__p")
    beads = mask_beads(finished.spec, "specimen-001", table, -20.0)
    distances = {
        name: log_spectrum_distance(fill(series[name].sel(tilt_angle=-20).values, beads), bare)
        for name in ("noisy", "spectral")
    }
    assert distances["spectral"] < 0.5 * distances["noisy"]


def test_start_and_content_share_one_draw_of_noise(finished: faket_dask.Dataset) -> None:
    series = finished.open("specimen-000__q")
    standard = {
        name: (series[name] - series[name].mean(("y", "x"))) / series[name].std(("y", "x"))
        for name in ("spectral", "content", "noiseless")
    }
    start, content = (standard[name] - standard["noiseless"] * 0.1 for name in ("spectral", "content"))
    assert float((start * content).mean()) > 0.2


def test_more_specimens_and_workers_do_not_change_a_series(
    finished: faket_dask.Dataset, one_worker: Client, source: Path, tmp_path: Path
) -> None:
    document = recorded_document(tmp_path / "data", source, style={"noise": "spectral"})
    document["specimen"]["count"] = 3
    with Client(processes=False, n_workers=3, threads_per_worker=1, dashboard_address=None) as three:
        again = faket_dask.run(parse(document, tmp_path), three)
    before, after = checksum_results(finished.folder), checksum_results(again.folder)
    assert {name for name in before if not name.startswith("plan")} <= after.keys()
    assert all(
        after[name] == value for name, value in before.items() if name.endswith("/0") and "/c/" in name
    )


def test_empty_specimen_is_reported_and_the_others_are_complete(
    one_worker: Client, source: Path, tmp_path: Path
) -> None:
    rare = {"species": [{"name": "boot", "count": [0, 1]}], "count": 4, "thickness_A": 400}
    document = recorded_document(tmp_path / "data", source, specimen=rare)
    dataset = faket_dask.run(parse(document, tmp_path), one_worker)
    counts = [read_particles(dataset.spec.folder.particles(name)).counts() for name in dataset.spec.specimens]
    empty = {name for name, count in zip(dataset.spec.specimens, counts, strict=True) if "boot" not in count}
    assert 0 < len(empty) < 4
    assert {failure.unit.item.owner.split("__")[0] for failure in dataset.failures} == empty
    assert all("shows nothing but beads and ice" in failure.cause for failure in dataset.failures)


def test_power_of_an_unpaired_signal_is_compared_with_what_tilts_share(tmp_path: Path) -> None:
    """A pattern that all tilts share has the power of the specimen's signal, or ten times it."""
    angles = np.arange(-9.0, 10.0, 3.0)
    rng = np.random.default_rng(0)
    radius = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(80)[None, :])
    shared = np.fft.irfft2(
        np.fft.rfft2(rng.standard_normal((96, 80))) * np.exp(-((radius / 0.1) ** 2)), s=(96, 80)
    )
    ratios = []
    for strength in (3, 30):
        tilts = np.stack(
            [100 + strength * shared / shared.std() + 10 * rng.standard_normal((96, 80)) for _ in angles]
        )
        folder = tmp_path / str(strength)
        folder.mkdir()
        with mrcfile.new(folder / "a.mrc") as file:
            file.set_data(tilts.astype(np.float32))
            file.voxel_size = 10.0
        document = small_document(
            folder / "data",
            specimen={"count": 1, "species": [{"name": name, "count": 20} for name in ("propeller", "boot")]},
            acquisition={"tilt_angles": {"start_deg": -9, "stop_deg": 9, "step_deg": 3}},
            references=[
                {
                    "name": "a",
                    "stack": "a.mrc",
                    "tilt_angles": angles.tolist(),
                    "aligned": True,
                    "mask": "none",
                }
            ],
        )
        document["outputs"] = {"modalities": ["noisy"], "report": False}
        dataset = faket_dask.run(parse(document, folder))
        marker = json.loads((dataset.folder / f"progress/fit_noise/{dataset.series[0]}/0.json").read_text())
        ratios.append(marker["findings"]["common_ratio"])
    assert 0.1 < ratios[0] < 10
    assert ratios[1] < 2
