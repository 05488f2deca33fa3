"""Facts about the files that a run file names, as they were found when the run was planned."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from faket_dask.geometry.series_ctf import SeriesCtf


@dataclass(frozen=True)
class RecordingInput:
    """Facts about a recorded reference.

    Parameters
    ----------
    shape
        ``(tilt, y, x)`` as recorded.
    tilt_angles
        Degrees, increasing.
    pixel_size_A
        Edge of a recorded pixel.
    checksum, clean_checksum, mask_checksum
        SHA-256 of the stack, its noiseless counterpart and its mask.
    ctf
        Contrast transfer of the tilts as they are used, if it is known.
    exposure_e_per_A2, exposure_before_e_per_A2
        Exposure of each tilt alone, and that of the specimen before it, in e/Å², where they are known.
    """

    shape: tuple[int, int, int]
    tilt_angles: tuple[float, ...]
    pixel_size_A: float
    checksum: str
    clean_checksum: str | None = None
    mask_checksum: str | None = None
    ctf: SeriesCtf | None = None
    exposure_e_per_A2: tuple[float, ...] | None = None
    exposure_before_e_per_A2: tuple[float, ...] | None = None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RecordingInput:
        """Read what `dataclasses.asdict` returned, also after a JSON round trip."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        ctf = document.get("ctf")
        fields["ctf"] = None if ctf is None else SeriesCtf.from_json(ctf)
        return cls(**fields)


@dataclass(frozen=True)
class VolumeInput:
    """Facts about an existing specimen volume; checksums of density, masks and particles in turn."""

    shape: tuple[int, int, int]
    checksums: tuple[str, ...]


@dataclass(frozen=True)
class Inputs:
    """Facts about all files of a run file.

    Parameters
    ----------
    recordings
        Recorded references by name.
    specimens
        Existing specimen volumes.
    structures
        Checksums of structures and maps, in the order of the species and filaments.
    weights_checksum
        SHA-256 of the network's weights; empty where no network is used.
    mtf_checksum
        SHA-256 of the detector's measured modulation transfer; empty where none is given.
    """

    recordings: dict[str, RecordingInput]
    specimens: tuple[VolumeInput, ...]
    structures: tuple[str, ...]
    weights_checksum: str
    mtf_checksum: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Inputs:
        """Read what `to_json` returned, also after a JSON round trip."""
        recordings = {name: RecordingInput.from_json(item) for name, item in document["recordings"].items()}
        specimens = tuple(
            VolumeInput(tuple(item["shape"]), tuple(item["checksums"])) for item in document["specimens"]
        )
        return cls(
            recordings,
            specimens,
            tuple(document["structures"]),
            document["weights_checksum"],
            document.get("mtf_checksum", ""),
        )
