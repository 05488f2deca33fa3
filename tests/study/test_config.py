"""Study files: what is read, and what is refused in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from faket_dask.config.study import dump_study, load_study, parse_study
from faket_dask.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def document(**changes: Any) -> dict[str, Any]:
    sections = {
        "study": {"folder": "result"},
        "tomograms": {
            "train": [{"folder": "data"}],
            "validation": [{"folder": "data", "modality": "benchmark"}],
            "test": [{"folder": "data", "modality": "benchmark"}],
        },
        "models": {"noisy": {"modality": "noisy"}, "tuned": {"from": "noisy", "training": {"epochs": 3}}},
        "seeds": [1, 2],
        "training": {"patch": 24, "epochs": 10, "epochs_per_unit": 5},
        "scorer": {"radius_A": 50},
    }
    return {**sections, **changes}


def test_models_share_settings_but_for_their_own() -> None:
    config = parse_study(document(), Path("/here"))
    assert config.training_of("noisy").epochs == 10
    assert (config.training_of("tuned").epochs, config.training_of("tuned").patch) == (3, 24)
    assert config.start_epoch("tuned") == 10
    assert config.study.folder == Path("/here/result")


def test_study_file_is_written_and_read_back() -> None:
    config = parse_study(document(), Path("/here"))
    assert parse_study(yaml.safe_load(dump_study(config)), Path("/elsewhere")) == config


def test_shipped_study_is_valid() -> None:
    config = load_study(CONFIGS / "study-demo.yaml")
    assert set(config.models) == {"benchmark", "noisy"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": {"a": {"modalty": "noisy"}}}, r"models\.a\.modalty: .*did you mean 'modality'"),
        ({"models": {"a": {"training": {"bacth": 3}}}}, r"models\.a\.training\.bacth: .*'batch'"),
        (
            {"models": {"a": {"from": "b"}, "b": {}}},
            r"models\.a: from names 'b', which is no model before it",
        ),
        (
            {"models": {"a": {}, "b": {"from": "a", "epoch": 7}}},
            r"models\.b: a keeps its weights every 5 epochs",
        ),
        ({"models": {"a": {"epoch": 5}}}, r"models\.a: epoch is that of the model which `from` names"),
        (
            {"models": {"a": {}, "b": {"from": "a", "training": {"width": 0.5}}}},
            "must have its network, width",
        ),
        ({"models": {"../a": {}}}, "models give folders their names"),
        ({"seeds": [1, 1]}, r"seeds: seeds are whole numbers from 0, each once; 1 is not"),
        ({"seeds": []}, "seeds"),
        ({"training": {"seed": 3}}, "training has no seed in a study; list all of them under `seeds`"),
        ({"models": {"a": {}}, "training": {"patch": 25}}, r"^training: patch must be a multiple of 4"),
        ({"tomograms": {"train": [{"folder": "d"}], "test": []}}, r"tomograms\.test"),
        (
            {"tomograms": {"train": [{"folder": "d"}], "test": [{"folder": "d", "modality": "benchmark"}]}},
            "chooses epochs by tomograms.validation",
        ),
        (
            {"tomograms": {"train": [{"folder": "d"}], "test": [{"folder": "d"}]}},
            r"test\.0 has no modality",
        ),
        ({"scorer": {"kind": "shrec2022"}}, r"scorer\.kind: must be one of one_to_one, shrec2021, czii2024"),
    ],
)
def test_mistakes_are_told_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_study(document(**changes), Path("/here"))
    assert len(str(caught.value).splitlines()) == 1
