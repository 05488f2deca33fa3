"""Validation names the units of damaged files, and the next run computes just those."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr
from distributed import Client
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config import parse
from faket_dask.dataset.label_checks import find_misplaced_labels
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Event, UnitDone
from faket_dask.engine.lock import hold_lock
from faket_dask.engine.marker import FileRecord
from faket_dask.engine.pipeline import LAYOUT_VERSION
from faket_dask.engine.plan import read_plan
from faket_dask.engine.validate import forget, validate
from faket_dask.errors import DatasetBusyError, InputError
from faket_dask.pipeline.input_checks import resolve
from faket_dask.specimen.particles import read_particles
from tests.runs import checksum_results, small_document


@pytest.fixture
def copy(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(tiny_dataset.folder, folder)
    return folder


def test_intact_data_set_has_no_damage(tiny_dataset: faket_dask.Dataset) -> None:
    before = checksum_results(tiny_dataset.folder)
    assert validate(read_plan(tiny_dataset.folder)) == []
    assert checksum_results(tiny_dataset.folder) == before


def flip_a_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def remove(path: Path) -> None:
    path.unlink()


FAKET = "series/specimen-000__b.zarr/tilts/faket/c/2/0/0"


@pytest.mark.parametrize(
    ("harm", "file", "unit", "cause"),
    [
        (flip_a_bit, FAKET, "synthesise specimen-000__b 2", "checksum differs"),
        (truncate, FAKET, "synthesise specimen-000__b 2", "bytes"),
        (remove, FAKET, "synthesise specimen-000__b 2", "is missing"),
        (
            flip_a_bit,
            "specimens/specimen-001.zarr/tilts/noiseless/c/0/1/0",
            "project specimen-001 1",
            "checksum",
        ),
        (truncate, "progress/reference_gram/a/3.json", "reference_gram a 3", "torn"),
        (flip_a_bit, "specimens/specimen-000.particles.csv", "place specimen-000 0", "checksum"),
        (
            truncate,
            "series/specimen-000__b.zarr/tilts/faket/zarr.json",
            "synthesise specimen-000__b 0",
            "written",
        ),
        (remove, "series/specimen-000__b.zarr/zarr.json", "fit_noise specimen-000__b 0", "is missing"),
        (
            flip_a_bit,
            "series/specimen-000__b.zarr/tilts/tilt_angle/c/0",
            "fit_noise specimen-000__b 0",
            "written",
        ),
        (truncate, "specimens/specimen-000.zarr/zarr.json", "place specimen-000 0", "written"),
    ],
)
def test_damage_is_named_and_repaired_by_the_next_run(
    tiny_dataset: faket_dask.Dataset,
    one_worker: Client,
    copy: Path,
    harm: Callable[[Path], None],
    file: str,
    unit: str,
    cause: str,
) -> None:
    harm(copy / file)
    plan = read_plan(copy)
    damages = validate(plan)
    assert any(str(damage).startswith(f"{unit}: ") and cause in damage.cause for damage in damages), damages
    assert any(file in damage.cause for damage in damages)
    forget(plan, damages)
    events: list[Event] = []
    faket_dask.run(parse(small_document(copy), copy), one_worker, events.append)
    computed = {str(event.unit) for event in events if isinstance(event, UnitDone)}
    assert computed == {str(damage.unit) for damage in damages}
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)
    assert validate(read_plan(copy)) == []


def test_nan_is_found_despite_a_matching_checksum(copy: Path) -> None:
    array = zarr.open_array(copy / "series/specimen-000__b.zarr/tilts/faket")
    array[1, 5, 5] = np.nan
    marker = copy / "progress/synthesise/specimen-000__b/1.json"
    record = json.loads(marker.read_text())
    file = "series/specimen-000__b.zarr/tilts/faket/c/1/0/0"
    record["files"][file] = asdict(FileRecord.measure(copy / file))
    marker.write_text(json.dumps(record))
    [damage] = validate(read_plan(copy))
    assert (
        str(damage)
        == "synthesise specimen-000__b 1: series/specimen-000__b.zarr/tilts/faket holds NaN or infinity"
    )


def test_missing_unit_is_distinguished_from_damage(copy: Path) -> None:
    (copy / "progress/synthesise/specimen-000__b/4.json").unlink()
    [damage] = validate(read_plan(copy))
    assert damage.missing
    assert str(damage) == "synthesise specimen-000__b 4: not done"


def change_labels(copy: Path, change: Callable[[np.ndarray, np.ndarray], None]) -> list[str]:
    volume = zarr.open_group(copy / "specimens/specimen-000.zarr/volume")
    instances, classes = volume["instance_mask"][:], volume["class_mask"][:]
    change(instances, classes)
    volume["instance_mask"][:], volume["class_mask"][:] = instances, classes
    return list(find_misplaced_labels(DatasetSpec.read(copy), "specimen-000"))


def shift_labels(instances: np.ndarray, classes: np.ndarray) -> None:
    for mask in (instances, classes):
        mask[:] = np.roll(mask, 12, axis=2)


def erase_instance(instances: np.ndarray, classes: np.ndarray) -> None:
    classes[instances == 1] = 0
    instances[instances == 1] = 0


def change_class(instances: np.ndarray, classes: np.ndarray) -> None:
    classes[instances == 1] += 1


def add_unknown_instance(instances: np.ndarray, classes: np.ndarray) -> None:
    instances[instances == 1] = 999


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shift_labels, "does not lie on its label"),
        (erase_instance, "has no voxel in instance_mask"),
        (change_class, "disagree in"),
        (add_unknown_instance, "instances that the table lacks, 999 first"),
    ],
)
def test_misplaced_labels_are_found(
    copy: Path, change: Callable[[np.ndarray, np.ndarray], None], message: str
) -> None:
    assert any(message in line for line in change_labels(copy, change))


def test_particle_outside_the_volume_is_found(copy: Path) -> None:
    path = copy / "specimens/specimen-000.particles.csv"
    table = read_particles(path)
    table.centre_A[table.instance == 1] += 1e4
    table.write_csv(path)
    assert any(
        "outside the volume" in line for line in find_misplaced_labels(DatasetSpec.read(copy), "specimen-000")
    )


def test_markers_are_kept_while_a_run_holds_the_lock(copy: Path) -> None:
    flip_a_bit(copy / FAKET)
    plan = read_plan(copy)
    with hold_lock(plan.spec.folder.lock), pytest.raises(DatasetBusyError, match="another run"):
        forget(plan, validate(plan))


def test_command_prints_one_line_per_damage(copy: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(app, ["validate", str(copy)])
    assert good.exit_code == 0, good.output
    assert "good" in good.output
    flip_a_bit(copy / FAKET)
    bad = runner.invoke(app, ["validate", str(copy)])
    assert bad.exit_code == 1
    assert (
        bad.output.splitlines()[0]
        == f"synthesise specimen-000__b 2: {FAKET} is not what was written: its checksum differs"
    )
    assert (copy / "progress/synthesise/specimen-000__b/2.json").exists()
    assert runner.invoke(app, ["validate", str(copy), "--repair"]).exit_code == 0
    assert not (copy / "progress/synthesise/specimen-000__b/2.json").exists()


@pytest.mark.parametrize("file", ["plan.json", "config.yaml"])
@pytest.mark.parametrize("harm", [truncate, lambda path: path.write_text("{}"), remove])
def test_damaged_description_is_one_error_and_the_next_run_rewrites_it(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, copy: Path, file: str, harm: Callable[[Path], None]
) -> None:
    document = small_document(copy)
    harm(copy / file)
    with pytest.raises(InputError, match=rf"{file}|no config.yaml and plan.json") as raised:
        faket_dask.open_dataset(copy)
    assert "\n" not in str(raised.value)
    other = yaml.safe_load(yaml.safe_dump(document))
    other["dataset"]["seed"] = 12
    with pytest.raises(InputError):
        faket_dask.run(parse(other, copy), one_worker)
    faket_dask.run(parse(document, copy), one_worker)
    assert faket_dask.open_dataset(copy).spec.config == resolve(parse(document, copy)).config
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


def test_folder_of_an_older_layout_is_refused(copy: Path) -> None:
    description = json.loads((copy / "plan.json").read_text())
    del description["layout"]
    (copy / "plan.json").write_text(json.dumps(description))
    for open_folder in (faket_dask.open_dataset, read_plan):
        with pytest.raises(
            InputError,
            match=rf"has folder layout 1, .* reads layout {LAYOUT_VERSION}; make the data set anew",
        ):
            open_folder(copy)
