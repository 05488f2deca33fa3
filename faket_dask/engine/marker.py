"""Markers: small JSON records that say that a unit is done, from which inputs, and which files it wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faket_dask.atomic import write_text

Findings = Mapping[str, Any]
"""Small results of a unit beside its files, as plain JSON data; each stage documents its own keys."""


def relative_name(path: Path, root: Path) -> str:
    """Return the name of a file in markers: its POSIX path relative to the run's folder."""
    return path.relative_to(root).as_posix()


@dataclass(frozen=True)
class FileRecord:
    """Size and SHA-256 checksum of a written file."""

    bytes: int
    sha256: str

    @classmethod
    def measure(cls, path: Path) -> FileRecord:
        """Measure a file on disk."""
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
        return cls(path.stat().st_size, digest.hexdigest())


@dataclass(frozen=True)
class Marker:
    """Record of a finished unit.

    Parameters
    ----------
    inputs
        Fingerprint of everything that the unit depends on.
    files
        Written files by their path relative to the run's folder.
    findings
        Small results of the unit.
    seconds
        Computing time.
    host, process
        Machine and process number that computed it.
    environment
        Name of the recorded environment.
    ended
        UTC time, ISO 8601.
    processor_s
        Processor time of the process meanwhile, which other load of the machine leaves alone; ``None`` in markers of
        earlier versions.
    """

    inputs: str
    files: Mapping[str, FileRecord]
    findings: Findings
    seconds: float
    host: str
    process: int
    environment: str
    ended: str
    processor_s: float | None = None

    def write(self, path: Path) -> None:
        """Write the marker atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(self)) + "\n")

    @classmethod
    def read(cls, path: Path) -> Marker | None:
        """Read a marker; ``None`` if there is none or it is torn."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            files = {name: FileRecord(**record) for name, record in document.pop("files").items()}
            return cls(files=files, **document)
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return None

    def has_files(self, paths: Iterable[Path], root: Path) -> bool:
        """Tell whether all these files exist in the size that was written."""
        for path in paths:
            record = self.files.get(relative_name(path, root))
            try:
                if record is None or path.stat().st_size != record.bytes:
                    return False
            except OSError:
                return False
        return True
