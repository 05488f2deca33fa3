"""Mistakes that pydantic finds, as one line each: where, what is wrong, what to write instead."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError

from faket_dask.config.section import Section


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """All mistakes of a document, one line each, and one for each place.

    Parameters
    ----------
    error
        What validation raised.
    model
        What the document was validated against: its keys are what may have been meant.
    """
    mistakes = {_where(item): item for item in reversed(error.errors())}
    return "\n".join(_explain(where, item, model) for where, item in reversed(mistakes.items()))


_TAGS = {"built", "volume", "tilt_series", "simulated", "blend", "int", "settings"}


def _where(item: Any) -> str:
    """Dotted path of a mistake, without pydantic's own names for the members of a union."""
    parts = (str(part) for part in item["loc"])
    return ".".join(
        part for part in parts if part not in _TAGS and "[" not in part and not part.startswith("constrained")
    )


def _explain(where: str, item: Any, model: type[BaseModel]) -> str:
    """One line for one mistake that pydantic found: where, what is wrong, what to write instead."""
    if item["type"] == "extra_forbidden":
        name = str(item["loc"][-1])
        close = difflib.get_close_matches(name, _field_names(model), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{where}: there is no such key{hint}"
    if item["type"] == "missing":
        return f"{where}: is missing"
    if item["type"] == "union_tag_invalid":
        return f"{where}.kind: must be one of {item['ctx']['expected_tags']} (got {item['ctx']['tag']!r})"
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given = item.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{where or 'run file'}: {message}{shown}"


def _field_names(model: type[BaseModel]) -> list[str]:
    """All key names below a model, for suggestions."""
    found: list[str] = []
    pending: list[Any] = [model]
    while pending:
        current = pending.pop()
        if isinstance(current, type) and issubclass(current, BaseModel):
            found.extend(current.key_names() if issubclass(current, Section) else current.model_fields)
            pending.extend(field.annotation for field in current.model_fields.values())
        else:
            pending.extend(getattr(current, "__args__", ()))
    return found
