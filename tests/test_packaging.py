"""Metadata agree: lists of packages, version, changelog."""

import re
import tomllib
from pathlib import Path

import yaml

from faket_dask import __version__

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"msgpack": "msgpack-python", "torch": "pytorch"}


def normalise(requirement: str) -> str:
    name, bound = re.fullmatch(r"([A-Za-z0-9_.-]+)(.*)", requirement).groups()
    name = name.lower()
    return CONDA_NAMES.get(name, name) + bound


def test_environment_lists_requirements_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        required += extra
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert {normalise(item) for item in required} | {"python" + project["requires-python"]} == set(
        environment
    )


def test_every_requirement_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [item for extra in project["optional-dependencies"].values() for item in extra]
    assert all(">=" in item for item in project["dependencies"] + extras)


def test_citation_has_the_current_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == __version__


def test_changelog_has_the_current_version() -> None:
    headings = re.findall(r"^## \[?([\w.]+)\]?", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0] == "Unreleased" or headings[0] == __version__
    assert __version__ in headings


def test_commit_hooks_run_the_commands_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    [local] = [repository["hooks"] for repository in hooks if repository["repo"] == "local"]
    entries = {hook["entry"].split()[0] for hook in local}
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    assert recipe
    assert set(re.findall(r"\$\(BIN\)/(\S+)", recipe.group(1))) <= entries
