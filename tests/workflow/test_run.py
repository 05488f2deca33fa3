"""Runs on Dask workers: complete results that depend on nothing but the run file."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
import zarr
from distributed import Client

import faket_dask
from faket_dask.config import RunConfig, parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Event, RunStarted, UnitDone, UnitFailed
from faket_dask.engine.plan import read_plan
from faket_dask.engine.status import read_status
from faket_dask.engine.task_size import FixedTaskSize
from faket_dask.engine.unit import Item, Unit
from faket_dask.errors import DiskFullError, InputError
from faket_dask.workflow.run import run_dataset_plan
from tests.hooks import Hook, call_before_units, plan_hooked
from tests.runs import checksum_results, copy_without, small_document

BASE = Path("/nowhere")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Client of two workers in this process, which call the hooks that tests set."""
    with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as connected:
        yield connected


@pytest.fixture(scope="module")
def finished(tiny_dataset: faket_dask.Dataset) -> faket_dask.Dataset:
    """An undisturbed run, on one worker."""
    return tiny_dataset


@pytest.fixture(params=[1, 3])
def task_size(request: pytest.FixtureRequest) -> FixedTaskSize:
    """Tasks of one and of several units, as with short ones and many workers."""
    return FixedTaskSize(request.param)


def parse_document(document: dict[str, Any]) -> RunConfig:
    return parse(document, BASE)


def run_watched(config: RunConfig, client: Client) -> tuple[faket_dask.Dataset, list[Event]]:
    events: list[Event] = []
    return faket_dask.run(config, client, watch=events.append), events


def test_all_tilts_of_all_modalities_are_complete(finished: faket_dask.Dataset) -> None:
    assert finished.series == ["specimen-000__b", "specimen-001__a"]
    for name in finished.series:
        series = finished.open(name)
        for modality in ("noiseless", "faket", "noisy", "content", "baseline", "benchmark"):
            stack = series[modality].values
            assert stack.shape == (5, 96, 80)
            assert np.isfinite(stack).all()
            assert (stack.std(axis=(1, 2)) > 0).all()


def test_modalities_have_the_moments_of_their_reference(finished: faket_dask.Dataset) -> None:
    series = finished.open("specimen-000__b")
    reference = zarr.open_group(finished.spec.folder.statistics("b"), mode="r")
    np.testing.assert_allclose(series["faket"].mean(("y", "x")), reference["mean"][:], rtol=1e-5)
    np.testing.assert_allclose(series["faket"].std(("y", "x")), reference["std"][:], rtol=1e-5)
    np.testing.assert_allclose(series["noisy"].mean(("y", "x")), series["mean"], rtol=1e-5)
    assert np.ptp(series["baseline"].mean(("y", "x")).values) < 1e-4 * abs(float(series["baseline"].mean()))


def test_noisy_and_content_share_one_draw_of_noise(finished: faket_dask.Dataset) -> None:
    series = finished.open("specimen-000__b")
    standard = {
        name: (series[name] - series[name].mean(("y", "x"))) / series[name].std(("y", "x"))
        for name in ("noisy", "content", "noiseless")
    }
    signal = float((standard["content"] * standard["noiseless"]).mean())
    noise = standard["content"] - signal * standard["noiseless"]
    shared = (noise * (standard["noisy"] - standard["noiseless"] * signal)).mean()
    assert float(shared) > 0.1


def test_labels_register_with_projections(finished: faket_dask.Dataset) -> None:
    """At 0° a bead is dark where its label says, in the frame of the particle table."""
    series = finished.open("specimen-000__b")
    flat = series["noiseless"].sel(tilt_angle=0)
    table = finished.particles("specimen-000__b")
    beads = table.centre_A[table.class_name == "fiducial"]
    visible = 0
    for x, y, _ in beads:
        if float(flat.x.min()) < x < float(flat.x.max()):
            at_label = float(flat.sel(x=x, y=y, method="nearest"))
            assert at_label < float(flat.quantile(0.03))
            label = series["class_mask"].sel(x=x, y=y, method="nearest").max()
            assert int(label) == series.attrs["class_ids"]["fiducial"]
            visible += 1
    other = finished.open("specimen-001__a")
    assert visible or (other["class_mask"] > 0).any()


def test_complete_data_set_is_not_touched(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    config = parse_document(small_document(copy_without(finished.folder, tmp_path)))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "data" / "series").rglob("*") if p.is_file()}
    _, events = run_watched(config, client)
    assert not [event for event in events if isinstance(event, UnitDone)]
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_number_of_workers_does_not_change_a_byte(finished: faket_dask.Dataset, tmp_path: Path) -> None:
    with Client(processes=False, n_workers=4, threads_per_worker=1, dashboard_address=":0") as other:
        again = faket_dask.run(parse_document(small_document(tmp_path / "data")), other)
    assert checksum_results(again.folder) == checksum_results(finished.folder)


def test_lost_units_alone_are_computed_again(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_without(finished.folder, tmp_path)
    (copy / "series/specimen-000__b.zarr/tilts/faket/c/2/0/0").unlink()
    (copy / "specimens/specimen-001.zarr/tilts/noiseless/c/0/1/0").write_bytes(b"torn")
    (copy / "progress/reference_gram/a/3.json").write_text('{"inputs": "')
    _, events = run_watched(parse_document(small_document(copy)), client)
    assert {event.unit for event in events if isinstance(event, UnitDone)} == {
        Unit("synthesise", Item("specimen-000__b"), 2),
        Unit("project", Item("specimen-001"), 1),
        Unit("reference_gram", Item("a"), 3),
    }
    assert checksum_results(copy) == checksum_results(finished.folder)


def test_remade_projections_are_complete_before_they_are_read(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    """Also where the stage between the two, `fit_noise`, is complete."""
    copy = copy_without(finished.folder, tmp_path, "project/specimen-000", "synthesise/specimen-000__b")
    _, events = run_watched(parse_document(small_document(copy)), client)
    assert not [event for event in events if isinstance(event, UnitFailed)]
    stages = [event.unit.stage for event in events if isinstance(event, UnitDone)]
    assert stages == ["project"] * 2 + ["synthesise"] * 5
    assert checksum_results(copy) == checksum_results(finished.folder)


def test_more_specimens_extend_a_data_set(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_without(finished.folder, tmp_path)
    extended = parse_document(small_document(copy, specimen={"count": 3}))
    dataset, events = run_watched(extended, client)
    items = {event.unit.item for event in events if isinstance(event, UnitDone)}
    assert items == {Item("specimen-002"), Item("specimen-002__b")}
    old, new = checksum_results(finished.folder), checksum_results(dataset.folder)
    assert {name: digest for name, digest in new.items() if name in old and name != "plan.json"} == {
        name: digest for name, digest in old.items() if name != "plan.json"
    }


def test_modality_can_be_added_later(client: Client, tmp_path: Path) -> None:
    only_noisy = small_document(tmp_path / "data", outputs={"modalities": ["noisy"], "report": False})
    only_noisy["specimen"]["count"] = 1
    faket_dask.run(parse_document(only_noisy), client)
    more = json.loads(json.dumps(only_noisy))
    more["outputs"]["modalities"] = ["noisy", "content"]
    dataset, events = run_watched(parse_document(more), client)
    assert {event.unit.stage for event in events if isinstance(event, UnitDone)} == {"synthesise"}
    assert "content" in dataset.open(dataset.series[0])


def test_folder_of_another_run_is_refused_and_untouched(finished: faket_dask.Dataset, client: Client) -> None:
    before = checksum_results(finished.folder)
    other = parse_document(small_document(finished.folder, noise={"content_level": 0.5}))
    with pytest.raises(InputError, match=r"another run .* differ in noise"):
        faket_dask.run(other, client)
    assert checksum_results(finished.folder) == before


def test_folder_with_foreign_files_is_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(InputError, match="no data set"):
        faket_dask.run(parse_document(small_document(tmp_path)), client)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def run_with_hook(
    config: RunConfig, client: Client, hook: Hook, task_size: FixedTaskSize
) -> tuple[faket_dask.Dataset, list[Event]]:
    events: list[Event] = []
    with call_before_units(hook):
        dataset = run_dataset_plan(plan_hooked(config), client, events.append, task_size=task_size)
    return dataset, events


def test_passing_failure_is_retried(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path, task_size: FixedTaskSize
) -> None:
    attempts: dict[Unit, int] = {}

    def fail_twice(spec: DatasetSpec, unit: Unit) -> None:
        attempts[unit] = attempts.get(unit, 0) + 1
        if attempts[unit] <= 2:
            raise OSError(errno.EIO, "the file system hiccuped")

    copy = copy_without(finished.folder, tmp_path, "project")
    config = parse_document(small_document(copy))
    dataset, events = run_with_hook(config, client, fail_twice, task_size)
    assert not dataset.failures
    assert set(attempts.values()) == {3}
    assert any(isinstance(event, UnitFailed) and not event.final for event in events)
    assert checksum_results(dataset.folder) == checksum_results(finished.folder)


def test_lasting_failure_is_reported_and_independent_units_are_computed(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path, task_size: FixedTaskSize
) -> None:
    def fail(spec: DatasetSpec, unit: Unit) -> None:
        if unit == Unit("project", Item("specimen-000"), 1):
            raise ValueError("cosmic ray")

    copy = copy_without(finished.folder, tmp_path, "project", "fit_noise", "synthesise")
    dataset, _ = run_with_hook(parse_document(small_document(copy)), client, fail, task_size)
    [failure] = dataset.failures
    assert str(failure.unit) == "project specimen-000 1"
    assert "cosmic ray" in failure.cause
    assert read_status(read_plan(copy)).products_done == ("specimen-001__a",)
    repaired, _ = run_watched(dataset.spec.config, client)
    assert not repaired.failures
    assert checksum_results(repaired.folder) == checksum_results(finished.folder)


def test_input_error_of_a_unit_is_not_retried(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path, task_size: FixedTaskSize
) -> None:
    attempts: list[Unit] = []

    def fail(spec: DatasetSpec, unit: Unit) -> None:
        if unit.index == 3:
            attempts.append(unit)
            raise InputError("tilt 3 cannot be used")

    copy = copy_without(finished.folder, tmp_path, "synthesise/specimen-000__b")
    dataset, _ = run_with_hook(parse_document(small_document(copy)), client, fail, task_size)
    [failure] = dataset.failures
    assert failure.cause == "tilt 3 cannot be used"
    assert attempts == [failure.unit]


def test_full_disk_stops_the_run_and_loses_nothing(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path, task_size: FixedTaskSize
) -> None:
    def fill_disk(spec: DatasetSpec, unit: Unit) -> None:
        if unit.index == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    config = parse_document(small_document(copy_without(finished.folder, tmp_path, "synthesise")))
    before: list[Event] = []
    with call_before_units(fill_disk), pytest.raises(DiskFullError, match="no space left"):
        run_dataset_plan(plan_hooked(config), client, before.append, task_size=task_size)
    dataset, after = run_watched(config, client)
    done = [next(e.done for e in events if isinstance(e, RunStarted)) for events in (before, after)]
    assert done[1] >= done[0] + sum(isinstance(event, UnitDone) for event in before)
    assert checksum_results(dataset.folder) == checksum_results(finished.folder)


def test_too_small_disk_is_refused_before_anything_is_computed(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DiskFullError, match="GiB are free"):
        faket_dask.run(parse_document(small_document(tmp_path / "data")), client)
    assert not (tmp_path / "data" / "series").exists()


def test_stored_run_file_describes_the_same_data_set(finished: faket_dask.Dataset, tmp_path: Path) -> None:
    stored = yaml.safe_load((finished.folder / "config.yaml").read_text())
    stored["dataset"]["folder"] = str(tmp_path / "copy")
    assert faket_dask.plan(parse(stored, BASE)).spec.fingerprint == finished.spec.fingerprint


def test_data_set_can_be_moved(finished: faket_dask.Dataset, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(finished.folder, moved)
    dataset = faket_dask.open_dataset(moved)
    assert dataset.folder == moved
    assert float(dataset.open(dataset.series[0])["faket"].std()) > 0


def test_status_counts_units(finished: faket_dask.Dataset) -> None:
    status = read_status(read_plan(finished.folder))
    assert status.done == status.total > 0
    assert len(status.products_done) == status.products_total == 2
    assert os.path.isdir(finished.folder / "progress")
