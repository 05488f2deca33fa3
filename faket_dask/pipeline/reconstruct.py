"""Stages that reconstruct tomograms of a data set; their computation is `faket_dask.pipeline.tomogram_stages`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from faket_dask.dataset.attributes import describe_group, write_tilt_angles
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomogram_chunks import SLAB_LAYERS
from faket_dask.dataset.tomograms import Tomogram, list_tomograms
from faket_dask.engine.arrays import write_vector
from faket_dask.engine.stage import BatchKey, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.kernels.defocus_gradient import count_strip_pixels
from faket_dask.modalities import MODALITIES, SIMULATED
from faket_dask.pipeline.costs import INTERPRETER_BYTES, cuda_bytes, tilt_pixels
from faket_dask.pipeline.imaged_tomogram import ImagedTomogram
from faket_dask.pipeline.kernel_rates import KernelRates, load_kernel_rates
from faket_dask.pipeline.tomogram_stages import BackProjectPieces, FilterStack
from faket_dask.references.imaging import open_modality_imaging
from faket_dask.stages.reconstruction import binned_shape, choose_tilts, weighs_spans

FILTER_BYTES_PER_PIXEL = 60
"""The tilt binned, its transform, and the filter in double precision with what it is made from."""

BACK_PROJECTION_BYTES = 5 * 2**28
"""Intermediate results of a back-projection on a GPU: about five arrays of a quarter of a gigabyte."""


def _list_all(spec: DatasetSpec) -> Iterator[Tomogram]:
    return (tomogram for series in spec.series for tomogram in list_tomograms(spec, series))


def fingerprint_tomograms(spec: DatasetSpec) -> str:
    """Return the digest of what tomograms depend on: the data set's fingerprint, and their own settings."""
    settings = spec.config.reconstruction.list_settings()
    spacings = (tomogram.tilt_angles for tomogram in _list_all(spec))
    if any(weighs_spans(spec.config.reconstruction.filter, angles) for angles in spacings):
        settings["span_weights"] = True
    return f"{spec.fingerprint}/{json.dumps(settings, separators=(',', ':'))}"


def check_restorable(spec: DatasetSpec, modalities: Iterable[str]) -> None:
    """Refuse a correction of images that were not recorded through a microscope.

    Noiseless projections, which are there to compare with, are reconstructed as they are.

    Parameters
    ----------
    spec
        Specification of the data set.
    modalities
        Modalities whose tomograms were asked for.

    Raises
    ------
    InputError
        Naming the settings and the modalities whose images show neither defocus nor exposures.
    """
    section = spec.config.reconstruction
    if section.halves and modalities:
        _check_halves(spec)
    settings = {
        f"ctf: {section.ctf}": section.ctf_method is not None,
        "dose_weighting: true": section.dose_weighting,
        "halves: dose": "dose" in section.halves,
    }
    asked = " and ".join(f"`{setting}`" for setting, is_on in settings.items() if is_on)
    if not asked:
        return
    series = spec.series[0]
    without = [
        name
        for name in modalities
        if not MODALITIES.get(name).always_kept
        and open_modality_imaging(spec, owning_item(series, name), name) is None
    ]
    if without:
        raise InputError(
            f"reconstruction: {asked} needs the defocus and the exposure of each tilt, and the images of "
            f"{', '.join(without)} passed through no microscope; reconstruct {SIMULATED}, give the signal a contrast "
            "transfer (`signal.ctf`), or leave the setting out"
        )


def _check_halves(spec: DatasetSpec) -> None:
    """Refuse to halve fewer than two tilts."""
    stride = spec.config.reconstruction.tilt_stride
    for specimen in spec.specimens:
        angles = spec.geometry.acquisition(specimen).tilt_angles
        if choose_tilts(angles, stride).size < 2:
            raise InputError(
                f"reconstruction.halves: a tomogram of {specimen} has one tilt, which cannot be halved; leave `halves` "
                "out, or give more tilts"
            )


class FilterTilts(FilterStack[DatasetSpec]):
    """Bin and filter one tilt of a tomogram."""

    name = "filter"
    label = "filter-projection"

    def open_source(self, spec: DatasetSpec, item: Item) -> ImagedTomogram:
        """Return the tomogram of an item."""
        return ImagedTomogram.from_item(spec, item)

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all tomograms but those of halves, which share the filtered tilts."""
        return list(dict.fromkeys(tomogram.filtered_item for tomogram in _list_all(spec)))

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the tilt-series."""
        return [BatchKey(MODALITIES.get(item.part).stage, Item(item.owner))]

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the groups and coordinates of the tomogram and its filtered tilts."""
        tomogram = self.open_source(spec, item)
        settings: dict[str, Any] = tomogram.section.model_dump(
            mode="json",
            exclude={"modalities", "thickness_A", "ctf", "wiener_snr", "dose_weighting", "halves"},
        )
        pixel = tomogram.acquisition.pixel_size_A
        for group in (tomogram.group, tomogram.filtered_group):
            describe_group(group, spec, pixel, voxel_size_A=tomogram.voxel_size_A, **settings)
        coordinates = tomogram.coordinates()
        for axis, places in coordinates.items():
            write_vector(tomogram.group, axis, axis, places, {"units": "angstrom"})
        write_vector(tomogram.filtered_group, "y", "y", coordinates["y"], {"units": "angstrom"})
        write_tilt_angles(tomogram.filtered_group, tomogram.tilt_angles)

    def fingerprint(self, spec: DatasetSpec) -> str:
        """Return the digest with the settings of tomograms, on which no other stage depends."""
        return fingerprint_tomograms(spec)

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt."""
        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        tomograms = list_tomograms(spec, spec.series[0])
        _, rows, columns = tomograms[0].filtered_shape
        memory = INTERPRETER_BYTES + FILTER_BYTES_PER_PIXEL * pixels
        section = spec.config.reconstruction
        seconds = (
            rates.unit_s + rates.load_s_per_byte * 4 * pixels + rates.store_s_per_byte * 4 * rows * columns
        )
        seconds += rates.filter_s_per_pixel * pixels / section.binning**2
        if section.binning > 1:
            seconds += rates.filter_s_per_pixel * pixels
        if section.erase_beads:
            seconds += 2 * rates.grow(rates.mask_s_per_pixel, min(spec.geometry.tilt_shape)) * pixels
        whole = [self.open_source(spec, item) for item in {each.filtered_item for each in tomograms}]
        seconds += sum(_estimate_restoration(tomogram, rates) for tomogram in whole) / len(whole)
        return UnitCost(seconds, memory, 4 * rows * columns)


def _estimate_restoration(tomogram: ImagedTomogram, rates: KernelRates) -> float:
    """Estimate the seconds in which a tilt is corrected, on average over those of a tomogram."""
    restoration, binning = tomogram.restoration, tomogram.section.binning
    if restoration is None:
        return 0.0
    shape = binned_shape(tomogram.spec.geometry.tilt_shape, binning)
    seconds = 0.0 if restoration.dose is None else rates.weigh_s_per_pixel * shape[0] * shape[1]
    if restoration.ctf is not None:
        pixel, optics, angles = (
            restoration.pixel_size_A * binning,
            restoration.ctf.optics,
            tomogram.tilt_angles,
        )
        strips = [
            count_strip_pixels(shape, pixel, optics, float(angle), defocus)
            for angle, defocus in zip(angles, restoration.ctf.defocus, strict=True)
        ]
        seconds += rates.correct_s_per_pixel * sum(strips) / len(strips)
    return seconds


class ReconstructTomogram(BackProjectPieces[DatasetSpec]):
    """Back-project one slab of one block of rows."""

    name = "reconstruct"
    label = "reconstruct-block"

    def open_source(self, spec: DatasetSpec, item: Item) -> ImagedTomogram:
        """Return the tomogram of an item."""
        return ImagedTomogram.from_item(spec, item)

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all tomograms."""
        return list(dict.fromkeys(tomogram.item for tomogram in _list_all(spec)))

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the filtered tilts."""
        return [BatchKey(FilterTilts.name, self.open_source(spec, item).filtered_item)]

    def fingerprint(self, spec: DatasetSpec) -> str:
        """Return the digest with the settings of tomograms, on which no other stage depends."""
        return fingerprint_tomograms(spec)

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one piece."""
        from faket_dask.kernels.backprojection_binned import FINE_LAYERS

        rates, section = load_kernel_rates(spec.threads_per_task), spec.config.reconstruction
        tomograms = list_tomograms(spec, spec.series[0])
        tomogram = tomograms[0]
        filtered, rows, columns = tomogram.filtered_shape
        members = [self.open_source(spec, each.item).members.size for each in tomograms]
        tilts = sum(members) / len(members)
        block = min(BLOCK_ROWS, rows) * columns
        voxels = min(SLAB_LAYERS, tomogram.shape[0]) * block // section.post_binning
        seconds = rates.back_project_s_per_voxel * section.post_binning**2 * voxels * tilts
        # the rows twice, the piece, and the encoder's copy; layers of full resolution, and low-passed
        memory = INTERPRETER_BYTES + 8 * filtered * BLOCK_ROWS * columns + 8 * voxels
        memory += 8 * FINE_LAYERS * block if section.post_binning > 1 else 0
        if section.device == "cuda":
            return UnitCost(None, memory, 4 * voxels, cuda_bytes(memory) + BACK_PROJECTION_BYTES)
        seconds += (
            rates.unit_s + rates.load_s_per_byte * 4 * tilts * block + rates.store_s_per_byte * 4 * voxels
        )
        return UnitCost(seconds, memory, 4 * voxels)
