"""The batch run on real Dask workers: what comes out, and that nothing but the configuration decides it."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
import zarr
from distributed import Client

import faket_dask
from faket_dask import pipeline as units
from faket_dask.config import RunConfig, parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.disk_space import DiskFull
from faket_dask.engine.events import Event, RunStarted, UnitDone, UnitFailed
from faket_dask.engine.status import status
from faket_dask.engine.task_size import Lengths
from faket_dask.engine.unit import Stage
from faket_dask.errors import InputError
from tests.runs import checksum_results, copy_without, small_document

BASE = Path("/nowhere")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers in this process: stages that a test replaces are seen by them."""
    with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as connected:
        yield connected


@pytest.fixture(scope="module")
def finished(tiny_dataset: faket_dask.Dataset) -> faket_dask.Dataset:
    """An undisturbed run, on one worker."""
    return tiny_dataset


@pytest.fixture(params=[1, 3])
def units_per_task(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of up to so many units, as with short ones and many workers."""
    monkeypatch.setattr(Lengths, "group_size", lambda *_: request.param)


def config_of(document: dict[str, Any]) -> RunConfig:
    return parse(document, BASE)


def events_of(config: RunConfig, client: Client) -> tuple[faket_dask.Dataset, list[Event]]:
    events: list[Event] = []
    return faket_dask.run(config, client, watch=events.append), events


def test_every_modality_of_every_tilt_is_there(finished: faket_dask.Dataset) -> None:
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
    reference = zarr.open_group(finished.spec.layout.reference("b"), mode="r")
    np.testing.assert_allclose(series["faket"].mean(("y", "x")), reference["mean"][:], rtol=1e-5)
    np.testing.assert_allclose(series["faket"].std(("y", "x")), reference["std"][:], rtol=1e-5)
    np.testing.assert_allclose(series["noisy"].mean(("y", "x")), series["mean"], rtol=1e-5)
    assert np.ptp(series["baseline"].mean(("y", "x")).values) < 1e-4 * abs(float(series["baseline"].mean()))


def test_noisy_and_content_share_their_noise(finished: faket_dask.Dataset) -> None:
    series = finished.open("specimen-000__b")
    standard = {
        name: (series[name] - series[name].mean(("y", "x"))) / series[name].std(("y", "x"))
        for name in ("noisy", "content", "noiseless")
    }
    signal = float((standard["content"] * standard["noiseless"]).mean())
    noise = standard["content"] - signal * standard["noiseless"]
    shared = (noise * (standard["noisy"] - standard["noiseless"] * signal)).mean()
    assert float(shared) > 0.1


def test_labels_register_with_the_projection(finished: faket_dask.Dataset) -> None:
    """At 0° a bead is dark where its label says, in the frame of the particle table."""
    series = finished.open("specimen-000__b")
    flat = series["noiseless"].sel(tilt_angle=0)
    table = finished.particles("specimen-000__b")
    beads = table.centre_A[table.class_name == "fiducial"]
    seen = 0
    for x, y, _ in beads:
        if float(flat.x.min()) < x < float(flat.x.max()):
            at_label = float(flat.sel(x=x, y=y, method="nearest"))
            assert at_label < float(flat.quantile(0.03))
            label = series["class_mask"].sel(x=x, y=y, method="nearest").max()
            assert int(label) == series.attrs["class_ids"]["fiducial"]
            seen += 1
    other = finished.open("specimen-001__a")
    assert seen or (other["class_mask"] > 0).any()


def test_a_finished_data_set_is_left_alone(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    config = config_of(small_document(copy_without(finished.folder, tmp_path)))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "data" / "series").rglob("*") if p.is_file()}
    _, events = events_of(config, client)
    assert not [event for event in events if isinstance(event, UnitDone)]
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_the_number_of_workers_does_not_change_a_byte(finished: faket_dask.Dataset, tmp_path: Path) -> None:
    with Client(processes=False, n_workers=4, threads_per_worker=1, dashboard_address=":0") as other:
        again = faket_dask.run(config_of(small_document(tmp_path / "data")), other)
    assert checksum_results(again.folder) == checksum_results(finished.folder)


def test_only_what_was_lost_is_computed_again(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_without(finished.folder, tmp_path)
    (copy / "series/specimen-000__b.zarr/faket/c/2/0/0").unlink()
    (copy / "specimens/specimen-001.zarr/noiseless/c/0/1/0").write_bytes(b"torn")
    (copy / "progress/targets/a/3.json").write_text('{"inputs": "')
    _, events = events_of(config_of(small_document(copy)), client)
    computed = {(e.unit.stage, e.unit.item, e.unit.index) for e in events if isinstance(e, UnitDone)}
    assert computed == {("style", "specimen-000__b", 2), ("project", "specimen-001", 1), ("targets", "a", 3)}
    assert checksum_results(copy) == checksum_results(finished.folder)


def test_what_is_made_again_is_there_before_it_is_read(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    """Though the stage between the two, `levels`, is done."""
    copy = copy_without(finished.folder, tmp_path, "project/specimen-000", "style/specimen-000__b")
    _, events = events_of(config_of(small_document(copy)), client)
    assert not [event for event in events if isinstance(event, UnitFailed)]
    stages = [event.unit.stage for event in events if isinstance(event, UnitDone)]
    assert stages == ["project"] * 2 + ["style"] * 5
    assert checksum_results(copy) == checksum_results(finished.folder)


def test_more_specimens_extend_a_data_set(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_without(finished.folder, tmp_path)
    extended = config_of(small_document(copy, specimen={"count": 3}))
    dataset, events = events_of(extended, client)
    items = {event.unit.item for event in events if isinstance(event, UnitDone)}
    assert items == {"specimen-002", "specimen-002__b"}
    old, new = checksum_results(finished.folder), checksum_results(dataset.folder)
    assert {name: digest for name, digest in new.items() if name in old and name != "plan.json"} == {
        name: digest for name, digest in old.items() if name != "plan.json"
    }


def test_a_modality_can_be_asked_for_later(client: Client, tmp_path: Path) -> None:
    only_noisy = small_document(tmp_path / "data", outputs={"modalities": ["noisy"], "report": False})
    only_noisy["specimen"]["count"] = 1
    faket_dask.run(config_of(only_noisy), client)
    more = json.loads(json.dumps(only_noisy))
    more["outputs"]["modalities"] = ["noisy", "content"]
    dataset, events = events_of(config_of(more), client)
    assert {event.unit.stage for event in events if isinstance(event, UnitDone)} == {"style"}
    assert "content" in dataset.open(dataset.series[0])


def test_another_run_in_the_folder_is_refused_and_untouched(
    finished: faket_dask.Dataset, client: Client
) -> None:
    before = checksum_results(finished.folder)
    other = config_of(small_document(finished.folder, noise={"content_level": 0.5}))
    with pytest.raises(InputError, match=r"another run .* differ in noise"):
        faket_dask.run(other, client)
    assert checksum_results(finished.folder) == before


def test_a_folder_with_other_things_is_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(InputError, match="no data set"):
        faket_dask.run(config_of(small_document(tmp_path)), client)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def failing(stage: Stage, when: Callable[[str, int], BaseException | None]) -> Stage:
    """A stage whose units raise what `when` gives."""

    def compute(spec: DatasetSpec, item: str, index: int) -> dict[str, Any]:
        error = when(item, index)
        if error is not None:
            raise error
        return stage.compute(spec, item, index)

    return Stage(stage.name, stage.count, compute, stage.prepare, stage.arrays, stage.files)


@pytest.mark.usefixtures("units_per_task")
def test_a_passing_failure_is_retried(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: dict[tuple[str, int], int] = {}

    def twice(item: str, index: int) -> BaseException | None:
        tries[item, index] = tries.get((item, index), 0) + 1
        return OSError(errno.EIO, "the file system hiccuped") if tries[item, index] <= 2 else None

    monkeypatch.setitem(units.STAGES, "project", failing(units.STAGES["project"], twice))
    copy = copy_without(finished.folder, tmp_path, "project")
    dataset, events = events_of(config_of(small_document(copy)), client)
    assert not dataset.failures
    assert set(tries.values()) == {3}
    assert any(isinstance(event, UnitFailed) and not event.final for event in events)
    assert checksum_results(dataset.folder) == checksum_results(finished.folder)


@pytest.mark.usefixtures("units_per_task")
def test_a_lasting_failure_is_reported_and_the_rest_finishes(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(item: str, index: int) -> BaseException | None:
        return ValueError("cosmic ray") if (item, index) == ("specimen-000", 1) else None

    copy = copy_without(finished.folder, tmp_path, "project", "levels", "style")
    with monkeypatch.context() as patch:
        patch.setitem(units.STAGES, "project", failing(units.STAGES["project"], broken))
        dataset, _ = events_of(config_of(small_document(copy)), client)
    [failure] = dataset.failures
    assert str(failure.unit) == "project specimen-000 1"
    assert "cosmic ray" in failure.cause
    assert status(dataset.spec).series_done == ("specimen-001__a",)
    mended, _ = events_of(dataset.spec.config, client)
    assert not mended.failures
    assert checksum_results(mended.folder) == checksum_results(finished.folder)


@pytest.mark.usefixtures("units_per_task")
def test_a_full_disk_stops_the_run_and_loses_nothing(
    finished: faket_dask.Dataset, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(item: str, index: int) -> BaseException | None:
        return OSError(errno.ENOSPC, "No space left on device") if index == 2 else None

    config = config_of(small_document(copy_without(finished.folder, tmp_path, "style")))
    before: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setitem(units.STAGES, "style", failing(units.STAGES["style"], full))
        with pytest.raises(DiskFull, match="no space left"):
            faket_dask.run(config, client, watch=before.append)
    dataset, after = events_of(config, client)
    done = [next(e.done for e in events if isinstance(e, RunStarted)) for events in (before, after)]
    assert done[1] >= done[0] + sum(isinstance(event, UnitDone) for event in before)
    assert checksum_results(dataset.folder) == checksum_results(finished.folder)


def test_too_little_disk_is_known_before_anything_runs(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match="GiB are free"):
        faket_dask.run(config_of(small_document(tmp_path / "data")), client)
    assert not (tmp_path / "data" / "series").exists()


def test_the_stored_configuration_makes_the_same_data_set(
    finished: faket_dask.Dataset, tmp_path: Path
) -> None:
    stored = yaml.safe_load((finished.folder / "config.yaml").read_text())
    stored["dataset"]["folder"] = str(tmp_path / "copy")
    assert faket_dask.plan(parse(stored, BASE)).spec.fingerprint == finished.spec.fingerprint


def test_a_data_set_may_be_moved(finished: faket_dask.Dataset, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(finished.folder, moved)
    dataset = faket_dask.open_dataset(moved)
    assert dataset.folder == moved
    assert float(dataset.open(dataset.series[0])["faket"].std()) > 0


def test_status_counts_units(finished: faket_dask.Dataset) -> None:
    found = status(finished.spec)
    assert found.done == found.total > 0
    assert len(found.series_done) == found.series_total == 2
    assert os.path.isdir(finished.folder / "progress")
