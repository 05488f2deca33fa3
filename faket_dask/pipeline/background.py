"""Stage that draws the matter that a series' tilts share beside the specimen, and projects it at all angles."""

from __future__ import annotations

import math

import numpy as np

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.pipeline.costs import INTERPRETER_BYTES, estimate_projection_reading, tilt_pixels
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.project import ProjectVolume
from faket_dask.pipeline.reference import MeasureStatistics
from faket_dask.pipeline.series_arrays import BACKGROUND, BACKGROUND_POWER, MATTER_POWER, describe_series
from faket_dask.stages.seeds import Purpose, generator

BYTES_PER_PIXEL = 24
"""Transforms of all tilts, each as wide as rays at the steepest angle need, twice in single precision."""


LAYER_BYTES = 32
"""Random layers of one frequency along x, and their phases, for each row and voxel of the thickness."""


def background_depth(spec: DatasetSpec, series: str) -> int:
    """Return the thickness of the slab of shared matter in voxels: the run file's, or that of the specimen."""
    given = spec.config.background.thickness_A
    if given is None:
        return spec.geometry.volume_shape(spec.series_by_name[series].specimen)[0]
    return max(1, round(given / spec.geometry.acquisition(series).pixel_size_A))


class DrawBackground(Stage[DatasetSpec]):
    """Draw and project the shared matter of a series."""

    name = "background"
    label = "background-draw"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all series, if their tilts share matter."""
        return [Item(series.name) for series in spec.series] if spec.shares_background else []

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the specimen's projections and the statistics of the references."""
        series = spec.series_by_name[item.owner]
        references = spec.blend_weights(series.reference)
        statistics = [BatchKey(MeasureStatistics.name, Item(name)) for name in references]
        return [BatchKey(ProjectVolume.name, Item(series.specimen)), *statistics]

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the series' groups and coordinates."""
        describe_series(spec, item.owner)

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return the stack of projections, and the spectrum of the matter."""
        from faket_dask.references.statistics import count_rings

        tilts, rows, columns = spec.geometry.stack_shape(item.owner)
        path, rings = spec.folder.series_tilts(item.owner), count_rings(spec)
        stack = ArraySpec(
            BACKGROUND,
            ("tilt", "y", "x"),
            (tilts, rows, columns),
            (1, rows, columns),
            attributes={
                "units": "V voxel",
                "long_name": "negated ray sums of the matter that all tilts share beside the specimen",
                **STACK_ATTRIBUTES,
            },
        )
        spectra = [
            ArraySpec(name, ("ring",), (rings,), (rings,), "float64", attributes={"units": "V^2"})
            for name in (MATTER_POWER, BACKGROUND_POWER)
        ]
        return [OwnedArray(path, array) for array in (stack, *spectra)]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Draw, project and write all tilts."""
        from faket_dask.kernels.random_slab import interpolate_rings, project_random_slab
        from faket_dask.pipeline.matter import fit_matter, measure_specimen_matter

        path = spec.folder.series_tilts(item.owner)
        matter = fit_matter(spec, item.owner)
        specimen = measure_specimen_matter(spec, spec.series_by_name[item.owner].specimen)
        power = np.maximum(matter - specimen, 0.0)
        open_array(path, MATTER_POWER)[...] = matter
        open_array(path, BACKGROUND_POWER)[...] = power
        stack = open_array(path, BACKGROUND)
        tilts = project_random_slab(
            interpolate_rings(power),
            spec.geometry.tilt_shape,
            background_depth(spec, item.owner),
            spec.geometry.acquisition(item.owner).tilt_angles,
            generator(spec.config.dataset.seed, spec.series_by_name[item.owner].stream, Purpose.BACKGROUND),
            spec.config.background.inclination_deg,
        )
        for tilt, image in enumerate(tilts):
            stack[tilt] = -image
        return {}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one series."""
        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        tilts = spec.geometry.tilt_counts[1]
        inclination = spec.config.background.inclination_deg
        steepest = max(abs(angle + inclination) for angle in spec.config.acquisition.end_angles_deg)
        width = 1 / math.cos(math.radians(steepest))
        depth = background_depth(spec, spec.series[0].name)
        memory = INTERPRETER_BYTES + int(BYTES_PER_PIXEL * width * pixels * tilts)
        memory += LAYER_BYTES * depth * spec.geometry.tilt_shape[0]
        per_tilt = rates.slab_s_per_sample * depth * pixels * width + rates.store_s_per_byte * 4 * pixels
        per_tilt += estimate_projection_reading(spec, rates) + rates.spectrum_s_per_pixel * pixels
        return UnitCost(rates.unit_s + tilts * per_tilt, memory, 4 * pixels * tilts)
