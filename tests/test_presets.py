"""Presets of specimens: they work at once, and keys beside them change them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from faket_dask.config import BuiltSpecimen, dump, parse
from faket_dask.config.specimen_presets import apply_preset, list_presets, load_preset
from faket_dask.config.specimen_summary import describe_specimen
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.errors import InputError
from faket_dask.pipeline.input_checks import resolve
from faket_dask.pipeline.structure_choice import choose_structures
from faket_dask.specimen import render_block
from faket_dask.specimen.placement import draw_placement
from faket_dask.specimen.source_names import names_phantom
from faket_dask.specimen.template import Sampling
from faket_dask.structures import names_entry

HEADER = "HEADER    TEST                                    01-JAN-00   {}\n"


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a cache without files, and no network."""
    for variable in ("FAKET_DASK_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("FAKET_DASK_MIRROR", str(tmp_path / "mirror"))


def document(folder: Path, **specimen: Any) -> dict[str, Any]:
    return {
        "dataset": {"folder": str(folder / "out"), "seed": 1},
        "specimen": specimen,
        "acquisition": {
            "tilt_angles": {"start_deg": -30, "stop_deg": 30, "step_deg": 30},
            "pixel_size_A": 13.3,
            "detector_px": [64, 64],
        },
        "references": [{"kind": "simulated", "name": "microscope"}],
        "outputs": {"modalities": ["spectral"]},
    }


@pytest.mark.parametrize("name", list_presets())
@pytest.mark.filterwarnings("ignore:phantoms of the same masses", "ignore:the tilts of a series share")
def test_preset_works_from_a_minimal_run_file_without_network(tmp_path, name):
    spec = resolve(parse(document(tmp_path, preset=name), tmp_path))
    specimen = spec.config.specimen
    assert specimen.structures == "phantoms"
    assert all(names_phantom(source) for species in specimen.all_species for source in species.sources)
    assert describe_specimen(specimen).endswith("phantoms of the same masses stand for particles")
    assert parse(yaml.safe_load(dump(spec.config)), tmp_path) == spec.config


@pytest.mark.parametrize("name", list_presets())
def test_small_specimen_of_a_preset_is_drawn_and_labelled(name):
    sparse = [{**crowd, "fraction": 0.08} for crowd in load_preset(name).get("crowding", [])]
    section = BuiltSpecimen(preset=name, width_factor=1.0, crowding=sparse).choose_structures("phantoms")
    recipe = section.recipe((round(section.thickness_A / 20), 48, 48), 20.0, Sampling.AVERAGED)
    placement = draw_placement(recipe, np.random.default_rng(0))
    block = render_block(recipe, placement.table, 0, 48)
    labelled = placement.table.labelled()
    assert set(np.unique(block.instance_mask)) - {0} <= set(labelled.instance)
    assert len(labelled) > 5
    assert np.isfinite(block.density).all()


def test_species_of_presets_have_an_entry_and_a_phantom_or_a_phantom_alone():
    for name in list_presets():
        specimen = BuiltSpecimen(preset=name)
        for species in specimen.all_species:
            entries = [source for source in species.sources if names_entry(source)]
            assert bool(entries) == (species.stand_in is not None), species.name


def test_shrec_preset_has_the_numbers_of_the_challenge():
    specimen = BuiltSpecimen(preset="shrec2021").choose_structures("phantoms")
    recipe = specimen.recipe((180, 512, 512), 10.0, Sampling.AVERAGED)
    ranges = {
        name: component.count_range(recipe.grid)
        for component in recipe.components
        for name in component.class_names
    }
    assert ranges.pop("fiducial") == (7, 14)
    assert ranges.pop("vesicle") == (2, 7)
    assert set(ranges.values()) == {(118, 144)}
    assert len(ranges) == 12


def test_keys_beside_a_preset_change_it():
    changed = apply_preset(
        {
            "preset": "crowded-cytosol",
            "thickness_A": 900,
            "crowding": {"fraction": 0.2, "species": [{"name": "gapdh", "share": 9}]},
            "species": [{"name": "ribosome", "count": 3}, {"name": "mine", "source": "boot", "count": 1}],
            "filaments": None,
        }
    )
    preset = load_preset("crowded-cytosol")
    assert changed["thickness_A"] == 900
    assert "filaments" not in changed
    assert changed["cut_surfaces"] is True
    [crowd], [known] = changed["crowding"], preset["crowding"]
    assert crowd["fraction"] == 0.2
    assert [entry["name"] for entry in crowd["species"]] == [entry["name"] for entry in known["species"]]
    assert {entry["name"]: entry for entry in crowd["species"]}["gapdh"]["share"] == 9
    ribosome, *_, mine = changed["species"]
    assert (ribosome["source"], ribosome["count"], "density_per_um3" in ribosome) == ("pdb:4v88", 3, False)
    assert mine == {"name": "mine", "source": "boot", "count": 1}


def test_null_beside_a_preset_removes_a_list(tmp_path):
    config = parse(document(tmp_path, preset="crowded-cytosol", species=None, crowding=None), tmp_path)
    assert config.specimen.species == ()
    assert [group.name for group in config.specimen.filaments] == ["actin", "microtubule"]


def test_source_beside_a_preset_leaves_out_the_stand_in():
    [changed] = [
        entry
        for entry in apply_preset({"preset": "shrec2021", "species": [{"name": "3gl1", "source": "boot"}]})[
            "species"
        ]
        if entry["name"] == "3gl1"
    ]
    assert changed == {"name": "3gl1", "source": "boot", "density_per_um3": [2500, 3050]}


def test_unknown_preset_is_an_error_with_the_names(tmp_path):
    with pytest.raises(InputError, match=r"specimen: preset must be one of .*shrec2021.*, not 'shrec'"):
        parse(document(tmp_path, preset="shrec"), tmp_path)


def test_stand_ins_are_taken_all_together_and_said(tmp_path):
    config = parse(document(tmp_path, preset="shrec2021"), tmp_path)
    with pytest.warns(UserWarning, match="take the place of all 12 entries: pdb:1s3x: the mirror"):
        chosen = choose_structures(config).specimen
    assert {species.sources[0].split(":")[0] for species in chosen.species} == {"globule"}
    assert all(species.assembly is None and species.stand_in is None for species in chosen.species)


def test_entries_are_insisted_on(tmp_path):
    with pytest.raises(InputError, match=r"specimen\.species\.0\.source: pdb:1s3x: the mirror"):
        resolve(parse(document(tmp_path, preset="shrec2021", structures="pdb"), tmp_path))


def test_damaged_mirror_is_an_error_and_no_reason_for_phantoms(tmp_path):
    (tmp_path / "mirror" / "1s3x.pdb").write_text(HEADER.format("9ZZZ"))
    with pytest.raises(InputError, match=r"specimen\.structures: pdb:1s3x: the file at .* is not that entry"):
        resolve(parse(document(tmp_path, preset="shrec2021"), tmp_path))


@pytest.mark.filterwarnings("ignore:phantoms of the same masses", "ignore:the tilts of a series share")
def test_choice_of_a_begun_data_set_is_kept(tmp_path):
    config = parse(
        document(
            tmp_path,
            thickness_A=600,
            species=[{"name": "a", "source": "pdb:1abc", "stand_in": "globule:300kDa", "count": 2}],
        ),
        tmp_path,
    )
    spec = resolve(config)
    spec.write()
    assert spec.config.specimen.structures == "phantoms"
    atom = "ATOM      1  CA  ALA A   1      {:6.3f}   0.000   0.000  1.00  0.00           C\n"
    (tmp_path / "mirror" / "1abc.pdb").write_text(
        HEADER.format("1ABC") + "".join(atom.format(3.0 * i) for i in range(3))
    )
    assert resolve(config).fingerprint == spec.fingerprint
    assert DatasetSpec.read(spec.folder.root).fingerprint == spec.fingerprint
    other = config.model_copy(
        update={"dataset": config.dataset.model_copy(update={"folder": tmp_path / "other"})}
    )
    assert choose_structures(other).specimen.structures == "pdb"
