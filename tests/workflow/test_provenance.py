"""Records of runs and environments, and the warning when the environment changes."""

import json
import warnings
from pathlib import Path

import pytest
import yaml
from distributed import Client

import faket_dask
from faket_dask._version import __version__
from faket_dask.config import parse
from faket_dask.engine import environment
from faket_dask.engine.events import UnitDone
from tests.runs import checksum_results, copy_without, small_document


def test_every_marker_names_a_recorded_environment(tiny_dataset: faket_dask.Dataset) -> None:
    progress = tiny_dataset.folder / "progress"
    names = {json.loads(path.read_text())["environment"] for path in progress.rglob("*.json")}
    [name] = names
    recorded = yaml.safe_load((progress / "environments" / f"{name}.yaml").read_text())
    assert recorded["faket_dask"] == __version__
    assert {"numpy", "torch", "zarr", "python", "machine", "instruction_set"} <= recorded.keys()


def test_run_is_recorded_with_its_outcome(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    runs = copy / "progress" / "runs"
    before = set(runs.iterdir())

    def interrupt(event: object) -> None:
        if isinstance(event, UnitDone):
            raise KeyboardInterrupt

    config = parse(small_document(copy), copy)
    with pytest.raises(KeyboardInterrupt):
        faket_dask.run(config, one_worker, interrupt)
    [path] = set(runs.iterdir()) - before
    record = yaml.safe_load(path.read_text())
    assert record["outcome"] == "KeyboardInterrupt"
    assert record["units_left"] == 5
    assert record["fingerprint"] == tiny_dataset.spec.fingerprint
    assert record["weights_sha256"] == tiny_dataset.spec.inputs.weights_checksum
    [first] = before
    assert yaml.safe_load(first.read_text())["outcome"] == "ended"


def test_resuming_in_another_environment_warns_and_changes_no_byte(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    present = environment.describe_environment("cpu")
    other = {**present, "instruction_set": "abacus"}
    monkeypatch.setattr(environment, "describe_environment", lambda device: other)
    config = parse(small_document(copy), copy)
    with pytest.warns(UserWarning, match=r"another environment .*instruction_set .* → abacus"):
        faket_dask.run(config, one_worker)
    assert checksum_results(copy) == checksum_results(tiny_dataset.folder)


def test_resuming_in_the_same_environment_does_not_warn(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise/specimen-000__b")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        faket_dask.run(parse(small_document(copy), copy), one_worker)
