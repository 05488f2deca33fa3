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
from faket_dask.config import ReconstructionSection, parse
from faket_dask.engine.events import Event, UnitDone
from faket_dask.errors import InputError
from faket_dask.geometry import acquisition_order, exposure_before
from faket_dask.graphs import filter_tilts, reconstruct, select_half
from faket_dask.kernels.ctf_correction import CtfCorrection, PhaseFlip
from faket_dask.kernels.dose_weighting import DoseWeighting
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.pipeline.imaged_tomogram import ImagedTomogram
from faket_dask.pipeline.reconstruct import fingerprint_tomograms
from faket_dask.stages.reconstruction import Half, Restoration
from faket_dask.workflow.reconstruct import reconstruct_dataset
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


@pytest.fixture(scope="module")
def imaged(one_worker: Client, tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """Data set with simulated images, at 2 µm, 3 e/Å² a tilt, and their plain tomograms."""
    document = bead_document(tmp_path_factory.mktemp("imaged") / "data", modalities=["benchmark"])
    document["outputs"]["modalities"] = ["benchmark"]
    document["references"] = []
    document["acquisition"]["tilt_angles"] = {"start_deg": -60, "stop_deg": 60, "step_deg": 10}
    document["microscope"] = {"defocus_um": 2.0, "astigmatism_um": 0.3, "dose_e_per_A2": 3.0}
    return run(one_worker, document)[0]


def test_simulated_images_are_corrected_by_what_they_were_simulated_with(
    imaged: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = shutil.copytree(imaged.folder, tmp_path / "data")
    section = ReconstructionSection(
        modalities=("benchmark", "noiseless"), ctf="phase_flip", dose_weighting=True, halves=("tilts", "dose")
    )
    dataset = reconstruct_dataset(copy, section, one_worker)
    [name] = dataset.series
    tilts = faket_dask.open_series(dataset.spec.folder.specimen(name))["tilts"]
    stack = tilts["benchmark"]
    angles = stack["tilt_angle"].values
    before = exposure_before(acquisition_order(angles, "dose_symmetric"), 3.0)
    restoration = Restoration(
        10.0,
        CtfCorrection(PhaseFlip(), Optics(), (Defocus(2.0, 0.3),) * angles.size),
        DoseWeighting(300.0, tuple(before), (3.0,) * angles.size),
    )
    filtered = filter_tilts(stack, "hann", restoration=restoration)
    whole = dataset.tomogram(name, "benchmark")
    assert whole.values.tobytes() == reconstruct(filtered, 60).values.tobytes()
    assert whole.attrs["ctf"] == "phase_flip"
    assert whole.attrs["dose_weighting"] is True
    for half in Half:
        lazy = reconstruct(select_half(filtered, half, before), 60)
        tomogram = dataset.tomogram(name, "benchmark", half)
        assert tomogram.values.tobytes() == lazy.values.tobytes()
        assert tomogram.attrs["density_scale"] == lazy.attrs["density_scale"]
    noiseless = dataset.tomogram(name, "noiseless")
    assert noiseless.attrs["ctf"] == "none"
    plain = reconstruct(filter_tilts(tilts["noiseless"], "hann"), 60)
    assert noiseless.values.tobytes() == plain.values.tobytes()


def test_halves_are_made_from_the_same_filtered_tilts(
    imaged: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    document = bead_document(
        shutil.copytree(imaged.folder, tmp_path / "data"), modalities=["benchmark"], halves=["tilts"]
    )
    for section in ("outputs", "references", "acquisition", "microscope"):
        document[section] = imaged.spec.config.model_dump(mode="json")[section]
    _, done = run(one_worker, document)
    assert {unit.split()[0] for unit in done} == {"reconstruct"}
    assert len(done) == 2 * 2


def test_attributes_follow_the_settings(
    imaged: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = shutil.copytree(imaged.folder, tmp_path / "data")
    [name] = imaged.series
    assert imaged.tomogram(name, "benchmark").attrs["density_scale"] == pytest.approx(180 / 130)
    section = ReconstructionSection(modalities=("benchmark",), filter="shrec")
    again = reconstruct_dataset(copy, section, one_worker)
    scale = again.tomogram(name, "benchmark").attrs["density_scale"]
    assert 4.2 < scale / (180 / 130) < 4.4


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"ctf": "wiener"}, "ctf: wiener"),
        ({"dose_weighting": True}, "dose_weighting: true"),
        ({"halves": ["dose"]}, "halves: dose"),
    ],
)
def test_correction_of_images_without_a_ctf_is_refused(
    setting: dict[str, Any], told: str, tmp_path: Path
) -> None:
    document = bead_document(tmp_path / "data", modalities=["noiseless", "baseline"], **setting)
    document["outputs"]["modalities"] = ["baseline"]
    document["signal"] = {"ctf": "none"}
    with pytest.raises(InputError, match=f"`{told}` needs .* images of baseline passed .*benchmark"):
        faket_dask.plan(parse(document, tmp_path))


def test_unknown_half_is_explained(imaged: faket_dask.Dataset) -> None:
    with pytest.raises(InputError, match="odd, even, early, late, not 'third'"):
        imaged.tomogram(imaged.series[0], "benchmark", "third")
    with pytest.raises(InputError, match="no tomogram of odd tilts of benchmark"):
        imaged.tomogram(imaged.series[0], "benchmark", "odd")


def test_weights_by_span_are_part_of_the_fingerprint_where_there_are_any(tmp_path: Path) -> None:
    prints = []
    for angles in ([-40, -20, 0, 20, 40], [-40, -30, 0, 20, 40]):
        document = bead_document(tmp_path / "data", modalities=["noisy"])
        document["acquisition"]["tilt_angles"] = angles
        prints.append(fingerprint_tomograms(faket_dask.plan(parse(document, tmp_path)).spec))
    assert ["span_weights" in text for text in prints] == [False, True]


def test_synthetic_tilts_are_corrected_by_the_conditions_of_their_reference(tmp_path: Path) -> None:
    document = bead_document(tmp_path / "data", modalities=["noisy"], ctf="phase_flip", dose_weighting=True)
    document["microscope"] = {"defocus_um": [1.0, 5.0], "dose_e_per_A2": [1.0, 3.0]}
    document["signal"] = {"ctf": "reference"}
    spec = faket_dask.plan(parse(document, tmp_path)).spec
    restoration = ImagedTomogram(spec, spec.series[0].name, "noisy").restoration
    assert restoration is not None
    assert restoration.ctf is not None
    assert restoration.dose is not None
    imaged = spec.geometry.acquisition(spec.simulated_specimen("a"))
    assert {defocus.mean_um for defocus in restoration.ctf.defocus} == {imaged.defocus_um}
    assert set(restoration.dose.dose_e_per_A2) == {imaged.dose_e_per_A2}
