"""What all sections share: unknown keys are errors, values do not change, paths are relative to their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    ValidationInfo,
)


def resolve_path(path: Path, info: ValidationInfo) -> Path:
    """A path as an absolute one, relative ones taken from the folder of the file they are written in."""
    base = (info.context or {}).get("base", Path.cwd())
    return (base / path.expanduser()).resolve()


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and a value once read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def key_types(cls) -> dict[str, Any]:
        """Return the keys that a run file may hold in this section, with the types of their values."""
        return {name: field.annotation for name, field in cls.model_fields.items()}


def kind_or(default: str) -> Discriminator:
    """Choose a section's model by its key `kind`, which may be left out for the usual one."""

    def choose(value: Any) -> str:
        return str(value.get("kind", default) if isinstance(value, dict) else value.kind)

    return Discriminator(choose)
