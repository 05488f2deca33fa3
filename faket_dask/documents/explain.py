"""Mistakes in a document, one line each: where, what is wrong, and what to write instead."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import Tag, ValidationError

from faket_dask.documents.section import Section


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


def explain(error: ValidationError, model: type[Section], renames: Renames = Renames()) -> str:
    """Return all mistakes in a document, one line each and one for each place.

    Parameters
    ----------
    error
        Error that the validation raised.
    model
        Model that the document was validated against; its keys are suggested in place of unknown ones.
    renames
        Former keys and values, whose replacements are named.

    Examples
    --------
    >>> class Grid(Section):
    ...     binning: int = 1
    >>> try:
    ...     Grid(bining=2)
    ... except ValidationError as error:
    ...     print(explain(error, Grid))
    bining: there is no such key; did you mean 'binning'?
    """
    mistakes = {locate(item["loc"], model): item for item in reversed(error.errors())}
    return "\n".join(_explain(place, item, model, renames) for place, item in reversed(mistakes.items()))


def locate(location: Sequence[int | str], model: type[Section]) -> str:
    """Return the dotted path of a place in a document.

    Pydantic adds the members of unions that it tried to a location; they are left out by following the location
    through the model.

    Parameters
    ----------
    location
        Keys and indices, as pydantic gives them.
    model
        Model of the whole document.
    """
    return _follow(location, model)[0]


def _follow(location: Sequence[int | str], model: type[Section]) -> tuple[str, list[Any]]:
    """Return the dotted path of a place, and the types that its value can have; its parent's for an unknown key."""
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
        elif number == len(location) - 1 and any(_fields(kind) is not None for _, kind in members):
            path.append(str(part))  # a key that no model has
    return ".".join(path), [kind for _, kind in members]


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


def _explain(place: str, item: Any, model: type[Section], renames: Renames) -> str:
    """Return the line for one mistake that pydantic reports."""
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):  # in a model, in a dataclass
        if place in renames.keys:
            return f"{place}: {renames.since}, this key is {renames.keys[place]}"
        name = str(item["loc"][-1])
        close = _closest(name, _follow(item["loc"], model)[1]) or _closest(name, [model])
        hint = f"; did you mean {close!r}?" if close else ""
        return f"{place}: there is no such key{hint}"
    if item["type"] == "missing":
        return f"{place}: is missing"
    if item["type"] == "union_tag_invalid":
        return f"{place}.kind: must be one of {item['ctx']['expected_tags']} (got {item['ctx']['tag']!r})"
    value = item.get("input")
    if isinstance(value, str) and (place, value) in renames.values:
        return f"{place}: {renames.since}, {value!r} is {renames.values[place, value]!r}"
    message = item["msg"].removeprefix("Value error, ")
    if not message[1:2].isupper():  # as in "VGG-19"
        message = message[0].lower() + message[1:]
    shown = f" (got {value!r})" if isinstance(value, str | int | float | bool) else ""
    return f"{place or 'document'}: {message}{shown}"


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
