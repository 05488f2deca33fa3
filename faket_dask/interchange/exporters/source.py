"""Access of exporters to a data set: series, labels in the field of view, tomograms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from faket_dask.config import BuiltSpecimen
from faket_dask.dataset.acquisition import Acquisition
from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.grids import Grid, tomogram_grid, view_grid
from faket_dask.dataset.imaging import draw_imaging_conditions
from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import Tomogram, list_tomograms
from faket_dask.engine.arrays import open_array, read_tilt
from faket_dask.errors import InputError
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.relion5_writing import HelicalTracks
from faket_dask.geometry import TiltGeometry, acquisition_order, exposure_before
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Optics
from faket_dask.modalities import SIMULATED
from faket_dask.references import open_reference
from faket_dask.references.imaging import Imaging, open_modality_imaging
from faket_dask.specimen.class_names import DEPOSITS
from faket_dask.specimen.filaments.centre_line_table import read_centre_lines
from faket_dask.specimen.filaments.tracing import measure_track
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.stages.reconstruction import Half

_SAME_EXPOSURE = 1e-9

_MEMBRANES_OF_FILES = ("vesicle", "sheet")
"""Classes that are membranes in specimens from files."""


class SeriesAlignment(StrEnum):
    """Alignment that an export tells of images whose tilt angles and positions have errors."""

    NOMINAL = "nominal"
    """Angles of the run file and no displacement, as a microscope tells them."""

    TRUE = "true"
    """True angles and displacements of the images."""


@dataclass(frozen=True)
class Source:
    """A data set and the modalities to export, all of them complete.

    Parameters
    ----------
    dataset
        The data set.
    modalities
        Names of the modalities to write of each series.
    root
        Folder or URL as which other programs will find the project, where it is not to stay where it is written.
    alignment
        Alignment of images by the microscope model.
    """

    dataset: Dataset
    modalities: tuple[str, ...]
    root: str | None = None
    alignment: SeriesAlignment = SeriesAlignment.NOMINAL

    @property
    def spec(self) -> DatasetSpec:
        """Resolved configuration of the data set."""
        return self.dataset.spec

    @property
    def series(self) -> list[Series]:
        """All series of the data set."""
        return self.spec.series

    @property
    def specimens(self) -> list[str]:
        """Names of the specimens of the series, each once."""
        return list(dict.fromkeys(series.specimen for series in self.series))

    @property
    def membranes(self) -> tuple[str, ...]:
        """Classes of surfaces, which are segmented and not picked, and have no orientation."""
        section = self.spec.config.specimen
        if isinstance(section, BuiltSpecimen):
            return tuple(group.name for group in section.membranes)
        return _MEMBRANES_OF_FILES

    def stack_shape(self, series: Series) -> tuple[int, int, int]:
        """Return the number of tilts, rows and columns of a series."""
        return self.spec.geometry.stack_shape(series.specimen)

    def tilts(self, series: Series, modality: str) -> Iterator[NDArray[np.float32]]:
        """Return the tilts of a series one by one, ``(y, x)`` float32."""
        store = stack_group(self.spec.folder, owning_item(series, modality), modality)
        return (read_tilt(store, modality, tilt) for tilt in range(self.stack_shape(series)[0]))

    def geometry(self, series: Series, modality: str) -> TiltGeometry:
        """Return the tilt geometry of a series, with exposures where its images have any."""
        spec = self.spec
        own, imaging = spec.geometry.acquisition(series.specimen), self._imaging(series, modality)
        order = acquisition_order(own.tilt_angles, spec.config.microscope.tilt_order)
        if imaging is not None:
            return _add_exposures(self._align(series, modality), imaging, order)
        exposed = self._exposed(series, modality)
        if exposed is None:
            return TiltGeometry(own.tilt_angles, own.pixel_size_A)
        return TiltGeometry(
            own.tilt_angles,
            own.pixel_size_A,
            exposure_e_per_A2=np.full(own.tilt_angles.size, exposed.dose_e_per_A2),
            acquisition_order=order,
        )

    def _align(self, series: Series, modality: str) -> TiltGeometry:
        """Return angles and displacements of a series, the true ones where they are asked for and differ."""
        own = self.spec.geometry.acquisition(series.specimen)
        if modality != SIMULATED or self.alignment is SeriesAlignment.NOMINAL:
            return TiltGeometry(own.tilt_angles, own.pixel_size_A)
        true = draw_imaging_conditions(self.spec.config, series.specimen, own)
        shift_A = true.shift_A if true.shift_A.any() else None
        return TiltGeometry(true.tilt_angles, own.pixel_size_A, shift_A=shift_A)

    def _imaging(self, series: Series, modality: str) -> Imaging | None:
        """Return the conditions under which the specimen's signal was imaged, ``None`` where it was only projected."""
        return open_modality_imaging(self.spec, owning_item(series, modality), modality)

    def _exposed(self, series: Series, modality: str) -> Acquisition | None:
        """Return the acquisition whose exposures the style of a modality shows, ``None`` where it is not known.

        It is that of the simulated reference with the largest weight; those of recorded references are not known.
        """
        spec = self.spec
        weights = spec.blend_weights(series.reference)
        specimens = {name: open_reference(spec, name).simulated_specimen for name in weights}
        if modality == "noiseless" or None in specimens.values():
            return None
        specimen = specimens[spec.main_reference(series.reference)]
        assert specimen is not None
        return spec.geometry.acquisition(specimen)

    def ctf(self, series: Series, modality: str) -> SeriesCtf | None:
        """Return the contrast transfer that the specimen's signal in the images has, ``None`` where it has none.

        Without one of its own, a transfer takes the texture of its reference, and leaves the signal without a CTF.
        """
        imaging = self._imaging(series, modality)
        if imaging is None:
            return None
        optics = imaging.microscope.optics
        return SeriesCtf(
            tuple(exposure.defocus for exposure in imaging.exposures),
            series.name,
            optics.voltage_kV,
            optics.spherical_aberration_mm,
            optics.amplitude_contrast,
        )

    def optics(self, series: Series, modality: str) -> Optics:
        """Return the constants of the microscope of a series' images: those of their CTF, or else the run file's."""
        ctf = self.ctf(series, modality)
        optics = self.spec.config.microscope.optics
        return optics if ctf is None else ctf.complete(optics)

    def tomogram(self, series: Series, modality: str) -> zarr.Array | None:
        """Return a tomogram ``(z, y, x)`` in its store, or ``None`` if the data set makes none."""
        if modality not in self.spec.config.reconstruction.modalities:
            return None
        return open_array(self._tomogram(series, modality).group, modality, "r")

    def half_tomograms(self, series: Series, modality: str) -> Iterator[tuple[Half, zarr.Array]]:
        """Iterate over the tomograms of halves of the tilts of a modality, where the data set makes any."""
        for tomogram in list_tomograms(self.spec, series):
            if tomogram.modality == modality and tomogram.half is not None:
                yield tomogram.half, open_array(tomogram.group, tomogram.array_name, "r")

    def _tomogram(self, series: Series, modality: str) -> Tomogram:
        return Tomogram(self.spec, owning_item(series, modality), modality)

    def check_reconstructed(self, modality: str, reason: str) -> None:
        """Raise an error if the data set makes no tomograms of a modality.

        Parameters
        ----------
        modality
            Name of the modality.
        reason
            Use of the tomograms, for the message.

        Raises
        ------
        InputError
            If there are none.
        """
        if modality not in self.spec.config.reconstruction.modalities:
            raise InputError(
                f"{reason}, and there are none of {modality}; make them first: "
                f"`faket-dask reconstruct {self.dataset.folder} --modality {modality}`"
            )

    def class_labels(self) -> dict[str, int]:
        """Return the label of each class in the masks of all specimens, in increasing order.

        Raises
        ------
        InputError
            If two specimens give one class different labels, or one label to two classes.
        """
        labels: dict[str, int] = {}
        owners: dict[int, str] = {}
        for specimen in self.specimens:
            for name, label in self.class_ids(specimen).items():
                owner = owners.setdefault(label, name)
                if labels.setdefault(name, label) != label or owner != name:
                    raise InputError(
                        f"an export has one label for each class, and {name} is {label} in specimen {specimen}, "
                        f"where {owner} is {labels[owner]} in another; give the specimens the same labels"
                    )
        return dict(sorted(labels.items(), key=lambda item: item[1]))

    def view(self, specimen: str) -> Grid:
        """Return the grid of a specimen's voxels in the field of view."""
        return view_grid(self.spec, specimen)

    def grid(self, series: Series) -> Grid:
        """Return the grid of a series' tomograms where it has any, otherwise that of its specimen in view."""
        reconstructed = [
            name for name in self.modalities if name in self.spec.config.reconstruction.modalities
        ]
        if reconstructed:
            return tomogram_grid(self._tomogram(series, reconstructed[0]))
        return self.view(series.specimen)

    def volume(self, specimen: str, name: str, grid: Grid) -> ArrayLike3D:
        """Return ``density``, ``class_mask`` or ``instance_mask`` of a specimen on a grid, nearest voxels."""
        return grid.sample(open_array(self.spec.folder.volume(specimen), name, "r"))

    def density(self, specimen: str, grid: Grid) -> ArrayLike3D:
        """Return the density of a specimen on a grid, without aliasing."""
        return grid.resample(open_array(self.spec.folder.volume(specimen), "density", "r"))

    def particles(self, specimen: str, grid: Grid) -> ParticleTable:
        """Return the labelled particles of a specimen that are centred on a grid, in Å from its first voxel.

        Carbon and contamination are in the masks alone.
        """
        table = grid.particles(read_particles(self.spec.folder.particles(specimen)))
        table = table.select(~np.isin(table.class_name, DEPOSITS))
        # Negative zeros would become "-0.0" in text.
        return replace(table, centre_A=table.centre_A + 0.0, rotation=table.rotation + 0.0)

    def tracks(self, specimen: str, grid: Grid) -> HelicalTracks | None:
        """Return the places on filaments of the particles that `particles` returns, ``None`` without filaments."""
        path = self.spec.folder.filaments(specimen)
        if not path.is_file():
            return None
        table, lines = self.particles(specimen, grid), read_centre_lines(path)
        origin_A = np.array(grid.origin[::-1]) * grid.specimen_voxel_size_A
        tube, track_A = np.zeros(len(table), np.int64), np.zeros(len(table))
        in_filaments = np.isin(table.class_name, np.unique(lines.class_name))
        for number, points_A in lines.lines().items():
            rows = np.flatnonzero(in_filaments & (table.parent == number))
            if len(points_A) > 1:
                tube[rows], track_A[rows] = number, measure_track(table.centre_A[rows], points_A - origin_A)
        return HelicalTracks(tube, track_A)

    def class_ids(self, specimen: str) -> dict[str, int]:
        """Return the label of each class in the masks of a specimen."""
        attributes: Any = zarr.open_group(self.spec.folder.volume(specimen), mode="r").attrs.asdict()
        return {str(name): int(number) for name, number in attributes["class_ids"].items()}


def _add_exposures(geometry: TiltGeometry, imaging: Imaging, order: NDArray[np.int64]) -> TiltGeometry:
    """Return a geometry with the exposures of its tilts; of two with equal ones before them, `order` has the first."""
    doses = np.array([exposure.dose_e_per_A2 for exposure in imaging.exposures])
    before = np.array([exposure.before_e_per_A2 for exposure in imaging.exposures])
    rank = np.argsort(np.lexsort((order, before)))
    left_out = before - exposure_before(rank, doses)
    return replace(
        geometry,
        exposure_e_per_A2=doses,
        acquisition_order=rank,
        left_out_exposure_e_per_A2=left_out if np.abs(left_out).max(initial=0) > _SAME_EXPOSURE else None,
    )
