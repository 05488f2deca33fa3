"""Tomograms that particles are searched in or cut out of: MRC files, and those of data sets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.engine.arrays import open_array
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.plan import Plan
from faket_dask.errors import InputError, UnfinishedError
from faket_dask.formats.mrc import MrcVolume, open_volume
from faket_dask.pipeline import TILT_SERIES
from faket_dask.pipeline.reconstruct import ReconstructTomogram, fingerprint_tomograms


class GivenTomogram(Protocol):
    """Tomogram that is read in parts."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        ...

    @property
    def voxel_size_A(self) -> float:
        """Edge of a voxel in Å."""
        ...

    @property
    def identity(self) -> str:
        """Digest of all that its voxels depend on."""
        ...

    @property
    def title(self) -> str:
        """Name for displays."""
        ...

    def read(self, region: tuple[slice, ...]) -> NDArray[np.float32]:
        """Read voxels ``(z, y, x)``."""
        ...

    def locate(self, voxels: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the places ``(n, 3)``, ``(x, y, z)`` in Å, of voxels ``(n, 3)``, ``(z, y, x)``."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what `read_source` needs to open it again."""
        ...


@dataclass(frozen=True)
class MrcTomogram:
    """Tomogram in an MRC file, whose places count from the centre of its corner voxel.

    Parameters
    ----------
    path
        Absolute path.
    voxel_size_A
        Edge of a voxel in Å.
    identity
        Checksum of the file.
    """

    path: Path
    voxel_size_A: float
    identity: str

    @classmethod
    def open(cls, path: Path, voxel_size_A: float | None = None) -> MrcTomogram:
        """Open a tomogram, and read it once for its checksum.

        Raises
        ------
        InputError
            If the file cannot be read, or has no voxel size and none is given.
        """
        volume = open_volume(path, voxel_size_A=voxel_size_A)
        return cls(path.resolve(), volume.voxel_size_A, volume.checksum())

    @cached_property
    def volume(self) -> MrcVolume:
        """Handle of the file."""
        return open_volume(self.path, voxel_size_A=self.voxel_size_A)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        return self.volume.shape

    @property
    def title(self) -> str:
        """Name of the file."""
        return self.path.name

    def read(self, region: tuple[slice, ...]) -> NDArray[np.float32]:
        """Read voxels ``(z, y, x)``.

        Raises
        ------
        InputError
            If the file cannot be read, or the region holds NaN or infinity.
        """
        layers, rows, columns = region
        values = self.volume[layers, rows, columns]
        if not np.isfinite(values).all():
            raise InputError(f"{self.path} holds NaN or infinity; replace it, for example by the mean")
        return values

    def locate(self, voxels: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the places ``(n, 3)``, ``(x, y, z)`` in Å, of voxels ``(n, 3)``, ``(z, y, x)``."""
        return voxels[:, ::-1].astype(np.float64) * self.voxel_size_A

    def describe(self) -> dict[str, Any]:
        """Return what `read_source` needs to open it again."""
        return {**asdict(self), "path": str(self.path)}


@dataclass(frozen=True)
class DatasetTomogram:
    """Tomogram of a data set, whose places are those of the particle table.

    Parameters
    ----------
    folder
        Absolute path of the data set.
    series
        Name of the series.
    modality
        Modality that the tomogram is made from.
    """

    folder: Path
    series: str
    modality: str

    @cached_property
    def tomogram(self) -> Tomogram:
        """Tomogram, which is there and complete.

        Raises
        ------
        InputError
            If there is none of this modality, or no such series.
        UnfinishedError
            If it is not complete.
        """
        spec = DatasetSpec.read(self.folder)
        if self.series not in spec.series_by_name:
            first = next(iter(spec.series_by_name))
            raise InputError(f"{self.folder} has no series {self.series}; its first is {first} (--series)")
        modalities = spec.config.reconstruction.modalities
        if self.modality not in modalities:
            raise InputError(
                f"{self.folder} has tomograms of {', '.join(modalities) or 'nothing'}, not of {self.modality}; make it "
                f"with `faket-dask reconstruct {self.folder} --modality {self.modality}`"
            )
        series = spec.series_by_name[self.series]
        tomogram = Tomogram(spec, owning_item(series, self.modality), self.modality)
        completed = CompletedUnits.read(Plan(spec, TILT_SERIES))
        reason = completed.why_missing(ReconstructTomogram.name, tomogram.item)
        if reason:
            raise UnfinishedError(
                f"{self.folder} is not complete: {reason}; finish it with `faket-dask run`, and repeat this then"
            )
        return tomogram

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        return self.tomogram.shape

    @property
    def voxel_size_A(self) -> float:
        """Edge of a voxel in Å."""
        return self.tomogram.voxel_size_A

    @property
    def tilt_angles(self) -> tuple[float, ...]:
        """Degrees of the tilts that it is made from."""
        return tuple(self.tomogram.tilt_angles.tolist())

    @property
    def identity(self) -> str:
        """Digest of the data set and the settings of its tomograms, and the name of this one."""
        return f"{fingerprint_tomograms(self.tomogram.spec)}/{self.tomogram.item}"

    @property
    def title(self) -> str:
        """Name of series and modality."""
        return f"{self.series} {self.modality}"

    def read(self, region: tuple[slice, ...]) -> NDArray[np.float32]:
        """Read voxels ``(z, y, x)``."""
        array = open_array(self.tomogram.group, self.tomogram.array_name, "r")
        return np.asarray(array[region], dtype=np.float32)

    def locate(self, voxels: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the places ``(n, 3)``, ``(x, y, z)`` in Å, of voxels ``(n, 3)``, ``(z, y, x)``."""
        places = self.tomogram.coordinates()
        return np.stack([places[axis][voxels[:, "zyx".index(axis)]] for axis in "xyz"], axis=1)

    def describe(self) -> dict[str, Any]:
        """Return what `read_source` needs to open it again."""
        return {**asdict(self), "folder": str(self.folder)}


def read_source(document: dict[str, Any]) -> GivenTomogram:
    """Open the tomogram that a description tells of."""
    if "folder" in document:
        return DatasetTomogram(**{**document, "folder": Path(document["folder"])})
    return MrcTomogram(**{**document, "path": Path(document["path"])})
