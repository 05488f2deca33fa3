"""Base of all sections of the run file: unknown keys are errors, values are fixed, paths are relative to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    ValidationInfo,
    field_validator,
)

TRUTH_VALUES = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
"""Words that YAML 1.1 takes for truth values, for keys whose value may also be other text."""


def resolve_path(path: Path, info: ValidationInfo) -> Path:
    """Return an absolute path; relative ones start from the folder of the file that contains them."""
    base = (info.context or {}).get("base", Path.cwd())
    return (base / path.expanduser()).resolve()


def refuse_bool(value: Any) -> Any:
    """Refuse true and false, which pydantic takes for 1 and 0 where a number is expected."""
    if isinstance(value, bool) or (
        isinstance(value, list | tuple) and any(isinstance(v, bool) for v in value)
    ):
        raise ValueError("true and false are no numbers")
    return value


class Section(BaseModel):
    """Section of a run file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        expected = _list_types(annotation)
        return refuse_bool(value) if expected & {int, float} and bool not in expected else value

    @classmethod
    def key_types(cls) -> dict[str, Any]:
        """Return the keys that a run file may hold in this section, with the types of their values."""
        return {name: field.annotation for name, field in cls.model_fields.items()}


def _list_types(annotation: Any) -> set[Any]:
    arguments = get_args(annotation)
    return (
        set().union(*map(_list_types, arguments))
        if arguments
        else {annotation}
        if isinstance(annotation, type)
        else set()
    )


def kind_or(default: str) -> Discriminator:
    """Choose a section's model by its key `kind`, which may be left out for the default."""

    def choose(value: Any) -> str:
        kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        return default if kind is None else str(kind)

    return Discriminator(choose)
