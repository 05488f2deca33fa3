"""Specimens that are in two sets, and tomograms that are not there, are refused before anything is computed."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import faket_dask
from faket_dask.config.study import parse_study
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.study.run import plan_study
from tests.study.conftest import StudyDocument


def with_set(document: dict[str, Any], role: str, folder: Path, *series: str) -> dict[str, Any]:
    source = {"folder": str(folder), "modality": "noiseless", "series": list(series)}
    return {**document, "tomograms": {**document["tomograms"], role: [source]}}


def plan(document: dict[str, Any]) -> None:
    plan_study(parse_study(document, Path("/nowhere")))


@pytest.mark.parametrize(
    ("role", "series", "message"),
    [
        (
            "test",
            "specimen-001",
            r"specimen-001 in tomograms\.test is also in the training tomograms of models\.whole",
        ),
        (
            "validation",
            "specimen-000",
            r"specimen-000 in tomograms\.validation is also in the training tomograms",
        ),
        ("test", "specimen-002", r"specimen-002 in tomograms\.test is also in tomograms\.validation"),
    ],
)
def test_specimen_in_two_sets_is_refused(
    role: str,
    series: str,
    message: str,
    specimens: faket_dask.Dataset,
    study_document: StudyDocument,
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match=message):
        plan(with_set(study_document(tmp_path), role, specimens.folder, series))


def test_copy_of_a_specimen_is_known(
    specimens: faket_dask.Dataset, study_document: StudyDocument, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(specimens.folder, tmp_path / "copy"))
    with pytest.raises(InputError, match="is also in the training tomograms"):
        plan(with_set(study_document(tmp_path / "result"), "test", copy, "specimen-001"))


def test_published_selection_is_allowed_with_a_warning(
    specimens: faket_dask.Dataset, study_document: StudyDocument, tmp_path: Path
) -> None:
    document = with_set(study_document(tmp_path), "validation", specimens.folder, "specimen-001")
    with pytest.warns(
        UserWarning, match="selection: published chooses epochs by tomograms that models learn from"
    ):
        plan({**document, "selection": "published"})


def test_what_is_not_there_is_named_with_the_command_that_makes_it(
    specimens: faket_dask.Dataset, study_document: StudyDocument, tmp_path: Path
) -> None:
    document = study_document(tmp_path / "result")
    with pytest.raises(InputError, match="make it with `faket-dask run`"):
        plan(with_set(document, "test", tmp_path / "absent", "specimen-003"))
    with pytest.raises(InputError, match=r"`faket-dask reconstruct .* --modality noisy`"):
        plan({**document, "models": {"noisy": {"modality": "noisy"}}})
    with pytest.raises(InputError, match="has no series or specimen specimen-9"):
        plan(with_set(document, "test", specimens.folder, "specimen-9"))
    with pytest.raises(InputError, match=r"models\.a\.part names nothing"):
        plan({**document, "models": {"a": {"part": ["nothing"]}}})
    with pytest.raises(InputError, match=r"picking\.smallest has the class lantern"):
        plan({**document, "picking": {"smallest": {"lantern": 3}}})
    with pytest.raises(InputError, match=r"scorer\.radius_A has the class ribosome, which is not learnt"):
        plan({**document, "scorer": {"kind": "czii2024", "radius_A": {"ribosome": 150}}})
    unfinished = Path(shutil.copytree(specimens.folder, tmp_path / "unfinished"))
    shutil.rmtree(unfinished / "progress" / "reconstruct" / "specimen-003")
    with pytest.raises(UnfinishedError, match="finish it with"):
        plan(with_set(document, "test", unfinished, "specimen-003"))
