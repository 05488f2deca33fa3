"""Base of all sections of the run file: unknown keys are errors, values are fixed, paths are relative to the file."""

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
    """Return an absolute path; relative ones start from the folder of the file that contains them."""
    base = (info.context or {}).get("base", Path.cwd())
    return (base / path.expanduser()).resolve()


class Section(BaseModel):
    """Section of a run file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def key_types(cls) -> dict[str, Any]:
        """Return the keys that a run file may hold in this section, with the types of their values."""
        return {name: field.annotation for name, field in cls.model_fields.items()}


def kind_or(default: str) -> Discriminator:
    """Choose a section's model by its key `kind`, which may be left out for the default."""

    def choose(value: Any) -> str:
        return str(value.get("kind", default) if isinstance(value, dict) else getattr(value, "kind", default))

    return Discriminator(choose)
