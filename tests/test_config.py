"""Run files: accepted contents, and messages about mistakes."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from faket_dask.config import RunConfig, dump, load, parse
from faket_dask.dataset.acquisition import draw_acquisition
from faket_dask.errors import InputError
from faket_dask.kernels.projector import Projector
from faket_dask.methods.transfer import TRANSFER_METHODS
from faket_dask.specimen.template import Sampling


def document(**changes: Any) -> dict[str, Any]:
    """A small valid run file, with sections replaced."""
    sections: dict[str, Any] = {
        "dataset": {"folder": "out", "seed": 1},
        "specimen": {"thickness_A": 1000, "species": [{"name": "propeller", "count": 3}]},
        "acquisition": {
            "tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 30},
            "pixel_size_A": 10,
            "detector_px": [64, 64],
        },
        "references": [{"kind": "simulated", "name": "ref"}],
    }
    return {**sections, **changes}


def mistakes(**changes: Any) -> list[str]:
    with pytest.raises(InputError) as error:
        parse(document(**changes), Path("/nowhere"))
    return str(error.value).splitlines()


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "run.yaml"
    references = [{"name": "real", "stack": "../data/a.mrc", "clean": "b.mrc"}]
    file.write_text(yaml.safe_dump(document(references=references)))
    config = load(file)
    assert config.dataset.folder == tmp_path / "sub" / "out"
    assert config.references[0].stack == tmp_path / "data" / "a.mrc"


def test_stored_configuration_reads_back_equal(tmp_path: Path) -> None:
    config = parse(document(), tmp_path)
    stored = tmp_path / "elsewhere" / "config.yaml"
    stored.parent.mkdir()
    stored.write_text(dump(config))
    assert load(stored) == config


def test_angles_of_a_range_include_both_ends() -> None:
    config = parse(document(), Path("/nowhere"))
    np.testing.assert_allclose(draw_acquisition(config, "any").tilt_angles, [-60, -30, 0, 30, 60])


def test_every_mistake_is_one_line() -> None:
    lines = mistakes(
        dataset={"folder": "out", "seed": -1, "sede": 3},
        style={"pooling": "median", "iterations": 0, "step_sise": 1},
    )
    assert len(lines) == 5
    assert any("style.step_sise: there is no such key; did you mean 'step_size'?" in line for line in lines)
    assert any(line.startswith("dataset.seed:") for line in lines)
    assert any("dataset.sede: there is no such key; did you mean 'seed'?" in line for line in lines)
    assert any(line.startswith("style.pooling:") and "'median'" in line for line in lines)
    assert any(line.startswith("style.iterations:") for line in lines)


def test_broken_package_of_a_method_disturbs_only_files_that_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRANSFER_METHODS._targets, "broken", "no_such_package:METHOD")
    parse(document(style={"weights": "random"}), Path("/nowhere"))
    [line] = mistakes(style={"method": "broken"})
    assert "'broken' cannot be loaded from no_such_package:METHOD" in line


ACQUISITION = document()["acquisition"]
HUGE = ACQUISITION | {"detector_px": [32768, 32768], "pixel_size_A": 1}
SPECIMEN = document()["specimen"]
DENSE = {"thickness_A": 9000, "species": [{"name": "boot", "density_per_um3": 1e9, "labelled": False}]}
CROWD = [{"name": "comma", "share": 1}, {"name": "anvil", "share": 2}]
CROWDED = {"thickness_A": 1000, "species": [{"name": "propeller", "count": 3}]}
TWO = [{"kind": "simulated", "name": "a"}, {"kind": "simulated", "name": "b"}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"acquisition": ACQUISITION | {"tilt_angles": [0, 2, 1]}}, "must increase"),
        ({"acquisition": ACQUISITION | {"tilt_angles": [0, 1, 1]}}, "have the same angle"),
        ({"acquisition": ACQUISITION | {"tilt_angles": []}}, "empty"),
        ({"acquisition": ACQUISITION | {"tilt_angles": [-95, 0]}}, "lie between -90° and 90°, not at either"),
        (
            {"acquisition": ACQUISITION | {"tilt_angles": {"start_deg": 0, "stop_deg": 10, "step_deg": 3}}},
            "divide",
        ),
        ({"acquisition": ACQUISITION | {"detector_px": [64, 16]}}, "at least 32 x 32"),
        (
            {"acquisition": {k: v for k, v in ACQUISITION.items() if k != "pixel_size_A"}},
            "pixel_size_A: is missing",
        ),
        ({"references": []}, "references"),
        (
            {"references": [{"kind": "simulated", "name": "a"}, {"kind": "simulated", "name": "a"}]},
            "more than once",
        ),
        ({"references": [{"kind": "photograph", "name": "a"}]}, "'photograph'"),
        (
            {
                "references": [
                    {"kind": "simulated", "name": "a"},
                    {"kind": "blend", "name": "b", "weights": {"c": 1}},
                ]
            },
            "'c'",
        ),
        ({"references": [{"name": "real", "stack": "a.mrc"}], "noise": {"statistics": "paired"}}, "clean"),
        ({"noise": {"statistics": "given"}}, "given"),
        ({"specimen": {"thickness_A": 1000, "species": [{"name": "unicorn", "count": 1}]}}, "unicorn"),
        (
            {"specimen": {"thickness_A": 1000, "species": [{"name": "propeller", "count": 0}]}},
            "zero particles",
        ),
        ({"specimen": {"thickness_A": 1000}}, "zero particles"),
        ({"specimen": {"thickness_A": 1000, "species": [{"name": "propeller"}]}}, "count and density"),
        (
            {"specimen": CROWDED | {"crowding": {"fraction": 0.7, "species": CROWD}}},
            "crowding: fraction is 0.7",
        ),
        ({"specimen": CROWDED | {"crowding": {"fraction": 0.2}}}, "specimen.crowding.species: is missing"),
        (
            {"specimen": CROWDED | {"crowding": {"fraction": 0.2, "species": [{"name": "boot"}]}}},
            "share in crowding",
        ),
        ({"specimen": CROWDED | {"species": CROWD}}, "move it to crowding.species"),
        ({"specimen": CROWDED | {"distractors": {"shapes": 0}}}, "shapes is 0"),
        ({"specimen": {"thickness_A": 1000, "species": [{"name": "propeller", "count": [5, 2]}]}}, "count"),
    ],
)
def test_mistake_is_named(changes: dict[str, Any], expected: str) -> None:
    lines = mistakes(**changes)
    assert any(expected in line for line in lines), lines


@pytest.mark.parametrize("text", ["a: [1, 2", "- 1\n- 2", "\tx: 1"])
def test_document_without_sections_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(InputError):
        load(file)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml"):
        load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reconstruction": {"of": ["faket"]}}, "reconstruction.modalities"),
        ({"reconstruction": {"every": 2}}, "reconstruction.tilt_stride"),
        ({"reconstruction": {"binning_after": 2}}, "reconstruction.post_binning"),
        ({"noise": {"average": "own"}}, "noise.fit_over: all_references or own_reference"),
        ({"style": {"start": "spectral"}}, "style.noise: white or spectral"),
        ({"style": {"preset": "recorded", "start": "noisy"}}, "style.noise: white or spectral"),
        ({"style": {"reference_size": "shrink"}}, "'fit_to_tilt'"),
    ],
)
def test_keys_of_version_1_are_refused_with_the_new_name(changes: dict[str, Any], expected: str) -> None:
    [line] = mistakes(**changes)
    assert "since version 2 of the run file" in line
    assert line.endswith(expected)


@pytest.mark.parametrize("version", [1, 3, "2", None])
def test_unknown_version_is_refused_alone(version: object) -> None:
    [line] = mistakes(version=version, style={"start": "noisy"})
    assert line.startswith(
        f"version: run files of version {version!r} cannot be read, only those of version 2"
    )


def test_stored_configuration_states_its_version() -> None:
    assert dump(parse(document(), Path("/nowhere"))).startswith("version: 2\n")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"specimen": {"kind": "volume", "volumes": [{"density": 1}]}}, "specimen.volumes.0.density"),
        ({"specimen": {"kind": "volume", "volume": "a.mrc"}}, "specimen.volume"),
        ({"references": [{"name": "a", "stack": "a.mrc", "mask": 3}]}, "references.0.mask"),
        (
            {"references": [{"kind": "blend", "name": "a", "weights": {"blend": -1}}]},
            "references.0.weights.blend",
        ),
        ({"style": {"style_layers": {6: -1}}}, "style.style_layers"),
        ({"style": {"style_layers": {6: "much"}}}, "style.style_layers.6"),
        ({"style": {"tile": 17}}, "style.tile"),
        ({"outputs": {"modalities": ["faket", "fakets"]}}, "outputs.modalities.1"),
        ({"acquisition": ACQUISITION | {"tilt_angles": {"start": 0}}}, "acquisition.tilt_angles.start"),
    ],
)
def test_mistakes_are_located_by_keys_alone(changes: dict[str, Any], place: str) -> None:
    places = [line.split(": ")[0] for line in mistakes(**changes)]
    assert place in places
    assert all(
        set(located.split(".")).isdisjoint({"int", "AngleRange", "built", "tilt_series"})
        for located in places
    )


def test_published_settings_are_the_defaults() -> None:
    settings = parse(document(), Path("/nowhere")).style.settings
    assert (settings.step_size, settings.decay, settings.iterations, settings.content_weight) == (
        0.15,
        0.99,
        1,
        1.0,
    )
    assert settings.style_layers == {1: 256, 6: 64, 11: 16, 20: 4, 29: 1}
    assert settings.content_layers == {8: 1.0}


def test_shipped_run_files_are_valid() -> None:
    files = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))
    files = [file for file in files if "\ndataset:" in file.read_text()]  # others are of studies
    assert files
    for file in files:
        assert isinstance(load(file), RunConfig)


def test_noise_statistics_follow_from_the_references() -> None:
    recorded = {"name": "real", "stack": "a.mrc"}
    clean = {"name": "known", "stack": "b.mrc", "clean": "c.mrc"}
    simulated = {"kind": "simulated", "name": "made"}

    def statistics(*references: dict[str, Any], **sections: Any) -> str:
        return parse(document(references=list(references), **sections), Path("/nowhere")).noise.statistics

    for published in ({"style": {"preset": "published"}}, {"signal": {"ctf": "none"}}):
        assert statistics(clean, simulated, **published) == "paired"
        assert statistics(recorded, **published) == "unpaired"
        assert statistics(clean, recorded, simulated, **published) == "unpaired"
    assert statistics(simulated) == statistics(recorded, style={"preset": "matched"}) == "auto"
    assert statistics(recorded, noise={"statistics": "unpaired"}) == "unpaired"


def test_published_preset_alone_switches_contrast_transfer_off() -> None:
    def ctf(**sections: Any) -> Any:
        return parse(document(**sections), Path("/nowhere")).signal.ctf

    assert ctf(style={"preset": "published"}) == ctf(style={"method": "published"}) == "none"
    assert ctf() == ctf(style={"preset": "matched"}) == ctf(style={"noise": "spectral"}) == "auto"
    assert ctf(style={"preset": "published"}, signal={"ctf": "reference"}) == "reference"
    assert ctf(signal={"ctf": {"defocus_um": [2, 4]}}).defocus_um == (2, 4)


def test_projector_follows_from_the_style() -> None:
    def projector(style: Any = None, **acquisition: Any) -> Projector:
        made = document() if style is None else document(style=style)
        made["acquisition"] |= acquisition
        config = parse(made, Path("/nowhere"))
        assert parse(yaml.safe_load(dump(config)), Path("/nowhere")) == config
        return config.acquisition.projector

    assert projector(style={}) is Projector.PIXEL
    assert projector(style={"preset": "published"}) is Projector.BILINEAR
    assert projector(style={"preset": "matched"}) is Projector.PIXEL
    assert projector(style={"preset": "recorded"}) is Projector.PIXEL
    assert projector(style={"method": "matched"}) is Projector.PIXEL
    assert projector(style={"preset": "matched"}, projector="bilinear") is Projector.BILINEAR
    assert projector(projector="pixel") is Projector.PIXEL


def test_voxels_are_those_that_the_projector_needs() -> None:
    for projector, sampling in (("pixel", Sampling.AVERAGED), ("bilinear", Sampling.SMOOTHED)):
        made = document()
        made["acquisition"]["projector"] = projector
        config = parse(made, Path("/nowhere"))
        assert config.acquisition.sampling is sampling


def test_unpaired_statistics_of_beads_in_ice_are_refused() -> None:
    """Their spectrum is that of noise."""
    beads = {
        "specimen": {"thickness_A": 600, "species": [], "fiducials": {"count": 4}},
        "style": {"preset": "published"},
    }
    recorded = {"references": [{"name": "real", "stack": "a.mrc"}]}
    [line] = mistakes(**beads, **recorded)
    assert "noise.statistics" in line
    assert "add species, membranes or filaments, or write `statistics: given`" in line
    given = {"noise": {"statistics": "given", "given": {"signal_scale": [0.2], "noise_scale": [0.9]}}}
    for more in ({}, given):
        assert parse(document(**beads, **(recorded if more else {}), **more), Path("/nowhere"))


def test_keys_beside_a_preset_override_it() -> None:
    style = parse(document(style={"preset": "recorded", "iterations": 2}), Path("/nowhere")).style
    assert (style.noise, style.settings.scaling, style.settings.iterations) == ("spectral", "tilt", 2)
    published = parse(document(style={"preset": "published"}), Path("/nowhere"))
    assert published.style.settings == parse(document(), Path("/nowhere")).style.settings
    assert (published.style.method, published.style.noise) == ("published", "white")
    assert any("published, recorded, matched" in line for line in mistakes(style={"preset": "best"}))


def test_keys_of_another_method_are_refused() -> None:
    style = parse(document(style={"preset": "matched", "evaluations": 5}), Path("/nowhere")).style
    assert (style.method, style.noise, style.transfer.evaluations) == ("matched", "spectral", 5)
    assert set(style.transfer.layers) == set(style.transfer.style_layers) == {1, 6, 11, 20, 29}
    for key, value in {"iterations": 3, "content_weight": 0.1, "scaling": "tilt", "decay": 0.5}.items():
        [line] = mistakes(style={"preset": "matched", key: value})
        assert key in line
        assert "published" in line
    [line] = mistakes(style={"evaluations": 5})
    assert "evaluations" in line
    assert "matched" in line


@pytest.mark.parametrize("name", ["TS_01", "a_", "tomo-1.2", "7", "x" * 100])
def test_names_of_references_may_hold_single_underscores(name: str) -> None:
    config = parse(document(references=[{"kind": "simulated", "name": name}]), Path("/nowhere"))
    assert config.references[0].name == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("TS__01", "two underscores in a row"),
        ("_a", "must begin with a letter or a digit"),
        ("", "must begin with a letter or a digit"),
        ("a b", "holds ' '"),
        ("a/b", "holds '/'"),
        ("ä", "holds 'ä'"),
        ("x" * 101, "has 101 characters"),
    ],
)
def test_impossible_name_is_one_mistake_in_plain_words(name: str, reason: str) -> None:
    [line] = mistakes(references=[{"kind": "simulated", "name": name}])
    assert line.startswith("references.0.name: ")
    assert reason in line


def test_number_in_place_of_a_name_is_quoted_as_written(tmp_path: Path) -> None:
    sections = yaml.safe_dump(document(references="REFERENCES"))
    file = tmp_path / "run.yaml"
    file.write_text(sections.replace("REFERENCES", "[{kind: simulated, name: 0x54}]"))
    with pytest.raises(
        InputError, match=r"references.0.name: without quotes, YAML reads 0x54 as the number 84; write"
    ):
        load(file)
    file.write_text(sections.replace("REFERENCES", "[{kind: simulated, name: 00254}]"))
    assert load(file).references[0].name == "00254"


def test_numbers_are_read_as_they_look(tmp_path: Path) -> None:
    sections = yaml.safe_dump(document(style="STYLE", dataset="DATASET", references="REFERENCES"))
    file = tmp_path / "run.yaml"
    file.write_text(
        sections.replace("STYLE", "{content_weight: 1e-3}")
        .replace("DATASET", "{folder: out, seed: 010}")
        .replace(
            "REFERENCES", "[{name: no, stack: a.mrc, align: yes}, {name: 1e79, stack: b.mrc, align: off}]"
        )
    )
    config = load(file)
    assert (config.style.settings.content_weight, config.dataset.seed) == (1e-3, 10)
    assert [(reference.name, reference.align) for reference in config.references] == [
        ("no", True),
        ("1e79", False),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"acquisition": ACQUISITION | {"detector_px": [40920, 57600]}}, "more than any detector has"),
        ({"acquisition": ACQUISITION | {"pixel_size_A": 0.001}}, "pixel_size_A: must be at least 0.1"),
        (
            {
                "acquisition": ACQUISITION
                | {"tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 1e-7}}
            },
            "1.2e+09 tilts; a series has at most 2000",
        ),
        ({"acquisition": ACQUISITION | {"tilt_angles": [0.01 * n for n in range(2001)]}}, "too many entries"),
        ({"acquisition": ACQUISITION | {"tilt_angles": [0, 1e-5]}}, "have the same angle"),
        ({"acquisition": ACQUISITION | {"tilt_angles": [-90, 0]}}, "not at either"),
        ({"specimen": SPECIMEN | {"count": 100_000_000}}, "specimen.count: must be at most 10000"),
        ({"specimen": SPECIMEN | {"thickness_A": 1e9}}, "specimen.thickness_A: must be at most 1e+06"),
        (
            {"specimen": SPECIMEN | {"thickness_A": 1e6, "width_factor": 100}, "acquisition": HUGE},
            "voxels (x y z)",
        ),
        ({"specimen": SPECIMEN | {"width_factor": 1e6}}, "specimen.width_factor: must be at most 100"),
        ({"specimen": SPECIMEN | {"spacing_A": 1e300}}, "specimen.spacing_A: must be at most"),
        (
            {"specimen": SPECIMEN | {"species": [{"name": "boot", "count": 10**12}]}},
            "must be at most 1000000",
        ),
        (
            {"specimen": DENSE},
            "objects are requested, and at most 1000000",
        ),
        (
            {"specimen": SPECIMEN | {"count": 6000}, "pairing": "all", "references": TWO},
            "12000 series; a data set has at most 10000",
        ),
        (
            {
                "reconstruction": {"modalities": ["faket"], "thickness_A": 1e6},
                "acquisition": HUGE,
                "specimen": SPECIMEN | {"thickness_A": 100, "width_factor": 1},
            },
            "a tomogram has at most",
        ),
        (
            {
                "acquisition": ACQUISITION | {"tilt_angles": [-89.9, 0]},
                "specimen": SPECIMEN | {"thickness_A": 3000},
            },
            "at 89.9° no electrons pass",
        ),
        ({"dataset": {"folder": "out", "seed": True}}, "dataset.seed: true and false are no numbers"),
    ],
)
def test_sizes_are_bounded_before_anything_is_allocated(changes: dict[str, Any], expected: str) -> None:
    tracemalloc.start()
    [line] = mistakes(**changes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert expected in line
    assert peak < 5 * 2**20


@pytest.mark.parametrize("modalities", [["benchmark"], []])
def test_references_are_needed_by_modalities_with_style_alone(modalities: list[str]) -> None:
    outputs = {"modalities": modalities}
    assert parse(document(references=[], outputs=outputs), Path("/nowhere")).references == ()
    [line] = mistakes(references=[], outputs={"modalities": [*modalities, "noisy"]})
    assert line == (
        "references: the list is empty, and 'noisy' of outputs.modalities needs one; give a reference, or keep only "
        "benchmark"
    )


def test_sources_of_the_crowd_are_relative_to_the_run_file(tmp_path: Path) -> None:
    (tmp_path / "model.pdb").touch()
    crowd = [{"name": "model", "source": "model.pdb", "share": 1}, *CROWD]
    changed = document(specimen=CROWDED | {"crowding": {"fraction": 0.2, "species": crowd}})
    config = parse(changed, tmp_path)
    assert config.specimen.crowding.species[0].source == (str(tmp_path / "model.pdb"),)
    assert [species.name for species in config.specimen.all_species] == [
        "propeller",
        "model",
        "comma",
        "anvil",
    ]
    assert parse(yaml.safe_load(dump(config)), tmp_path) == config
