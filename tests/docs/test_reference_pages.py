"""The generated reference pages name every key, command and module."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from faket_dask.cluster.profile import Profile
from faket_dask.config import RunConfig
from tests.docs.test_architecture import load_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    return load_script("generate_pages")


def test_run_file_page_has_every_key_of_every_section(pages: ModuleType) -> None:
    text = pages.run_file_page()
    for path, section in pages.nested_sections(RunConfig):
        table = text.split(f"({pages._anchor(section)})=")[1].split("\n(section-")[0]
        for key in pages.list_keys(section):
            assert f"| `{key.name}` |" in table, f"{path}.{key.name}"


def test_run_file_page_links_only_to_sections_it_has(pages: ModuleType) -> None:
    text = pages.run_file_page()
    assert set(re.findall(r"\(#(section-\w+)\)", text)) <= set(
        re.findall(r"^\((section-\w+)\)=", text, flags=re.M)
    )


def test_units_come_from_the_ends_of_key_names(pages: ModuleType) -> None:
    text = pages.run_file_page()
    assert re.search(r"\| `voltage_kV` \| number ≥ 1(\.0)?, ≤ 10000(\.0)? \| kV \|", text)
    assert "| `dose_e_per_A2` |" in text
    assert "| e⁻/Å² |" in text


def test_commands_page_has_every_command_and_option(pages: ModuleType) -> None:
    text = pages.commands_page()
    for command in (
        "run",
        "plan",
        "status",
        "validate",
        "export",
        "import series",
        "weights fetch",
        "benchmark",
    ):
        assert f"## faket-dask {command}\n" in text
    assert "`--cluster`" in text
    assert "`--pixel-size-A`" in text
    assert "| `FOLDER` | path | *required* |" in text


def test_every_module_has_its_place_in_the_api_reference(pages: ModuleType) -> None:
    text = "\n".join(pages.api_pages().values())
    modules = [pages.module_name(path) for path in (ROOT / "faket_dask").rglob("*.py")]
    public = [name for name in modules if not any(part.startswith("_") for part in name.split("."))]
    documented = set(re.findall(r"automodule:: (\S+)", text))
    assert set(public) - documented == {"faket_dask"}


def test_links_of_root_pages_point_at_files(pages: ModuleType) -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#\s]+)\)", pages.root_page(name)):
            if not target.startswith("http"):
                generated = {"quick_start.md", "contributing.md", "changelog.md"}
                assert target in generated or (ROOT / "docs" / target).is_file(), (name, target)


def test_every_key_has_a_description(pages: ModuleType) -> None:
    undescribed = [
        f"{path}.{key.name}".lstrip(".")
        for root in (RunConfig, Profile)
        for path, section in pages.nested_sections(root)
        for key in pages.list_keys(section)
        if not key.description and key.name != "kind"
    ]
    assert undescribed == []
