"""Scorers of a study on true particles, and the permutation test."""

from pathlib import Path

import numpy as np
import pytest

import faket_dask
from faket_dask.config.study import Czii2024Scorer, OneToOneScorer, Scorer, Shrec2021Scorer
from faket_dask.config.training import DatasetTomograms, ShrecTomograms, Tomograms
from faket_dask.errors import InputError
from faket_dask.formats.shrec_writing import write_model
from faket_dask.geometry import TiltGeometry
from faket_dask.scoring.one_to_one import score_one_to_one
from faket_dask.scoring.picks import Picks
from faket_dask.study.scorers import PickScore, open_scorer, permute_labels
from faket_dask.study.truth import read_instances, read_truth
from tests.pickers.volumes import make_tomogram

NAMES = ("background", "propeller", "boot")

SCORERS: list[Scorer] = [
    OneToOneScorer(radius_A=60),
    Shrec2021Scorer(),
    Czii2024Scorer(radius_A={"propeller": 100, "boot": 100}),
]


@pytest.fixture
def source(specimens: faket_dask.Dataset) -> Tomograms:
    return DatasetTomograms(folder=specimens.folder, modality="noiseless", series=("specimen-003",))


def pick_truth(source: Tomograms) -> Picks:
    truth = read_truth(source)
    names = {label: name for name, label in truth.class_ids.items()}
    channels = np.array([NAMES.index(names[int(label)]) for label in truth.picks.class_id])
    return Picks(truth.picks.positions, channels, np.ones(len(channels)))


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.kind)
def test_true_particles_score_one_and_wrong_classes_do_not(scorer: Scorer, source: Tomograms) -> None:
    score, picks = open_scorer(scorer, source, NAMES), pick_truth(source)
    assert score(picks).localisation.f_score() == 1
    assert score(picks).macro_f1 == score(picks).score == 1
    swapped = Picks(picks.positions, 3 - picks.class_id, picks.score)
    assert score(swapped).localisation.f_score() == 1
    assert score(swapped).macro_f1 == 0
    nothing = Picks(np.empty((0, 3)), np.empty(0, np.int64), np.empty(0))
    assert score(nothing).localisation.missed == len(picks)
    assert score(nothing).macro_f1 == 0


def test_labels_exceed_permuted_ones_where_they_are_right_alone() -> None:
    rng = np.random.default_rng(4)
    truth = Picks(rng.uniform(0, 100, (30, 3)), rng.integers(1, 3, 30))

    def score(picks: Picks) -> PickScore:
        found = score_one_to_one(picks, truth, 1.0)
        return PickScore(found.localisation, found.macro_f1, found.macro_f1, found.confusion)

    right = Picks(truth.positions, truth.class_id, np.ones(30))
    assert score(right).macro_f1 > 1.2 * permute_labels(score, right)
    guessed = Picks(truth.positions, rng.permutation(truth.class_id), np.ones(30))
    assert score(guessed).macro_f1 < permute_labels(score, guessed)


def test_class_that_is_learnt_as_background_is_neither_hit_nor_missed(source: Tomograms) -> None:
    picks = pick_truth(source)
    score = open_scorer(SCORERS[0], source, ("background", "propeller"))
    propellers = picks.select(picks.class_id == 1)
    found = score(Picks(picks.positions, np.ones(len(picks), np.int64), picks.score))
    assert (found.localisation.hits, found.localisation.false, found.localisation.missed) == (
        len(propellers),
        0,
        0,
    )


def test_instances_of_a_data_set_are_numbered_by_its_rows(source: Tomograms) -> None:
    instances = read_instances(source)
    places = np.rint(instances.picks.positions).astype(int)
    found = instances.occupancy[places[:, 2], places[:, 1], places[:, 0]]
    inside = found > 0
    assert inside.sum() >= len(places) // 2
    np.testing.assert_array_equal(found[inside], np.flatnonzero(inside) + 1)
    assert instances.occupancy.max() <= len(places)


@pytest.fixture
def shrec_folder(tmp_path: Path) -> Path:
    """A model of 64³ voxels with cubes of two classes, as SHREC writes it."""
    original = make_tomogram(3, (24, 64, 64), objects=6)
    occupancy = np.zeros(original.tomogram.shape, dtype=np.uint16)
    for number, centre in enumerate(np.round(original.centre).astype(int), start=1):
        occupancy[tuple(slice(at - 2, at + 3) for at in centre)] = number

    class Particles:
        class_name = np.array(["", "1BXN", "4CR2"])[original.class_id]
        class_id = original.class_id
        instance = np.arange(1, len(original.class_id) + 1)
        centre_A = np.round(original.centre)[:, ::-1] * 10
        rotation = np.tile(np.eye(3), (len(original.class_id), 1, 1))

    volumes = {
        "class_mask": original.class_mask,
        "occupancy_mask": occupancy,
        "reconstruction": original.tomogram,
    }
    write_model(tmp_path / "model_0", TiltGeometry([0.0], 10.0), Particles, volumes, {})
    return tmp_path / "model_0"


def test_true_particles_of_a_shrec_folder_score_one(shrec_folder: Path) -> None:
    source = ShrecTomograms(folders=(shrec_folder,))
    truth = read_truth(source)
    names = ("background", "4CR2", "1BXN")
    channels = {truth.class_ids[name]: names.index(name) for name in names[1:]}
    picks = Picks(truth.picks.positions, np.array([channels[int(label)] for label in truth.picks.class_id]))
    found = open_scorer(Shrec2021Scorer(), source, names)(picks)
    assert (found.localisation.missed, found.localisation.false, found.macro_f1) == (0, 0, 1)


def test_shrec_folder_without_occupancy_is_refused(shrec_folder: Path) -> None:
    (shrec_folder / "occupancy_mask.mrc").unlink()
    with pytest.raises(InputError, match=r"has no occupancy_mask\.mrc"):
        read_instances(ShrecTomograms(folders=(shrec_folder,)))
