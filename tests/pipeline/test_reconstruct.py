"""Tomograms of a data set: durable, registered with the labels, and equal to lazy ones."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import faket_dask
from faket_dask.config import parse
from faket_dask.engine.events import Event, UnitDone
from faket_dask.errors import InputError
from faket_dask.graphs import filter_tilts, reconstruct
from tests.beads import bead_document, bead_errors
from tests.runs import checksum_results, copy_without


def run(client: Client, document: dict[str, Any]) -> tuple[faket_dask.Dataset, list[str]]:
    events: list[Event] = []
    dataset = faket_dask.run(parse(document, Path("/nowhere")), client, events.append)
    assert not dataset.failures
    return dataset, [f"{e.unit.stage} {e.unit.index}" for e in events if isinstance(e, UnitDone)]


@pytest.fixture(scope="module")
def dataset(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    folder = tmp_path_factory.mktemp("tomograms") / "data"
    return run(one_worker, bead_document(folder, modalities=["noisy", "noiseless"], filter="ramp"))[0]


def test_tomograms_equal_those_of_the_lazy_graph(dataset: faket_dask.Dataset) -> None:
    [name] = dataset.series
    series = dataset.open(name)
    for modality in ("noisy", "noiseless"):
        lazy = reconstruct(filter_tilts(series[modality], "ramp"), 60)
        assert dataset.tomogram(name, modality).values.tobytes() == lazy.values.tobytes()


def test_tomogram_has_the_coordinates_of_the_labels(dataset: faket_dask.Dataset) -> None:
    [name] = dataset.series
    series, tomogram = dataset.open(name), dataset.tomogram(name, "noiseless")
    for axis in "zyx":
        assert tomogram[axis].values.tolist() == series[axis].values.tolist()
    assert tomogram.sizes == series["class_mask"].sizes


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 1), (1, 2)])
def test_beads_lie_on_their_labels(one_worker: Client, tmp_path: Path, before: int, after: int) -> None:
    binning = before * after
    document = bead_document(
        tmp_path / "data", modalities=["noiseless"], filter="hann", binning=before, post_binning=after
    )
    document["outputs"]["modalities"] = ["benchmark"]
    dataset, _ = run(one_worker, document)
    [name] = dataset.series
    tomogram = dataset.tomogram(name, "noiseless").load()
    table = dataset.particles(name)
    origin_A = np.array([float(tomogram[axis][0]) for axis in "xyz"])
    voxel_A = 10.0 * binning
    beads = (table.centre_A[table.class_name == "fiducial"] - origin_A) / voxel_A
    assert tomogram.shape == (60 // binning, 96 // binning, 80 // binning)
    errors = bead_errors(tomogram.values, beads, voxel_A)
    assert errors.size
    assert errors.max() < 0.1


def test_other_settings_remake_tomograms_only(
    dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = shutil.copytree(dataset.folder, tmp_path / "data")
    before = checksum_results(copy)
    again, done = run(one_worker, bead_document(copy, modalities=["noisy", "noiseless"], filter="ramp"))
    assert done == []
    assert checksum_results(copy) == before
    again, done = run(one_worker, bead_document(copy, modalities=["noisy"], filter="shrec", tilt_stride=2))
    assert set(unit.split()[0] for unit in done) == {"filter", "reconstruct"}
    assert len(done) == 13 + 2
    [name] = again.series
    filtered = filter_tilts(again.open(name)["noisy"], "shrec", tilt_stride=2)
    assert again.tomogram(name, "noisy").values.tobytes() == reconstruct(filtered, 60).values.tobytes()


def test_tomograms_binned_afterwards_equal_those_of_the_lazy_graph(
    dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = shutil.copytree(dataset.folder, tmp_path / "data")
    again, done = run(one_worker, bead_document(copy, modalities=["noisy"], filter="ramp", post_binning=2))
    assert len(done) == 25 + 1
    [name] = again.series
    lazy = reconstruct(filter_tilts(again.open(name)["noisy"], "ramp"), 30, binning=2)
    assert again.tomogram(name, "noisy").values.tobytes() == lazy.values.tobytes()


def test_lost_piece_is_computed_again(
    dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = shutil.copytree(dataset.folder, tmp_path / "data")
    before = checksum_results(copy)
    [name] = dataset.series
    lost = copy / f"series/{name}.zarr/tomograms/noisy/c/0/1/0"
    lost.unlink()
    _, done = run(one_worker, bead_document(copy, modalities=["noisy", "noiseless"], filter="ramp"))
    assert done == ["reconstruct 1"]
    assert checksum_results(copy) == before


def test_thick_tomograms_are_reconstructed_in_slabs(one_worker: Client, tmp_path: Path) -> None:
    document = bead_document(tmp_path / "data", modalities=["noisy"], thickness_A=1500)
    dataset, done = run(one_worker, document)
    assert done.count("reconstruct 3") == 1
    [name] = dataset.series
    lazy = reconstruct(filter_tilts(dataset.open(name)["noisy"], "hann"), 150)
    tomogram = dataset.tomogram(name, "noisy")
    assert tomogram.values.tobytes() == lazy.values.tobytes()
    assert float(tomogram["z"][75]) == float(dataset.open(name)["z"][30])


def list_loaded_modules(script: str) -> set[str]:
    """Return the names of the top-level packages that a Python process has imported after a script."""
    script = f"import sys\n{script}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    process = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(process.stdout.split())


@pytest.mark.parametrize(
    "module", ["faket_dask.pipeline", "faket_dask.workflow.external_stack", "faket_dask.engine.worker"]
)
def test_import_does_not_load_pytorch(module: str) -> None:
    assert "torch" not in list_loaded_modules(f"import {module}")


def test_reconstruction_does_not_load_pytorch(dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    """A worker that only back-projects saves the memory that PyTorch takes."""
    copy = copy_without(dataset.folder, tmp_path, "filter", "reconstruct")
    script = f"""
from faket_dask.engine.plan import read_plan
from faket_dask.engine.run_unit import run_unit

plan = read_plan({str(copy)!r})
for unit in plan.units():
    if unit.stage in ("filter", "reconstruct"):
        run_unit(plan.stage(unit.stage), plan.spec, unit)
"""
    modules = list_loaded_modules(script)
    assert "numba" in modules
    assert "torch" not in modules
    assert checksum_results(copy) == checksum_results(dataset.folder)


def test_missing_tomogram_is_explained(dataset: faket_dask.Dataset) -> None:
    with pytest.raises(InputError, match="no tomogram of faket of specimen-000__a"):
        dataset.tomogram("specimen-000__a", "faket")
