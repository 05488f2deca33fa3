"""Mistakes in a document, one line each: where, what is wrong, and what to write instead."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import Tag, ValidationError

from faket_dask.documents.section import Section
from faket_dask.documents.yaml_file import MOST_FAULTS, Document, WrittenValue

LONGEST_VALUE = 60
"""Most characters of a value that a message shows."""


@dataclasses.dataclass(frozen=True)
class Renames:
    """Keys and values that documents no longer use.

    Parameters
    ----------
    since
        Version of the document that changed them, as in ``"since version 2 of the run file"``.
    keys
        Replacement of each former key, by its dotted path.
    values
        Replacement of each former value, by the dotted path of its key and itself.
    """

    since: str = ""
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    values: Mapping[tuple[str, str], str] = dataclasses.field(default_factory=dict)


def explain(
    error: ValidationError,
    model: type[Section],
    renames: Renames = Renames(),
    document: Document | None = None,
) -> str:
    """Return all mistakes in a document, one line each and one for each place.

    Parameters
    ----------
    error
        Error that the validation raised.
    model
        Model that the document was validated against; its keys are suggested in place of unknown ones.
    renames
        Former keys and values, whose replacements are named.
    document
        File that was read, if it was one: values are shown as they are written there, with their line.

    Examples
    --------
    >>> class Grid(Section):
    ...     binning: int = 1
    >>> try:
    ...     Grid(bining=2)
    ... except ValidationError as error:
    ...     print(explain(error, Grid))
    bining: there is no such key; did you mean 'binning'?
    >>> try:
    ...     Grid(binning="two")
    ... except ValidationError as error:
    ...     print(explain(error, Grid))
    binning: must be a whole number (got 'two')
    """
    mistakes = _choose([_find(item, model) for item in error.errors(include_url=False)])
    lines = [_explain(mistake, model, renames, document) for mistake in mistakes[:MOST_FAULTS]]
    if len(mistakes) > MOST_FAULTS:
        lines.append(f"… and {len(mistakes) - MOST_FAULTS} mistakes more")
    return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class _Mistake:
    """Mistake that pydantic reports, at a path of keys where a value of some kinds is expected."""

    path: tuple[str, ...]
    kinds: Sequence[Any]
    item: Mapping[str, Any]
    is_wrong_kind: bool

    @property
    def place(self) -> str:
        return ".".join(self.path)


def _find(item: Any, model: type[Section]) -> _Mistake:
    location = item["loc"]
    path, kinds = _follow(location, model, item["type"] in _UNKNOWN_KEY)
    wrong_kind = item["type"] in _WRONG_KIND or item["type"].endswith(("_type", "_parsing"))
    if item["type"] in ("too_short", "too_long") and any(map(_has_any_length, kinds)):
        wrong_kind = False
    if item["type"] == "missing" and isinstance(location[-1], int):
        # A list is too short for its kind: the mistake is the list's.
        path, kinds = _follow(location[:-1], model, False)
        wrong_kind = True
    return _Mistake(tuple(path), kinds, item, wrong_kind)


_UNKNOWN_KEY = (
    "extra_forbidden",
    "unexpected_keyword_argument",
    "invalid_key",
)  # in a model, in a dataclass, no text
_WRONG_KIND = ("literal_error", "int_from_float", "too_long", "too_short")


def _choose(mistakes: Sequence[_Mistake]) -> list[_Mistake]:
    """Keep one mistake for each place: of the members of a union, that which the value comes nearest to."""
    above = {mistake.path[:end] for mistake in mistakes for end in range(len(mistake.path))}
    chosen: dict[tuple[str, ...], _Mistake] = {}
    for mistake in mistakes:
        if mistake.path in above and (mistake.is_wrong_kind or mistake.item["type"] == "too_short"):
            # Another member of the union is right but for something within; entries that are wrong are not counted.
            continue
        known = chosen.get(mistake.path)
        if known is None or (known.is_wrong_kind and not mistake.is_wrong_kind):
            chosen[mistake.path] = mistake
    return list(chosen.values())


def _follow(
    location: Sequence[int | str], model: type[Section], ends_in_unknown_key: bool
) -> tuple[list[str], list[Any]]:
    """Return the keys that lead to a place, and the types that its value can have; its parent's for an unknown key.

    Pydantic adds the members of unions that it tried to a location; they are left out by following the location
    through the model.
    """
    path: list[str] = []
    members: list[tuple[str | None, Any]] = [(None, model)]
    for number, part in enumerate(location):
        tagged = [kind for tag, kind in members if tag is not None and tag == part]
        children = [child for _, kind in members for child in _children(kind, part)]
        if tagged:
            members = [(None, kind) for kind in tagged]
        elif children:
            path.append(str(part))
            members = [member for child in children for member in _members(child)]
        elif ends_in_unknown_key and number == len(location) - 1:
            path.append(str(part))
    return path, [kind for _, kind in members]


def _members(annotation: Any, tag: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """Yield the types that a union consists of, each with its tag where the union has them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        tags = [item.tag for item in metadata if isinstance(item, Tag)]
        yield from _members(inner, tags[0] if tags else tag)
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member, tag)
    else:
        yield tag, annotation


def _children(kind: Any, part: int | str) -> list[Any]:
    """Return the annotation below a key or index of a type, or nothing where it has none such."""
    fields = _fields(kind)
    if fields is not None:
        return [fields[str(part)]] if part in fields else []
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (dict, Mapping) and part != "[key]":
        return [arguments[1]]
    if origin is tuple and isinstance(part, int):
        return [arguments[0 if arguments[-1] is Ellipsis else part]]
    return []


def _fields(kind: Any) -> dict[str, Any] | None:
    """Return the annotation of each key of a section or a dataclass, or ``None`` for any other type."""
    if not isinstance(kind, type):
        return None
    if issubclass(kind, Section):
        return dict(kind.key_types())
    return get_type_hints(kind, include_extras=True) if dataclasses.is_dataclass(kind) else None


def _explain(mistake: _Mistake, model: type[Section], renames: Renames, document: Document | None) -> str:
    """Return the line for one mistake."""
    place, item = mistake.place, mistake.item
    written = document.find(mistake.path) if document else None
    line = f" (line {written.line})" if written and place else ""
    if item["type"] == "union_tag_invalid":
        expected = item["ctx"]["expected_tags"].replace("'", "")
        return f"{place}.kind: must be one of {expected} (got {item['ctx']['tag']!r}){line}"
    return f"{place and f'{place}: '}{_describe_mistake(mistake, model, renames, written)}{line}"


def _describe_mistake(
    mistake: _Mistake, model: type[Section], renames: Renames, written: WrittenValue | None
) -> str:
    place, item = mistake.place, mistake.item
    value, context = item.get("input"), item.get("ctx", {})
    if item["type"] in _UNKNOWN_KEY:
        if place in renames.keys:
            return f"{renames.since}, this key is {renames.keys[place]}"
        name = str(item["loc"][-1])
        close = _closest(name, mistake.kinds) or _closest(name, [model])
        return "there is no such key" + (f"; did you mean {close!r}?" if close and close != name else "")
    if item["type"] == "missing" and not mistake.is_wrong_kind:
        return "is missing"
    if isinstance(value, str) and (place, value) in renames.values:
        return f"{renames.since}, {value!r} is {renames.values[place, value]!r}"
    if "[key]" in item["loc"]:
        return _describe_key(mistake, value)
    shown = _show(value, written)
    if item["type"] in ("value_error", "setting"):
        message = str(context["error"]) if item["type"] == "value_error" else str(item["msg"])
        return _lower_first(message) + (shown if isinstance(value, str | int | float) else "")
    if item["type"] in _LIMITS:
        phrase, name = _LIMITS[item["type"]]
        return f"must be {phrase}{_show_number(context[name])}{shown}"
    if item["type"] == "finite_number":
        return f"must be finite{shown}"
    if item["type"] == "int_parsing_size":
        return "is too large a number"
    if item["type"] in ("too_short", "too_long") and not mistake.is_wrong_kind:
        if item["type"] == "too_long":
            return f"has too many entries; at most {context['max_length']} are possible"
        return "is empty; give at least one entry"
    if value is None:
        return f"has no value; it must be {_describe(mistake.kinds)}"
    if written and written.is_plain and not isinstance(value, str) and {str, Path} & set(mistake.kinds):
        meaning = f"the number {value}" if not isinstance(value, bool) else str(value).lower()
        return f"without quotes, YAML reads {written.text} as {meaning}; write '{written.text}' with them"
    hint = ""
    if (
        isinstance(value, str)
        and float in mistake.kinds
        and value.count(",") == 1
        and value.replace(",", "").strip("+- ").isdigit()
    ):
        hint = f"; the decimal sign is a point: {value.replace(',', '.')}"
    return f"must be {_describe(mistake.kinds)}{shown}{hint}"


_LIMITS = {
    "greater_than": ("greater than ", "gt"),
    "greater_than_equal": ("at least ", "ge"),
    "less_than": ("less than ", "lt"),
    "less_than_equal": ("at most ", "le"),
    "multiple_of": ("a multiple of ", "multiple_of"),
}


def _show(value: Any, written: WrittenValue | None) -> str:
    """Return the value that a message is about, as it is written, in brackets."""
    if isinstance(value, list | tuple):
        return f" (got a list of {len(value)})"
    if isinstance(value, dict):
        return " (got a mapping)" if value else " (got an empty mapping)"
    if value is None or not isinstance(value, str | int | float | bool):
        return ""
    if written and written.is_plain and not isinstance(value, str):
        return f" (got {_shorten(str(written.text))})"
    return f" (got {_shorten(repr(value))})"


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _show_number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _lower_first(message: str) -> str:
    # But for names such as "VGG-19"
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]


def _describe_key(mistake: _Mistake, value: Any) -> str:
    keys = [get_args(kind)[0] for kind in mistake.kinds if get_origin(kind) in (dict, Mapping)]
    expected = _describe(keys) if keys else "text"
    return f"the key {_shorten(repr(value))} must be {expected}" + (
        "; write it in quotes" if expected == "text" else ""
    )


def _has_any_length(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping) or (
        get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis
    )


_NAMES = {float: "number", int: "whole number", bool: "true or false", str: "text", Path: "path"}


def _describe(kinds: Sequence[Any]) -> str:
    """Describe the values of some types, as the rest of a sentence that begins with "must be"."""
    words: list[str] = []
    for kind in kinds:
        words += _list_choices(kind)
    words += [_describe_kind(kind) for kind in kinds if not _list_choices(kind)]
    choices = list(dict.fromkeys(word for word in words if word))
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices)


def _list_choices(kind: Any) -> list[str]:
    """Return the values of a type that lists them."""
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return []


def _describe_kind(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is type(None):
        return ""
    fields = _fields(kind)
    if fields is not None:
        names = list(fields)
        return f"a section with keys such as {', '.join(names[:4])}" if len(names) > 1 else "a section"
    if origin is tuple:
        inner = [member for _, member in _members(arguments[0])]
        plural = f"{_NAMES[inner[0]]}s" if len(inner) == 1 and inner[0] in (float, int) else "entries"
        return f"a list of {plural}" if arguments[-1] is Ellipsis else f"a list of {len(arguments)} {plural}"
    if origin in (dict, Mapping):
        return "a mapping (key: value)"
    if kind in _NAMES:
        name = _NAMES[kind]
        return name if kind in (bool, str) else f"a {name}"
    return "a value"


def _closest(name: str, kinds: Sequence[Any]) -> str | None:
    """Return the key below some types that resembles a name most, or ``None`` where none does."""
    return next(iter(difflib.get_close_matches(name, _field_names(kinds), n=1)), None)


def _field_names(kinds: Sequence[Any]) -> list[str]:
    """Return all key names below some types, for suggestions."""
    names: list[str] = []
    pending: list[Any] = [*kinds]
    while pending:
        current = pending.pop()
        fields = _fields(current)
        if fields is not None:
            names += fields
            pending += fields.values()
        else:
            pending.extend(getattr(current, "__args__", ()))
    return names
