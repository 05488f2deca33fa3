"""Contrast transfer, statistics and shared matter that are chosen, or refused, before anything is computed."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faket_dask.config import parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.serial import execute_serially
from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import write_stack
from faket_dask.pipeline.input_checks import resolve
from faket_dask.pipeline.plan import plan
from tests.runs import small_document

ANGLES = (-6.0, -3.0, 0.0, 3.0, 6.0)
SHAPE = (96, 96)


def record(folder: Path, name: str = "real", offset: float = 100.0, **keys: Any) -> dict[str, Any]:
    """Write an aligned stack of counts with a known defocus, and return its section of a run file."""
    rng = np.random.default_rng(len(name))
    stack = (offset + 10 * rng.normal(size=(len(ANGLES), *SHAPE))).astype(np.float32)
    path = folder / f"{name}.mrc"
    write_stack(path, stack, stack.shape, 10.0)
    write_angles(folder / f"{name}.rawtlt", ANGLES)
    return {"name": name, "stack": str(path), "aligned": True, "defocus_um": 3.0, **keys}


def document(folder: Path, *references: dict[str, Any], **changes: Any) -> dict[str, Any]:
    sections: dict[str, Any] = {
        "specimen": {"count": 1},
        "acquisition": {"tilt_angles": list(ANGLES), "detector_px": [96, 80]},
        "references": list(references),
        "style": {"preset": "matched"},
        "outputs": {"modalities": ["noisy"]},
    }
    return small_document(folder / "data", **{**sections, **changes})


def choose(folder: Path, *references: dict[str, Any], **changes: Any) -> DatasetSpec:
    return resolve(parse(document(folder, *references, **changes), folder))


def summarise(spec: DatasetSpec) -> tuple[Any, str, str]:
    config = spec.config
    return config.signal.ctf, config.noise.statistics, config.background.source


def only_line(folder: Path, *references: dict[str, Any], **changes: Any) -> str:
    """Return the one sentence that a run file is refused with."""
    with pytest.raises(InputError) as error:
        choose(folder, *references, **changes)
    [line] = str(error.value).splitlines()
    return line


def test_counts_with_a_defocus_give_physical_statistics_and_shared_matter(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert summarise(choose(tmp_path, record(tmp_path))) == ("reference", "physical", "reference")


def test_published_style_leaves_all_of_it_out(tmp_path: Path) -> None:
    spec = choose(tmp_path, record(tmp_path), style={"preset": "published"})
    assert summarise(spec) == ("none", "unpaired", "none")


def test_one_reference_without_defocus_is_named(tmp_path: Path) -> None:
    blend = {"kind": "blend", "name": "both", "weights": {"real": 1, "other": 1}}
    references = record(tmp_path), record(tmp_path, "other", defocus_um=None), blend
    with pytest.warns(UserWarning, match="'real' tell its defocus and those of 'other' do not"):
        assert choose(tmp_path, *references).config.signal.ctf == "none"
    line = only_line(tmp_path, *references, signal={"ctf": "reference"})
    assert line.startswith("signal.ctf: the files of 'other' tell no defocus")


def test_normalised_tilts_hold_no_counts(tmp_path: Path) -> None:
    reference = record(tmp_path, offset=0.0)
    with pytest.warns(UserWarning, match="hold no counts"):
        assert summarise(choose(tmp_path, reference)) == ("reference", "unpaired", "none")
    physical = only_line(tmp_path, reference, noise={"statistics": "physical"})
    assert physical.startswith("noise.statistics: real: the mean of the tilt at")
    unpaired = only_line(
        tmp_path, reference, noise={"statistics": "unpaired"}, background={"source": "reference"}
    )
    assert unpaired.startswith("background.source: real: the mean of the tilt at")
    assert "intensity: counting" in unpaired


def test_one_tilt_without_counts_is_found_among_others(tmp_path: Path) -> None:
    reference = record(tmp_path)
    stack = np.full((len(ANGLES), *SHAPE), 100.0, np.float32)
    stack += 10 * np.random.default_rng(0).normal(size=stack.shape)
    stack[1] -= 101
    write_stack(tmp_path / "real.mrc", stack.astype(np.float32), stack.shape, 10.0)
    line = only_line(tmp_path, reference, noise={"statistics": "physical"})
    assert "the mean of section 2" in line or "the mean of view 2" in line


def test_shared_matter_needs_alignment_and_neighbours(tmp_path: Path) -> None:
    asked = {"source": "reference"}
    unaligned = record(tmp_path, aligned=False)
    with pytest.warns(UserWarning, match="nothing is known about the alignment"):
        assert choose(tmp_path, unaligned).config.background.source == "none"
    assert "nothing is known about the alignment" in only_line(tmp_path, unaligned, background=asked)
    simulated = {"kind": "simulated", "name": "a"}
    apart = {"tilt_angles": [-20, 0, 20]}
    line = only_line(tmp_path, simulated, acquisition=apart, background=asked)
    assert "a: none of its 3 tilts has a neighbour within 5°" in line


def test_mask_that_leaves_too_little_of_neighbours_leaves_them_out(tmp_path: Path) -> None:
    mask = np.zeros((len(ANGLES), *SHAPE), np.uint8)
    mask[1, :, :80] = 1
    write_stack(tmp_path / "mask.mrc", mask, mask.shape, 10.0)
    masked = record(tmp_path, mask=str(tmp_path / "mask.mrc"))
    planned = plan(parse(document(tmp_path, masked), tmp_path))
    assert planned.spec.shares_background
    planned.spec.write()
    execute_serially(planned, CompletedUnits.read(planned))
    mask[:, :, :80] = 1
    write_stack(tmp_path / "mask.mrc", mask, mask.shape, 10.0)
    line = only_line(tmp_path, masked, background={"source": "reference"})
    assert "mask.mrc leaves less than 25% of any two neighbouring tilts" in line


def test_normalised_counts_are_scaled_by_their_exposure_with_any_statistics(tmp_path: Path) -> None:
    given = {"statistics": "given", "given": {"signal_scale": [0.2], "noise_scale": [0.9]}}
    changes = {"noise": {**given, "intensity": "counting"}, "background": {"source": "reference"}}
    planned = plan(parse(document(tmp_path, record(tmp_path, offset=0.0), **changes), tmp_path))
    planned.spec.write()
    execute_serially(planned, CompletedUnits.read(planned))


@pytest.mark.parametrize(
    ("changes", "beginning"),
    [
        ({"signal": {"ctf": {"defocus_um": -3}}}, "signal.ctf.defocus_um: must be at least 0.1"),
        ({"signal": {"ctf": {"defocus_um": [2, 30000]}}}, "signal.ctf.defocus_um.1: must be at most 20"),
        ({"background": {"inclination_deg": 80}}, "background.inclination_deg: at 80° the slab would be seen at 86°"),
        ({"acquisition": {"projector": "trilinear"}}, "acquisition.projector: must be pixel or bilinear"),
    ],
)  # fmt: skip
def test_impossible_value_is_one_sentence(tmp_path: Path, changes: dict[str, Any], beginning: str) -> None:
    assert only_line(tmp_path, record(tmp_path), **changes).startswith(beginning)


def test_one_tilt_has_no_halves(tmp_path: Path) -> None:
    line = only_line(
        tmp_path,
        record(tmp_path),
        acquisition={"tilt_angles": [0]},
        reconstruction={"modalities": ["noisy"], "halves": ["tilts"]},
    )
    assert line.startswith("reconstruction.halves: a tomogram of specimen-000 has one tilt")


def test_counting_without_exposures_says_which_dose_is_taken(tmp_path: Path) -> None:
    changes = {"noise": {"intensity": "counting"}, "microscope": {"dose_e_per_A2": 3.5}}
    with pytest.warns(UserWarning, match=r"tell no exposures.*3\.5 e/Å² for each tilt"):
        assert summarise(choose(tmp_path, record(tmp_path, offset=0.0), **changes))[1] == "physical"


def test_style_that_no_key_names_follows_from_the_contrast_transfer(tmp_path: Path) -> None:
    def style(reference: dict[str, Any], **keys: Any) -> str:
        made = document(tmp_path, reference)
        made["style"] = {"weights": "random", **keys}
        return resolve(parse(made, tmp_path)).config.style.method

    assert style(record(tmp_path)) == style({"kind": "simulated", "name": "a"}) == "matched"
    assert style(record(tmp_path, "other", defocus_um=None)) == "published"
    assert style(record(tmp_path), noise="white") == "published"


def test_modality_that_no_key_names_is_the_one_without_a_network(tmp_path: Path) -> None:
    def modalities(reference: dict[str, Any], style: dict[str, Any], **outputs: Any) -> tuple[str, ...]:
        made = document(tmp_path, reference) | {"style": {"weights": "random", **style}, "outputs": outputs}
        return resolve(parse(made, tmp_path)).config.outputs.modalities

    assert modalities(record(tmp_path), {}) == ("spectral",)
    assert modalities(record(tmp_path), {}, modalities=["faket"]) == ("faket",)
    assert modalities(record(tmp_path), {"preset": "matched"}) == ("faket",)
    assert modalities(record(tmp_path, "other", defocus_um=None), {}) == ("faket",)
