"""Messages about mistakes: plain words, one line for each mistake, whatever is written where."""

import copy
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faket_dask.cluster.profile import Profile, load_profile
from faket_dask.config import RunConfig, load
from faket_dask.documents.section import Section
from faket_dask.errors import InputError

JARGON = (
    *("validation", "tuple", "pattern", "pydantic", "Input should", "input should", "regex", "NoneType"),
    *(
        "dict",
        "unable to",
        "discriminator",
        "Value error",
        "type=",
        "constrained",
        "function-",
        "literal",
        "[key]",
    ),
    *("float", "str ", "bool", "Ellipsis", "typing.", "<class"),
)

RUN_FILE: dict[str, Any] = {
    "version": 2,
    "dataset": {"folder": "out", "seed": 1},
    "specimen": {
        "kind": "built",
        "count": 1,
        "thickness_A": 1000,
        "width_factor": 1.5,
        "species": [{"name": "propeller", "count": 3, "labelled": True, "map_potential_V": 2.0}],
        "membranes": [{"kind": "vesicle", "count": 1, "radius_A": [250, 300], "deformation": 0.1}],
        "fiducials": {"count": 1, "diameter_A": 100},
        "ice_texture": 1,
        "spacing_A": 10,
        "balanced": False,
    },
    "acquisition": {
        "tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 30},
        "pixel_size_A": 10,
        "detector_px": [64, 64],
    },
    "microscope": {"voltage_kV": 300, "defocus_um": [2, 3], "dose_e_per_A2": 2, "tilt_order": "increasing"},
    "references": [
        {"kind": "simulated", "name": "ref"},
        {"kind": "blend", "name": "mix", "weights": {"ref": 1}},
    ],
    "pairing": "all",
    "noise": {"statistics": "given", "given": {"signal_scale": [0.2], "noise_scale": [0.9]}, "order": 2},
    "style": {"preset": "published", "style_layers": {1: 1}, "tile": 64, "iterations": 1, "pooling": "max"},
    "reconstruction": {"modalities": ["faket"], "filter": "ramp", "binning": 1, "thickness_A": 500},
    "outputs": {"modalities": ["faket"], "report": False, "splits": {"train": 1}},
    "cluster": {"workers": 2, "retries": 1},
}

VOLUMES: dict[str, Any] = RUN_FILE | {
    "specimen": {
        "kind": "volume",
        "volumes": [{"density": "a.mrc", "class_mask": "b.mrc", "voxel_size_A": 10}],
    },
    "references": [
        {
            "name": "real",
            "stack": "a.mrc",
            "tilt_angles": [-60, 0, 60],
            "align": False,
            "mask": "none",
            "pixel_size_A": 10,
        }
    ],
    "acquisition": {"tilt_angles": [-60, 0, 60], "pixel_size_A": [10, 10.1], "detector_px": [64, 64]},
}

PROFILE: dict[str, Any] = {
    "system": "slurm",
    "workers": 2,
    "memory": "64GiB",
    "gpu": {"memory": "40GiB", "per_job": 1},
    "walltime": "01:00:00",
    "job_extra_directives": ["-A me"],
    "scheduler_options": {"host": "here"},
    "log_directory": "logs",
}

READERS = {"run file": (RUN_FILE, load), "volumes": (VOLUMES, load), "profile": (PROFILE, load_profile)}

wrong_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [10**30, -(10**30), 10**12, 1e300, -1e300, 1e-300, float("inf"), float("nan"), 0, -1, 2.5]
    ),
    st.sampled_from(
        ["", "yes", "none", "TS_01", "a__b", "1e-3", "3,5", "010", "ä", "{x}", "a" * 300, "24:00:00"]
    ),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Z"]), max_size=8),
    st.just([]),
    st.just({}),
    st.lists(st.one_of(st.integers(-5, 5), st.just("x"), st.none(), st.just([1])), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["kind", "name", "start_deg", "x", 5]), st.integers(), max_size=3),
)


def list_places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value below another."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield (*place, key)
        yield from list_places(inner, (*place, key))


def replace(document: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy with another value at a place."""
    changed = copy.deepcopy(document)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


def read(kind: str, folder: Path, document: Any) -> list[str]:
    """Return the messages about a document, of which there may be none."""
    path = folder / "file.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    try:
        READERS[kind][1](path)
    except InputError as error:
        return [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
    return []


def check_words(lines: list[str]) -> None:
    for line in lines:
        assert line.strip()
        said = line.split(" (got ")[0].replace("bfloat16", "").replace("float32", "")
        assert not any(word in said for word in JARGON), line
    places = [line.split(": ")[0] for line in lines]
    assert len(set(lines)) == len(lines)
    for place in places:
        # No mistake is told again at what holds it.
        assert not any(other.startswith(f"{place}.") for other in places), lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


@pytest.mark.parametrize("kind", READERS)
def test_the_valid_document_is_accepted(kind: str, folder: Path) -> None:
    document = READERS[kind][0]
    if kind == "volumes":
        document = replace(document, ("noise",), {})
        document = replace(document, ("reconstruction",), {})
    assert read(kind, folder, document) == []


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_wrong_value_is_explained_in_plain_words(kind: str, folder: Path, data: st.DataObject) -> None:
    document = READERS[kind][0]
    place = data.draw(st.sampled_from(list(list_places(document))))
    value = data.draw(wrong_values)
    tracemalloc.start()
    lines = read(kind, folder, replace(document, place, value))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    check_words(lines)
    assert peak < 50 * 2**20


def list_keys(model: type[Section]) -> list[str]:
    return list(model.key_types())


@pytest.mark.parametrize("section", [key for key in RunConfig.model_fields if key != "version"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_key_of_any_section_may_be_wrong(section: str, folder: Path, data: st.DataObject) -> None:
    kind = RunConfig.model_fields[section].annotation
    fields = list_keys(kind) if isinstance(kind, type) and issubclass(kind, Section) else ["name", "kind"]
    chosen = data.draw(st.dictionaries(st.sampled_from(fields), wrong_values, min_size=1, max_size=3))
    check_words(read("run file", folder, replace(RUN_FILE, (section,), chosen)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.dictionaries(st.sampled_from(list_keys(Profile)), wrong_values, min_size=1, max_size=3))
def test_any_key_of_a_profile_may_be_wrong(folder: Path, chosen: dict[str, Any]) -> None:
    check_words(read("profile", folder, PROFILE | chosen))
