"""Noise models of modalities."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faket_dask.config import parse
from faket_dask.dataset.modality_noise import find_noise_model
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.methods.arrays import TiltArrayLayout
from faket_dask.methods.noise import NOISE_MODELS
from faket_dask.pipeline.input_checks import resolve
from tests.runs import small_document


@pytest.fixture
def installed_model() -> Iterator[Any]:
    """Model of another package that measures references and belongs to the modality `noisy`."""
    model = SimpleNamespace(
        modality="noisy", arrays=lambda rings: (TiltArrayLayout("grain", (), (), "float64"),)
    )
    NOISE_MODELS.register("grainy", model)
    yield model
    NOISE_MODELS.unregister("grainy")


def resolve_noise(folder: Path, noise: str) -> DatasetSpec:
    return resolve(
        parse(small_document(folder / "data", style={"weights": "random", "noise": noise}), folder)
    )


def test_installed_model_is_measured_only_where_the_run_file_names_it(
    tmp_path: Path, installed_model: Any
) -> None:
    assert installed_model not in resolve_noise(tmp_path, "white").studied_noise_models
    assert installed_model in resolve_noise(tmp_path, "grainy").studied_noise_models
    assert find_noise_model("noisy") == "white"


def test_broken_package_does_not_disturb_runs_that_do_not_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NOISE_MODELS._targets, "broken", "no_such_package:MODEL")
    assert find_noise_model("baseline") is None
    resolve_noise(tmp_path, "white")
