"""Generate the reference pages of the documentation: run file, cluster profile, commands, API and front page.

    python docs/generate_pages.py

Sphinx calls `write_pages` before each build (`docs/conf.py`). The pages lie under `docs/reference` and, as they follow
from the code, are not kept in the repository.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.models import ArgumentInfo, OptionInfo

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "faket_dask"

UNITS = {
    "_e_per_A2": "e⁻/Å²",
    "_GiB": "GiB",
    "_deg": "degrees",
    "_um": "µm",
    "_mm": "mm",
    "_kV": "kV",
    "_V": "V",
    "_per_um3": "µm⁻³",
    "_px": "pixels",
    "_A": "Å",
    "_s": "s",
    "_percent": "%",
}
"""Unit of a key by the end of its name."""

NUMBER_NAMES = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "path"}
BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "multiple_of": "multiple of"}


def write_pages(docs: Path) -> None:
    """Write all generated pages.

    Parameters
    ----------
    docs
        Folder of the documentation's sources.
    """
    target = docs / "reference"
    (target / "api").mkdir(parents=True, exist_ok=True)
    pages = {
        docs / "quick_start.md": root_page("README.md"),
        docs / "contributing.md": root_page("CONTRIBUTING.md"),
        docs / "changelog.md": root_page("CHANGELOG.md"),
        target / "run_file.md": run_file_page(),
        target / "study_file.md": study_file_page(),
        target / "cluster_profile.md": cluster_profile_page(),
        target / "commands.md": commands_page(),
    }
    packages = sorted(api_pages().items())
    pages |= {target / "api" / f"{name}.rst": text for name, text in packages}
    pages[target / "api" / "index.rst"] = api_index([name for name, _ in packages])
    for path in (target / "api").glob("*.rst"):
        if path not in pages:
            path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# --- Pages from the repository's root -----------------------------------------------------------------------------


def root_page(name: str) -> str:
    """Return a Markdown file of the repository's root as a page of the documentation: same text, links adapted."""
    return relocate_links((ROOT / name).read_text(encoding="utf-8"))


def relocate_links(text: str) -> str:
    """Rewrite links of a file in the repository's root to be relative to the documentation's folder.

    Links to pages of the documentation become links between pages, links to other files become downloads, and links to
    folders become plain names.

    Examples
    --------
    >>> relocate_links("[method](docs/method.md), [profiles](configs/cluster)")
    '[method](method.md), `profiles`'
    """

    def relocate(match: re.Match[str]) -> str:
        label, target = match.groups()
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return match.group(0)
        if (ROOT / path).is_dir():
            return f"`{label}`"
        suffix = f"#{anchor}" if anchor else ""
        if path.startswith("docs/"):
            return f"[{label}]({path.removeprefix('docs/')}{suffix})"
        if path.endswith(".md"):
            return f"[{label}]({Path(path).stem.lower()}.md{suffix})"
        return f"[{label}](../{path})"

    return re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", relocate, text)


# --- Run file and cluster profile --------------------------------------------------------------------------------


class Key(NamedTuple):
    """One key of a section."""

    name: str
    annotation: Any
    default: Any
    """Value of a key that is left out; `PydanticUndefined` for a required key."""

    bounds: str
    description: str


def run_file_page() -> str:
    """Return the reference of the run file's sections and keys, in Markdown."""
    from faket_dask.config import RunConfig

    return "\n".join(
        [
            "# Run file",
            "",
            "A run file is a YAML document of the sections below. Unknown keys are errors, relative paths start from",
            "the folder of the file, and every default is written out in the `config.yaml` of a data set.",
            "`faket-dask validate FILE` reports every mistake in one line.",
            "",
            "A run file is YAML, read as it looks: `010` is ten, `1e-3` a number, `no` and `24:00:00` text where",
            "text is wanted. A key given twice is an error. `validate` refuses sizes with a digit too many before",
            "anything is allocated: beyond 32768 pixels along a side of the detector, 2000 tilts, 10000 series,",
            "2³⁸ voxels, 10⁶ objects in a specimen, and 800 points along the edge of a particle's density. Tilt",
            "angles lie between −90° and 90°, not at either; atoms at 9999 Å (a place that is not known) are left",
            "out where their occupancy is 0, and refused otherwise.",
            "",
            *_section_tables(RunConfig, "All sections"),
        ]
    )


def study_file_page() -> str:
    """Return the reference of the study file's sections and keys, in Markdown."""
    from faket_dask.config import RunConfig
    from faket_dask.config.study import StudyConfig

    shared = [section for _, section in nested_sections(RunConfig)]
    return "\n".join(
        [
            "# Study file",
            "",
            "A study file is a YAML document of the sections below, read as a [run file](run_file.md) is. Section",
            "`cluster` is that of run files. `faket-dask study plan FILE` reports every mistake in one line.",
            "",
            *_section_tables(StudyConfig, "All sections", shared),
        ]
    )


def cluster_profile_page() -> str:
    """Return the reference of a cluster profile's keys, in Markdown."""
    from faket_dask.cluster.profile import Profile

    return "\n".join(
        [
            "# Cluster profile",
            "",
            "A cluster profile is a YAML document with the keys below; defaults of keys left out come from the",
            "configuration of dask-jobqueue. `faket-dask plan FILE --cluster PROFILE` shows the jobs it would submit.",
            "",
            *_section_tables(Profile, "Keys"),
        ]
    )


def _section_tables(root: type, title: str, elsewhere: Sequence[type] = ()) -> Iterator[str]:
    """Yield the lines of one table per section, the root's first, each where it is first used.

    Sections that have their tables on other pages are left out.
    """
    for path, section in nested_sections(root):
        if section in elsewhere:
            continue
        yield f"({_anchor(section)})="
        yield f"## {path or title}"
        yield ""
        yield _markdown(section.__doc__ or "")
        yield ""
        yield "| key | type | unit | default | description |"
        yield "|---|---|---|---|---|"
        for key in list_keys(section):
            yield _key_row(key)
        yield ""


def is_section(annotation: Any) -> bool:
    """Tell whether a type is a section of a document: a pydantic model or a dataclass."""
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation))


def list_keys(section: type) -> list[Key]:
    """Return the keys of a section.

    Those of a dataclass are its fields, described by the ``Parameters`` of its docstring.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Beads:
    ...     '''Gold beads.
    ...
    ...     Parameters
    ...     ----------
    ...     count
    ...         Number of beads.
    ...     '''
    ...
    ...     count: int = 6
    >>> list_keys(Beads)
    [Key(name='count', annotation=<class 'int'>, default=6, bounds='', description='Number of beads.')]
    """
    if issubclass(section, BaseModel):
        return [
            _model_key(name, field)
            for name, field in section.model_fields.items()
            if field.annotation is not Any
        ]
    hints = typing.get_type_hints(section, include_extras=True)
    descriptions = {
        name: text for parent in reversed(section.__mro__) for name, text in _parameters(parent).items()
    }
    return [
        Key(field.name, hints[field.name], _dataclass_default(field), "", descriptions.get(field.name, ""))
        for field in fields(section)
        if field.init
    ]


def _model_key(name: str, field: FieldInfo) -> Key:
    default = PydanticUndefined if field.is_required() else field.get_default(call_default_factory=True)
    description = field.description or _summary(field.annotation)
    return Key(field.alias or name, field.annotation, default, describe_bounds(field.metadata), description)


def _dataclass_default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return PydanticUndefined if field.default_factory is MISSING else field.default_factory()


def _parameters(section: type) -> dict[str, str]:
    """Return the descriptions under ``Parameters`` in the docstring of a class, by name."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.cleandoc(section.__doc__ or ""), flags=re.MULTILINE)
    texts = dict(zip(parts[1::2], parts[2::2], strict=True))
    entries = re.findall(
        r"^(\S[^\n:]*)[^\n]*\n((?:[ \t]+[^\n]*\n?|\n)+)", texts.get("Parameters", ""), flags=re.MULTILINE
    )
    return {
        name.strip(): _markdown(" ".join(text.split()))
        for names, text in entries
        for name in names.split(",")
    }


def _summary(annotation: Any) -> str:
    """Return the first sentence about a section, where a key has no description of its own."""
    sections = list(sections_in(annotation))
    return (sections[0].__doc__ or "").strip().split("\n")[0] if len(sections) == 1 else ""


def nested_sections(root: type) -> list[tuple[str, type]]:
    """Return a section and all sections below it, each once, with the path of keys where it is used."""
    paths: dict[type, str] = {}
    pending = [("", root)]
    while pending:
        path, section = pending.pop(0)
        if section in paths:
            continue
        paths[section] = path
        below = []
        for key in list_keys(section):
            options = list(sections_in(key.annotation))
            for option in options:
                kind = [other for other in list_keys(option) if other.name == "kind"]
                suffix = f" (kind: {get_args(kind[0].annotation)[0]})" if len(options) > 1 and kind else ""
                below.append((f"{path}.{key.name}{suffix}".lstrip("."), option))
        pending = [*below, *_method_settings(section, path), *pending]
    return [(path, section) for section, path in paths.items()]


def _method_settings(section: type, path: str) -> list[tuple[str, type]]:
    """Return the settings of each transfer method, which stand beside the keys of the section `style`."""
    if not (issubclass(section, BaseModel) and {"method", "settings"} <= section.model_fields.keys()):
        return []
    from faket_dask.methods.transfer import TRANSFER_METHODS

    return [
        (f"{path} (method: {name})", TRANSFER_METHODS.get(name).settings_type)
        for name in TRANSFER_METHODS.names
    ]


def sections_in(annotation: Any) -> Iterator[type]:
    """Yield the sections that a type refers to.

    Examples
    --------
    >>> class Section(BaseModel): ...
    >>> [section.__name__ for section in sections_in(tuple[Section | None, ...])]
    ['Section']
    """
    if is_section(annotation):
        yield annotation
    for argument in get_args(annotation):
        yield from sections_in(argument)


def _key_row(key: Key) -> str:
    unit = next((unit for end, unit in UNITS.items() if key.name.endswith(end)), "")
    kind = " ".join(filter(None, (describe_type(key.annotation), key.bounds)))
    default = "*required*" if key.default is PydanticUndefined else _format_value(key.default)
    return _row(f"`{key.name}`", kind, unit, default, _markdown(key.description))


def _row(*cells: str) -> str:
    """Return one line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def describe_type(annotation: Any) -> str:
    """Return a type as a reader of YAML files would name it.

    Examples
    --------
    >>> describe_type(float | None)
    'number'
    >>> describe_type(tuple[int, int])
    '[integer, integer]'
    >>> describe_type(dict[str, tuple[float, ...]])
    'mapping of text to list of number'
    >>> describe_type(Literal["max", "average"])
    '`max`, `average`'
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        text = describe_type(arguments[0])
        bounds = describe_bounds(arguments[1:])
        return f"{text} {bounds}" if bounds else text
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        members = [describe_type(member) for member in arguments if member is not type(None)]
        return " or ".join(dict.fromkeys(members))
    if origin in (tuple, list) or (origin and origin.__name__ == "Sequence"):
        if (len(arguments) == 2 and arguments[1] is Ellipsis) or len(arguments) == 1:
            return f"list of {describe_type(arguments[0])}"
        return f"[{', '.join(map(describe_type, arguments))}]"
    if origin is dict or (origin and issubclass(origin, Mapping)):
        return f"mapping of {describe_type(arguments[0])} to {describe_type(arguments[1])}"
    if is_section(annotation):
        return f"[{annotation.__name__}](#{_anchor(annotation)})"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    return NUMBER_NAMES.get(annotation) or getattr(annotation, "__name__", str(annotation))


def describe_bounds(metadata: typing.Iterable[Any]) -> str:
    """Return the bounds of a number, such as ``≥ 0, < 1``."""
    bounds = []
    for item in metadata:
        items = getattr(item, "metadata", [item]) if isinstance(item, FieldInfo) else [item]
        for constraint in items:
            for name, sign in BOUNDS.items():
                if (limit := getattr(constraint, name, None)) is not None:
                    bounds.append(f"{sign} {limit:g}" if isinstance(limit, float) else f"{sign} {limit}")
    return ", ".join(bounds)


def _format_value(value: Any) -> str:
    """Return a default as it would be written in a run file; nothing for none."""
    if value is None:
        return ""
    if is_section(type(value)):
        return "its defaults"
    if isinstance(value, tuple | list | dict):
        return "`{}`".format(json.dumps(value, default=str).replace('"', ""))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _anchor(section: type) -> str:
    return f"section-{section.__name__.lower()}"


def _markdown(docstring: str) -> str:
    """Return the running text of a docstring, without its NumPy sections, as Markdown."""
    text = re.split(r"\n\s*\w+\n\s*-{3,}", docstring)[0]
    return "\n".join(line.strip() for line in text.strip().splitlines()).replace("``", "`")


# --- Commands ----------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Return the reference of the command line, in Markdown."""
    from faket_dask.cli import app

    lines = ["# Commands", "", str(app.info.help), ""]
    for path, command in list_commands(app, "faket-dask"):
        lines += _describe_command(path, command)
    return "\n".join(lines)


def list_commands(app: typer.Typer, path: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions behind all commands of an application, with the words that call them."""
    for command in app.registered_commands:
        assert command.callback is not None
        yield f"{path} {command.name or command.callback.__name__.replace('_', '-')}", command.callback
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from list_commands(group.typer_instance, f"{path} {group.name}")


def _describe_command(path: str, command: Callable[..., Any]) -> Iterator[str]:
    hints = typing.get_type_hints(command, include_extras=True)
    parameters = [
        (parameter, hints[name], _typer_settings(hints[name]))
        for name, parameter in inspect.signature(command).parameters.items()
    ]
    arguments = [item[0].name.upper() for item in parameters if isinstance(item[2], ArgumentInfo)]
    yield f"## {path}"
    yield ""
    yield _markdown(inspect.getdoc(command) or "")
    yield ""
    yield "```text"
    yield " ".join([path, "[OPTIONS]", *arguments])
    yield "```"
    yield ""
    yield "| parameter | type | default | description |"
    yield "|---|---|---|---|"
    for parameter, hint, settings in parameters:
        if not settings.hidden:
            yield _parameter_row(parameter, hint, settings)
    yield ""


def _typer_settings(hint: Any) -> ArgumentInfo | OptionInfo:
    settings = [
        item for item in getattr(hint, "__metadata__", ()) if isinstance(item, ArgumentInfo | OptionInfo)
    ]
    return settings[0] if settings else OptionInfo()


def _parameter_row(parameter: inspect.Parameter, hint: Any, settings: ArgumentInfo | OptionInfo) -> str:
    name = parameter.name.upper()
    if isinstance(settings, OptionInfo):
        first = (
            [settings.default] if isinstance(settings.default, str) else []
        )  # where Annotated has the names
        names = [*first, *(settings.param_decls or ())]
        name = ", ".join(names or [f"--{parameter.name.replace('_', '-')}"])
    if parameter.default is inspect.Parameter.empty:
        default = "*required*"
    elif isinstance(settings.show_default, str):
        default = f"`{settings.show_default}`"
    else:
        default = _format_value(parameter.default)
    kind = describe_type(hint)
    return _row(f"`{name}`", kind, default, settings.help or "")


# --- API ---------------------------------------------------------------------------------------------------------


def api_pages() -> dict[str, str]:
    """Return one page of reStructuredText per package (and one for the top-level modules), by name."""
    pages: dict[str, str] = {}
    for package in sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").exists()):
        modules = [module_name(path) for path in sorted(package.rglob("*.py")) if _is_public(path)]
        modules = [name for name in modules if name != f"faket_dask.{package.name}"]
        pages[package.name] = _api_page(f"faket_dask.{package.name}", modules)
    top = [module_name(path) for path in sorted(PACKAGE.glob("*.py")) if _is_public(path)]
    pages["modules"] = _api_page("Top-level modules", [name for name in top if name != "faket_dask"])
    return pages


def _is_public(path: Path) -> bool:
    return path.name == "__init__.py" or not path.name.startswith("_")


def module_name(path: Path) -> str:
    """Return the dotted name of a module of the package.

    Examples
    --------
    >>> module_name(PACKAGE / "kernels" / "__init__.py")
    'faket_dask.kernels'
    """
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _api_page(title: str, modules: list[str]) -> str:
    lines = [title, "=" * len(title), ""]
    if title.startswith("faket_dask."):
        lines += [f".. automodule:: {title}", "   :no-members:" if _reexports(title) else "", ""]
    for name in modules:
        lines += [name, "-" * len(name), "", f".. automodule:: {name}", ""]
    return "\n".join(lines)


def _reexports(package: str) -> bool:
    """Tell whether the members of a package's `__init__` come from its modules."""
    path = ROOT / package.replace(".", "/") / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


def api_index(packages: list[str]) -> str:
    """Return the page that lists the public names and links the packages, in reStructuredText."""
    return "\n".join(
        [
            "API reference",
            "=============",
            "",
            "Names for everyday use, importable from ``faket_dask``:",
            "",
            *(f".. autofunction:: faket_dask.{name}\n   :no-index:\n" for name in public_names("function")),
            *(f".. autoclass:: faket_dask.{name}\n   :no-index:\n" for name in public_names("class")),
            "",
            ".. toctree::",
            "   :maxdepth: 1",
            "   :caption: Packages",
            "",
            *(f"   {name}" for name in packages),
            "",
        ]
    )


def public_names(kind: Literal["function", "class"]) -> list[str]:
    """Return the names of `faket_dask.__all__` that are functions, or classes."""
    import faket_dask

    members = {name: getattr(faket_dask, name) for name in faket_dask.__all__}
    if kind == "class":
        return [name for name, member in members.items() if isinstance(member, type)]
    return [name for name, member in members.items() if callable(member) and not isinstance(member, type)]


if __name__ == "__main__":
    write_pages(Path(__file__).resolve().parent)
