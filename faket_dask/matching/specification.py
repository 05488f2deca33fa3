"""Specification of a search: tomogram, particle and settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from faket_dask.atomic import write_text
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.pipeline import REMEDY, check_layout
from faket_dask.engine.specification import digest_inputs
from faket_dask.errors import InputError
from faket_dask.kernels.matching.null_template import Null
from faket_dask.kernels.matching.turning import TurnableTemplate
from faket_dask.kernels.optics import Optics
from faket_dask.matching.template_source import load_search_template
from faket_dask.pipeline.tomogram_source import GivenTomogram, read_source
from faket_dask.specimen.template import Template
from faket_dask.stages.matching import (
    Contrast,
    MatchBlocks,
    MatchSettings,
    group_orientations,
    prepare_template,
)

KERNEL_VERSION = 2
"""Raised whenever scores change, so that old and new are never mixed."""


@dataclass(frozen=True)
class MatchSpec:
    """Specification of a search.

    Parameters
    ----------
    root
        Folder of the units' files.
    searched
        Tomogram.
    source
        Source of the template, as `resolve_source` returns it.
    settings
        Settings that scores depend on.
    null
        Kind of the null search; ``None`` for none.
    device
        Device of the correlation.
    """

    root: Path
    searched: GivenTomogram
    source: str
    settings: MatchSettings
    null: Null | None = Null.INVERTED
    device: str = "cpu"

    threads_per_task = 1
    description_files = frozenset[str]()

    @property
    def folder(self) -> RunFolder:
        """Paths of the run."""
        return RunFolder(self.root)

    @property
    def title(self) -> str:
        """One line for displays."""
        return (
            f"search of {self.searched.title} for {Path(self.source).name} in {len(self.settings.rotations)} "
            "orientations"
        )

    @property
    def store(self) -> Path:
        """Zarr store of the scores."""
        return self.root / "scores.zarr"

    @cached_property
    def template(self) -> Template:
        """Density of the particle."""
        return load_search_template(self.source, self.searched.voxel_size_A)

    @cached_property
    def blocks(self) -> MatchBlocks:
        """Blocks of the tomogram."""
        return MatchBlocks(self.searched.shape, self.prepare(None).reach)

    @property
    def groups(self) -> int:
        """Number of groups of orientations."""
        return len(group_orientations(len(self.settings.rotations)))

    def prepare(self, null: Null | None) -> TurnableTemplate:
        """Return the template of the search, or of the null search."""
        return prepare_template(self.template, self.searched.voxel_size_A, self.settings, null)

    @cached_property
    def result_inputs(self) -> dict[str, Any]:
        """Contents of the fingerprint."""
        density = hashlib.sha256(self.template.density.tobytes()).hexdigest()
        return {
            "tomogram": self.searched.identity,
            "voxel_size_A": self.searched.voxel_size_A,
            "template": [density, self.template.radius_A],
            "settings": _describe_settings(self.settings),
            "null": None if self.null is None else self.null.value,
            "device": self.device,
            "kernel_version": KERNEL_VERSION,
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of tomogram, template and settings."""
        return digest_inputs(self.result_inputs)

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts for the record of a run."""
        return {"kernel_version": KERNEL_VERSION, "template": self.source}

    def relocate(self, root: Path) -> MatchSpec:
        """Return the same specification for another folder."""
        return replace(self, root=root)

    def write(self) -> None:
        """Store the description of the run."""
        from faket_dask.matching.units import MATCHING

        self.root.mkdir(parents=True, exist_ok=True)
        write_text(self.folder.description, json.dumps(MATCHING.describe(self) | self._describe()) + "\n")

    def _describe(self) -> dict[str, Any]:
        return {
            "searched": self.searched.describe(),
            "source": self.source,
            "settings": _describe_settings(self.settings),
            "null": None if self.null is None else self.null.value,
            "device": self.device,
        }


def read_match_spec(root: Path) -> MatchSpec:
    """Read the specification of a search from its folder.

    Raises
    ------
    InputError
        If the folder holds none, or its tomogram or template cannot be read any more.
    """
    path = RunFolder(root).description
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}: {error}); {REMEDY}") from None
    check_layout(path, document)
    try:
        settings = document["settings"]
        return MatchSpec(
            root=root,
            searched=read_source(document["searched"]),
            source=document["source"],
            settings=MatchSettings(
                **{
                    **settings,
                    "tilt_angles": tuple(settings["tilt_angles"]),
                    "contrast": Contrast(settings["contrast"]),
                    "optics": Optics(**settings["optics"]),
                }
            ),
            null=None if document["null"] is None else Null(document["null"]),
            device=document["device"],
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} describes no search; {REMEDY}") from None


def _describe_settings(settings: MatchSettings) -> dict[str, Any]:
    return {
        **asdict(settings),
        "contrast": settings.contrast.value,
        "tilt_angles": list(settings.tilt_angles),
    }
