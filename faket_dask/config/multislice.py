"""Multislice simulation."""

from __future__ import annotations

from pydantic import Field

from faket_dask.documents.section import Section


class MultisliceSection(Section):
    """Specimen as slices with free space between them, in place of one thin phase object."""

    slice_A: float = Field(default=50.0, ge=1, le=10_000, description="thickness of a slice at 0°")
