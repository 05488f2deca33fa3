"""The picture of the packages is the one that the imports give."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_script(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("draw_architecture")


def test_committed_picture_is_up_to_date(script: ModuleType) -> None:
    assert script.PICTURE.read_text(encoding="utf-8") == script.render(), "run `make architecture`"


def test_implied_edges_are_removed(script: ModuleType) -> None:
    edges = {("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("a", "e")}
    assert script.remove_implied(edges) == edges - {("a", "d")}


def test_nodes_keep_their_order_and_distance(script: ModuleType) -> None:
    places = script.space_nodes(["a", "b", "c"], [0.0, 0.0, 0.0])
    assert places["b"] == 0
    assert places["c"] - places["b"] == places["b"] - places["a"] == script.BOX_WIDTH + script.BOX_GAP


def test_edges_avoid_the_rows_they_pass(script: ModuleType) -> None:
    layers = [["a"], ["b"], ["c"]]
    places = script.arrange(layers, {("a", "b"), ("b", "c"), ("a", "c")})
    waypoint = script.Waypoint(("a", "c"), 1)
    assert abs(places[waypoint] - places["b"]) >= script.BOX_WIDTH / 2


def test_architecture_page_names_every_package(script: ModuleType) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = [name for layer in script.read_layers(ROOT / "pyproject.toml") for name in layer]
    assert [name for name in packages if f"`{name}`" not in page] == []
