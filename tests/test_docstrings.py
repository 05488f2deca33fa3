"""Docstrings are there and begin as docs/style.md says; read from the sources, nothing is imported."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "faket_dask"

RELATIVE_WORDS = "What|That|Of|Whether"
SENTENCE = re.compile(rf"(?:^\s*|[.!?]\s+)((?:{RELATIVE_WORDS})\b[^.]{{,60}})", flags=re.MULTILINE)
"""A sentence at the beginning of a line or within a paragraph."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Docstring(NamedTuple):
    """Text about a name, and where it stands."""

    place: str
    text: str | None


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def packages() -> list[str]:
    folders = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    return sorted([*folders, "."])


def modules(package: str) -> list[Path]:
    return sorted(PACKAGE.glob("*.py") if package == "." else (PACKAGE / package).rglob("*.py"))


def public_definitions(
    body: list[ast.stmt], owner: ast.ClassDef | None = None
) -> Iterator[tuple[str, Definition]]:
    """Iterate over public functions, classes and methods, each with its class where it has one."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            if not (owner and is_inherited(owner, node.name)) and not is_overload_or_setter(node):
                yield f"{owner.name}.{node.name}" if owner else node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, node)


def is_overload_or_setter(node: Definition) -> bool:
    names = {getattr(decorator, "attr", getattr(decorator, "id", "")) for decorator in node.decorator_list}
    return bool(names & {"overload", "setter"})


@cache
def classes() -> dict[str, ast.ClassDef]:
    """All classes of the package by name."""
    trees = [parse(path) for path in PACKAGE.rglob("*.py")]
    return {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def is_inherited(owner: ast.ClassDef, method: str) -> bool:
    """Tell whether a base class in the package documents a method of this name."""
    for base in owner.bases:
        name = base.value if isinstance(base, ast.Subscript) else base
        parent = classes().get(getattr(name, "attr", getattr(name, "id", "")))
        if parent is not None and parent is not owner:
            own = [node for node in parent.body if isinstance(node, Definition) and node.name == method]
            if any(map(ast.get_docstring, own)) or is_inherited(parent, method):
                return True
    return False


def docstrings(path: Path) -> Iterator[Docstring]:
    """Iterate over the docstrings of a module, its definitions, and its documented attributes, private ones too."""
    place = path.relative_to(ROOT)
    tree = parse(path)
    yield Docstring(f"{place}:1", ast.get_docstring(tree))
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            yield Docstring(f"{place}:{node.lineno} {node.name}", ast.get_docstring(node))
        body = getattr(node, "body", [])
        if isinstance(node, ast.Module | ast.ClassDef):
            for before, after in itertools.pairwise(body):
                value = getattr(after, "value", None)
                text = value.value if isinstance(value, ast.Constant) else None
                if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(text, str):
                    yield Docstring(f"{place}:{after.lineno}", text)


@pytest.mark.parametrize("package", packages())
def test_public_names_have_docstrings(package: str) -> None:
    missing = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in modules(package)
        for name, node in public_definitions(parse(path).body)
        if ast.get_docstring(node) is None
    ]
    assert missing == []


@pytest.mark.parametrize("package", packages())
def test_modules_have_docstrings(package: str) -> None:
    missing = [str(path.relative_to(ROOT)) for path in modules(package) if not ast.get_docstring(parse(path))]
    assert missing == []


@pytest.mark.parametrize("package", packages())
def test_no_sentence_begins_with_a_relative_word(package: str) -> None:
    offending = [
        f"{place}: {sentence}"
        for path in modules(package)
        for place, text in docstrings(path)
        for sentence in SENTENCE.findall(text or "")
    ]
    assert offending == []
