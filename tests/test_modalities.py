"""The table of modalities: complete, consistent with the stages, and open to more."""

import pytest

from faket_dask.config.outputs import OutputsSection
from faket_dask.modalities import MODALITIES, Modality, ModalityRegistry, Owner
from faket_dask.pipeline import TILT_SERIES
from faket_dask.report.figures import COLOURS


def test_every_modality_names_a_stage_of_the_pipeline() -> None:
    assert {modality.stage for modality in MODALITIES} <= set(TILT_SERIES.by_name)


def test_every_modality_has_a_colour_of_its_own() -> None:
    assert len(set(COLOURS.values())) == len(MODALITIES.names) + 1


def test_displays_prefer_the_finished_image() -> None:
    assert MODALITIES.select(Owner.SERIES)[-1] == "faket"


def test_registered_modality_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    more = ModalityRegistry(
        [*MODALITIES, Modality("poisson", Owner.SERIES, "synthesise", "#000000", True, "with counting noise")]
    )
    with pytest.raises(ValueError, match="must be one of content, baseline"):
        OutputsSection(modalities=("poisson",))
    monkeypatch.setattr("faket_dask.config.outputs.MODALITIES", more)
    assert OutputsSection(modalities=("poisson",)).modalities == ("poisson",)


def test_second_modality_of_one_name_is_refused() -> None:
    with pytest.raises(ValueError, match="there is a modality 'faket' already"):
        ModalityRegistry([*MODALITIES, MODALITIES.get("faket")])
