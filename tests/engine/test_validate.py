"""Whatever happens to a finished data set's files, `validate` names the units, and the next run makes just those."""

import json
import shutil
from collections.abc import Callable
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
from faket_dask.dataset.label_checks import misplaced_labels
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Event, UnitDone
from faket_dask.engine.lock import locked
from faket_dask.engine.validate import forget, validate
from faket_dask.errors import InputError
from faket_dask.pipeline.input_checks import resolve
from faket_dask.specimen.particles import read_particles
from tests.runs import checksum_results, small_document


@pytest.fixture
def copy(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(tiny_dataset.folder, folder)
    return folder


def test_an_intact_data_set_is_good(tiny_dataset: faket_dask.Dataset) -> None:
    before = checksum_results(tiny_dataset.folder)
    assert validate(tiny_dataset.spec) == []
    assert checksum_results(tiny_dataset.folder) == before


def flip_a_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def remove(path: Path) -> None:
    path.unlink()


FAKET = "series/specimen-000__b.zarr/faket/c/2/0/0"


@pytest.mark.parametrize(
    ("harm", "file", "unit", "cause"),
    [
        (flip_a_bit, FAKET, "style specimen-000__b 2", "checksum differs"),
        (truncate, FAKET, "style specimen-000__b 2", "bytes"),
        (remove, FAKET, "style specimen-000__b 2", "is missing"),
        (flip_a_bit, "specimens/specimen-001.zarr/noiseless/c/0/1/0", "project specimen-001 1", "checksum"),
        (truncate, "progress/targets/a/3.json", "targets a 3", "torn"),
        (flip_a_bit, "specimens/specimen-000.particles.csv", "place specimen-000 0", "checksum"),
        (truncate, "series/specimen-000__b.zarr/faket/zarr.json", "style specimen-000__b 0", "written"),
        (remove, "series/specimen-000__b.zarr/zarr.json", "levels specimen-000__b 0", "is missing"),
        (flip_a_bit, "series/specimen-000__b.zarr/tilt_angle/c/0", "levels specimen-000__b 0", "written"),
        (truncate, "specimens/specimen-000.zarr/zarr.json", "place specimen-000 0", "written"),
    ],
)
def test_damage_is_named_and_mended_by_the_next_run(
    tiny_dataset: faket_dask.Dataset,
    one_worker: Client,
    copy: Path,
    harm: Callable[[Path], None],
    file: str,
    unit: str,
    cause: str,
) -> None:
    harm(copy / file)
    spec = DatasetSpec.read(copy)
    found = validate(spec)
    assert any(str(damage).startswith(f"{unit}: ") and cause in damage.cause for damage in found), found
    assert any(file in damage.cause for damage in found)
    forget(spec, found)
    events: list[Event] = []
    faket_dask.run(parse(small_document(copy), copy), one_worker, events.append)
    computed = {str(event.unit) for event in events if isinstance(event, UnitDone)}
    assert computed == {str(damage.unit) for damage in found}
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)
    assert validate(DatasetSpec.read(copy)) == []


def test_nan_is_found_though_its_checksum_is_right(copy: Path) -> None:
    array = zarr.open_array(copy / "series/specimen-000__b.zarr/faket")
    array[1, 5, 5] = np.nan
    marker = copy / "progress/style/specimen-000__b/1.json"
    record = json.loads(marker.read_text())
    file = "series/specimen-000__b.zarr/faket/c/1/0/0"
    from faket_dask.engine.unit import describe

    record["files"][file] = describe(copy / file)
    marker.write_text(json.dumps(record))
    [damage] = validate(DatasetSpec.read(copy))
    assert str(damage) == "style specimen-000__b 1: series/specimen-000__b.zarr/faket holds NaN or infinity"


def test_what_is_not_done_is_told_from_what_is_damaged(copy: Path) -> None:
    (copy / "progress/style/specimen-000__b/4.json").unlink()
    [damage] = validate(DatasetSpec.read(copy))
    assert damage.missing
    assert str(damage) == "style specimen-000__b 4: not done"


def change_labels(copy: Path, change: Callable[[np.ndarray, np.ndarray], None]) -> list[str]:
    volume = zarr.open_group(copy / "specimens/specimen-000.zarr/volume")
    instances, classes = volume["instance_mask"][:], volume["class_mask"][:]
    change(instances, classes)
    volume["instance_mask"][:], volume["class_mask"][:] = instances, classes
    return list(misplaced_labels(DatasetSpec.read(copy), "specimen-000"))


def shift(instances: np.ndarray, classes: np.ndarray) -> None:
    for mask in (instances, classes):
        mask[:] = np.roll(mask, 12, axis=2)


def erase(instances: np.ndarray, classes: np.ndarray) -> None:
    classes[instances == 1] = 0
    instances[instances == 1] = 0


def relabel(instances: np.ndarray, classes: np.ndarray) -> None:
    classes[instances == 1] += 1


def stranger(instances: np.ndarray, classes: np.ndarray) -> None:
    instances[instances == 1] = 999


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shift, "does not lie on its label"),
        (erase, "has no voxel in instance_mask"),
        (relabel, "disagree in"),
        (stranger, "instances that the table lacks, 999 first"),
    ],
)
def test_labels_that_left_their_particles_are_found(
    copy: Path, change: Callable[[np.ndarray, np.ndarray], None], said: str
) -> None:
    assert any(said in line for line in change_labels(copy, change))


def test_a_particle_outside_the_volume_is_found(copy: Path) -> None:
    path = copy / "specimens/specimen-000.particles.csv"
    table = read_particles(path)
    table.centre_A[table.instance == 1] += 1e4
    table.write_csv(path)
    assert any(
        "outside the volume" in line for line in misplaced_labels(DatasetSpec.read(copy), "specimen-000")
    )


def test_nothing_is_forgotten_under_a_run(copy: Path) -> None:
    flip_a_bit(copy / FAKET)
    spec = DatasetSpec.read(copy)
    with locked(spec.layout.lock), pytest.raises(InputError, match="another run"):
        forget(spec, validate(spec))


def test_the_command_names_damage_line_by_line(copy: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(app, ["validate", str(copy)])
    assert good.exit_code == 0, good.output
    assert "good" in good.output
    flip_a_bit(copy / FAKET)
    bad = runner.invoke(app, ["validate", str(copy)])
    assert bad.exit_code == 1
    assert (
        bad.output.splitlines()[0]
        == f"style specimen-000__b 2: {FAKET} is not what was written: its checksum differs"
    )
    assert (copy / "progress/style/specimen-000__b/2.json").exists()
    assert runner.invoke(app, ["validate", str(copy), "--repair"]).exit_code == 0
    assert not (copy / "progress/style/specimen-000__b/2.json").exists()


@pytest.mark.parametrize("file", ["plan.json", "config.yaml"])
@pytest.mark.parametrize("harm", [truncate, lambda path: path.write_text("{}"), remove])
def test_a_damaged_description_is_one_clear_error_and_a_run_writes_it_again(
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
