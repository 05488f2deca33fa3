"""Trainings as chains of units: their results, their order, and what becomes of them when they are killed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed import Client

import faket_dask
from faket_dask.config.training import DatasetTomograms, ModelSection, TrainingSection, Validation
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.plan import Plan
from faket_dask.engine.serial import execute_serially
from faket_dask.engine.validate import validate
from faket_dask.errors import InputError
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.picking.voxel_f1 import count_voxels, voxel_f1
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.pickers.classes import agree_on_classes
from faket_dask.pickers.train import begin_training, resume_training
from faket_dask.pickers.training_data import TrainingData
from faket_dask.pickers.training_run import TRAINING, TrainingSpec, read_models, train_models
from tests.pickers.volumes import make_tomogram

TINY = {"patch": 8, "batch": 4, "width": 0.125, "epochs": 4, "epochs_per_unit": 2, "shift": 2}


def make_data(**changes: object) -> TrainingData:
    tomograms = (make_tomogram(0), make_tomogram(1))
    return replace(TrainingData(tomograms, (make_tomogram(2),), agree_on_classes(tomograms)), **changes)


def assert_same(one: Checkpoint, two: Checkpoint) -> None:
    assert one.history == two.history
    assert (one.best_epoch, one.adam_steps) == (two.best_epoch, two.adam_steps)
    for kind in ("weights", "adam_mean", "adam_square", "best"):
        left, right = getattr(one, kind), getattr(two, kind)
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_network_learns_to_tell_cubes() -> None:
    section = TrainingSection(**{**TINY, "batch": 5, "width": 0.25}, learning_rate=3e-3)
    run = begin_training(section, make_data())
    run.train(range(1, 17))
    first, last = run.history[0], run.history[-1]
    assert last.loss < first.loss - 1
    assert last.mean_f1 > 0.5
    assert min(last.dice) > 0.5
    assert run.best_epoch == 1 + int(np.argmax([record.mean_f1 for record in run.history]))


def test_epochs_are_judged_by_all_voxels_of_tomograms() -> None:
    section = TrainingSection(
        **TINY, validation=Validation.TOMOGRAMS, segmentation={"block": 40, "rim": 8}, learning_rate=0.01
    )
    data = make_data()
    run = begin_training(section, data)
    run.train(range(1, 3))
    [tomogram] = data.validation
    whole = standardise(tomogram.tomogram)
    padded = np.pad(whole, 8)[None, None]  # all of the tomogram with its rim in one block
    predicted = run.trainer.predict(padded)[0, 8:-8, 8:-8, 8:-8]
    expected = voxel_f1(count_voxels(predicted, tomogram.class_mask, 3))
    # Blocks of a rim below the receptive field differ from that in few voxels.
    np.testing.assert_allclose(run.history[-1].f1, expected, atol=0.02)


def test_resumed_training_has_the_same_weights(tmp_path: Path) -> None:
    section, data = TrainingSection(**TINY), make_data()
    whole = begin_training(section, data)
    whole.train(range(1, 5))
    half = begin_training(section, data)
    half.train(range(1, 3))
    half.save().write(tmp_path / "half.npz")
    resumed = resume_training(section, data, Checkpoint.read(tmp_path / "half.npz"))
    resumed.train(range(3, 5))
    assert_same(whole.save(), resumed.save())


def test_models_of_one_seed_start_alike_and_those_of_others_do_not() -> None:
    data = make_data()
    one, two, other = (
        begin_training(TrainingSection(**TINY, seed=seed), data).trainer.network.layers[3].weight
        for seed in (1, 1, 2)
    )
    assert (one == two).all()
    assert (one != other).any()


def test_training_starts_from_the_best_weights_of_another() -> None:
    section, data = TrainingSection(**TINY), make_data()
    before = begin_training(section, data)
    before.train(range(1, 3))
    after = begin_training(section, data, before.save())
    weight = before.save().select_network().weights["layers.0.weight"]
    np.testing.assert_array_equal(after.trainer.network.layers[0].weight.detach().numpy(), weight)
    other = TrainingSection(**{**TINY, "width": 0.25})
    with pytest.raises(InputError, match=r"checkpoint of deepfinder of width 0\.125 for bright, dark, since"):
        begin_training(other, data, before.save())


def test_divergence_is_told() -> None:
    run = begin_training(TrainingSection(**TINY), make_data())
    run.trainer.network.layers[14].bias.data.fill_(float("nan"))
    with pytest.raises(InputError, match="training has diverged; lower the learning rate"):
        run.train(range(1, 2))


def test_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    run = begin_training(TrainingSection(**TINY), make_data(validation=()))
    run.train(range(1, 2))
    path = tmp_path / "a.npz"
    run.save().write(path)
    assert Checkpoint.read(path).best_epoch == 0
    content = path.read_bytes()
    for damaged in (content[:-200], b"", b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.npz is no checkpoint"):
            Checkpoint.read(path)
    with pytest.raises(InputError, match="there is no checkpoint"):
        Checkpoint.read(tmp_path / "b.npz")


@pytest.fixture
def sections(tomogram_dataset: faket_dask.Dataset) -> dict[str, ModelSection]:
    one, two = (
        DatasetTomograms(folder=tomogram_dataset.folder, modality="noiseless", series=(name,))
        for name in tomogram_dataset.series
    )
    training = TrainingSection(**TINY, steps=2)
    both = ModelSection(tomograms=(one, two), validation=(two,), training=training)
    return {
        "both": both,
        "other seed": both.model_copy(update={"training": training.model_copy(update={"seed": 2})}),
    }


def test_models_are_trained_on_workers_and_resumed(
    sections: dict[str, ModelSection], one_worker: Client, tmp_path: Path
) -> None:
    checkpoints = train_models(tmp_path / "run", sections, one_worker)
    assert {name: checkpoint.epoch for name, checkpoint in checkpoints.items()} == {
        "both": 4,
        "other seed": 4,
    }
    assert (tmp_path / "run/models/both/epochs-0001-0002.npz").is_file()
    plan = Plan(TrainingSpec.read(tmp_path / "run"), TRAINING)
    assert validate(plan) == []
    alone = TrainingSpec.create(tmp_path / "alone", {"both": sections["both"]})
    execute_serially(Plan(alone, TRAINING), CompletedUnits.read(Plan(alone, TRAINING)))
    for piece in ("epochs-0001-0002", "epochs-0003-0004"):
        file = f"models/both/{piece}.npz"
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "alone" / file).read_bytes()
    longer = {
        name: section.model_copy(update={"training": section.training.model_copy(update={"epochs": 6})})
        for name, section in sections.items()
    }
    before = (tmp_path / "run/models/both/epochs-0003-0004.npz").stat().st_mtime_ns
    assert train_models(tmp_path / "run", longer, one_worker)["both"].epoch == 6
    assert (tmp_path / "run/models/both/epochs-0003-0004.npz").stat().st_mtime_ns == before
    changed = {"both": sections["both"]}
    with pytest.raises(InputError, match=r"holds another run .* They differ in other seed"):
        train_models(tmp_path / "run", changed, one_worker)


def test_unusable_names_are_refused(sections: dict[str, ModelSection], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'a/b' cannot be one"):
        TrainingSpec.create(tmp_path, {"a/b": sections["both"]})
    with pytest.raises(InputError, match="no model to train"):
        TrainingSpec.create(tmp_path, {})


SCRIPT = """
import sys
from pathlib import Path
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.plan import Plan
from faket_dask.engine.serial import execute_serially
from faket_dask.pickers.training_run import TRAINING, TrainingSpec
plan = Plan(TrainingSpec.read(Path(sys.argv[1])), TRAINING)
execute_serially(plan, CompletedUnits.read(plan))
"""


def test_killed_training_resumes_to_the_same_bytes(sections: dict[str, ModelSection], tmp_path: Path) -> None:
    training = TrainingSection(**{**TINY, "epochs": 18, "epochs_per_unit": 3}, steps=4, sampling="classes")
    section = {"both": sections["both"].model_copy(update={"training": training})}
    specs = [TrainingSpec.create(tmp_path / name, section) for name in ("killed", "whole")]
    for spec in specs:
        spec.write()
    killed, whole = (Plan(spec, TRAINING) for spec in specs)
    files = sorted(model.checkpoint(index) for model in specs[0].models.values() for index in range(6))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment) as process:
        end = time.monotonic() + 120
        while not files[1].exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert files[1].exists()
    assert not files[-1].exists()
    for plan in (killed, whole):
        execute_serially(plan, CompletedUnits.read(plan))
    assert not list(tmp_path.rglob("*.tmp"))
    for file in files:
        assert file.read_bytes() == (tmp_path / "whole" / file.relative_to(tmp_path / "killed")).read_bytes()
    assert read_models(tmp_path / "killed")["both"].epoch == 18
