"""Stages that make specimens: `place` draws the particle table, `build` renders density and labels by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from faket_dask.config import BuiltSpecimen
from faket_dask.dataset.attributes import describe_classes, describe_group
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.label_checks import find_misplaced_labels
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.specimens import open_specimen_source
from faket_dask.engine.arrays import ArraySpec, OwnedArray, create_array, open_array, write_vector
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.modalities import SIMULATED
from faket_dask.pipeline.costs import INTERPRETER_BYTES, block_voxels
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.specimen_costs import estimate_specimen
from faket_dask.specimen.membranes.cache import MOST_BYTES
from faket_dask.specimen.particles import particle_table, read_particles
from faket_dask.specimen.recipe import Recipe
from faket_dask.stages.seeds import Purpose, generator

VOLUMES = {"density": "float32", "class_mask": "uint8", "instance_mask": "uint16"}
"""Arrays of a specimen's volume with their types."""

COMPARTMENTS = "compartment_mask"
"""Array of a specimen with membranes: which of them encloses a voxel."""

ATTRIBUTES = {
    "density": {"units": "V", "long_name": "potential over that of ice"},
    "class_mask": {"long_name": "class"},
    "instance_mask": {"long_name": "instance number in the particle table"},
    COMPARTMENTS: {
        "long_name": "instance number of the innermost membrane around a voxel, 0 outside of all and in bilayers"
    },
}
"""Attributes of these arrays."""

FILLED = ("molecular_fraction", "occupied_fraction")
"""Findings of placed specimens: shares of the volume that molecules fill, and of the voxels that objects take."""

BUILD_BYTES_PER_VOXEL = 19
"""Density twice while the particles displace each other, that of filaments, the two masks, and the encoder's copy."""


def list_volumes(spec: DatasetSpec) -> dict[str, str]:
    """Return the arrays of a specimen's volume with their types, the compartments of membranes included."""
    section = spec.config.specimen
    if isinstance(section, BuiltSpecimen) and any(group.is_closed for group in section.membranes):
        return {**VOLUMES, COMPARTMENTS: "uint16"}
    return VOLUMES


def list_specimens(spec: DatasetSpec) -> list[Item]:
    """Return the specimens of the data set, and those that its simulated references image."""
    from faket_dask.references import open_reference

    references = (open_reference(spec, name) for name in spec.used_references) if spec.makes_series else ()
    simulated = (reference.simulated_specimen for reference in references)
    own = dict.fromkeys(series.specimen for series in spec.series)
    return [Item(name) for name in (*own, *(name for name in simulated if name))]


def list_imaged_specimens(spec: DatasetSpec) -> list[Item]:
    """Return the specimens whose benchmark is kept, and those that simulated references image."""
    own = {series.specimen for series in spec.series}
    kept = own if SIMULATED in spec.config.outputs.modalities else set()
    return [item for item in list_specimens(spec) if item.owner in kept or item.owner not in own]


class PlaceParticles(Stage[DatasetSpec]):
    """Draw where particles, membranes and beads of a specimen lie."""

    name = "place"
    label = "place"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all specimens."""
        return list_specimens(spec)

    def stores(self, spec: DatasetSpec, item: Item) -> set[Path]:
        """Return the specimen's store."""
        return {spec.folder.specimen(item.owner)}

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the specimen's store and the coordinates of its volume."""
        specimen = item.owner
        path = spec.folder.volume(specimen)
        pixel = spec.geometry.acquisition(specimen).pixel_size_A
        describe_group(spec.folder.specimen(specimen), spec, pixel, specimen=specimen)
        class_ids = open_specimen_source(spec, specimen).class_ids
        describe_group(path, spec, pixel, specimen=specimen, class_ids=class_ids)
        for axis, size in zip("zyx", spec.geometry.volume_shape(specimen), strict=True):
            write_vector(path, axis, axis, np.arange(size) * pixel, {"units": "angstrom"})

    def files(self, spec: DatasetSpec, item: Item) -> list[Path]:
        """Return the particle table, the centre lines of filaments and the faces of the ice where there are any."""
        section = spec.config.specimen
        tables = [spec.folder.particles(item.owner)]
        if isinstance(section, BuiltSpecimen) and section.filaments:
            tables.append(spec.folder.filaments(item.owner))
        if isinstance(section, BuiltSpecimen) and section.ice is not None:
            tables.append(spec.folder.faces(item.owner))
        return tables

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Draw and write the particle table, centre lines and faces; the finding `particles` counts rows by class.

        For built specimens, `molecular_fraction` is the share of the ice that molecules fill, and
        `occupied_fraction` that of the voxels that objects have taken.
        """
        from faket_dask.specimen.filaments.tracing import trace_filaments
        from faket_dask.specimen.placement import draw_placement
        from faket_dask.specimen.slab.faces_table import tabulate_faces

        source = open_specimen_source(spec, item.owner)
        if isinstance(source, Recipe):
            placement = draw_placement(
                source, generator(spec.config.dataset.seed, item.owner, Purpose.PLACEMENT)
            )
            table = placement.table
            filled = {name: round(getattr(placement, name), 4) for name in FILLED}
        else:
            table, filled = source.table or particle_table([]), {}
        table.write_csv(spec.folder.particles(item.owner))
        if isinstance(source, Recipe) and spec.folder.filaments(item.owner) in self.files(spec, item):
            trace_filaments(source, table).write_csv(spec.folder.filaments(item.owner))
        if isinstance(source, Recipe) and source.slab is not None:
            tabulate_faces(source, table).write_csv(spec.folder.faces(item.owner))
        return {"particles": table.labelled().counts(), **filled}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one specimen; how often a crowded one is tried is not known."""
        rates = load_kernel_rates(spec.threads_per_task)
        specimen = estimate_specimen(spec, rates)
        start = {"specimens": rates.specimen_start_s}
        seconds = None if specimen.place_s is None else rates.unit_s + specimen.place_s
        smallest, greatest = spec.config.acquisition.pixel_sizes_A
        if smallest == greatest:
            start["templates"] = specimen.templates_s
        elif seconds is not None:  # every specimen has templates of its own
            seconds += specimen.templates_s
        return UnitCost(seconds, INTERPRETER_BYTES + specimen.place_bytes, 0, start=start)


class BuildVolume(Stage[DatasetSpec]):
    """Render density and labels of a block of rows."""

    name = "build"
    label = "build-labels"
    milestone = "specimen built"
    least_stored_share = 0.0  # empty volumes compress to nothing

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all specimens."""
        return list_specimens(spec)

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the placement of the specimen's particles."""
        return [BatchKey(PlaceParticles.name, item)]

    def count(self, spec: DatasetSpec, item: Item) -> int:
        """Return the number of blocks."""
        return spec.geometry.block_count

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return density, class mask, instance mask and, where there are closed membranes, compartments."""
        shape = spec.geometry.volume_shape(item.owner)
        return [
            OwnedArray(
                spec.folder.volume(item.owner),
                ArraySpec(
                    name,
                    ("z", "y", "x"),
                    shape,
                    (shape[0], BLOCK_ROWS, shape[2]),
                    dtype,
                    attributes=ATTRIBUTES[name],
                ),
                unit_axes=(1,),
            )
            for name, dtype in list_volumes(spec).items()
        ]

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the class mask with the names of its values, which only an opened source knows."""
        classes = describe_classes(open_specimen_source(spec, item.owner).class_ids)
        for owned in self.arrays(spec, item):
            if owned.spec.name == "class_mask":
                attributes = {**ATTRIBUTES["class_mask"], **classes}
                create_array(owned.group, replace(owned.spec, attributes=attributes))

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Render and write one block."""
        from faket_dask.specimen.membranes.compartments import map_compartments
        from faket_dask.specimen.render import render_block

        source = open_specimen_source(spec, item.owner)
        rows = spec.geometry.block_rows(index)
        if isinstance(source, Recipe):
            table = read_particles(spec.folder.particles(item.owner))
            block = render_block(source, table, rows.start, rows.stop)
            if COMPARTMENTS in list_volumes(spec):
                compartments = map_compartments(source, table, rows.start, rows.stop)
                open_array(spec.folder.volume(item.owner), COMPARTMENTS)[:, rows, :] = compartments
        else:
            block = source.read_block(rows.start, rows.stop)
        for name in VOLUMES:
            open_array(spec.folder.volume(item.owner), name)[:, rows, :] = getattr(block, name)
        return {}

    def check_contents(self, spec: DatasetSpec, item: Item) -> Iterator[str]:
        """Yield contradictions between the masks and the particle table."""
        yield from find_misplaced_labels(spec, item.owner)

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one block."""
        rates, voxels = load_kernel_rates(spec.threads_per_task), block_voxels(spec)
        memory = INTERPRETER_BYTES + BUILD_BYTES_PER_VOXEL * voxels
        if COMPARTMENTS in list_volumes(spec):
            memory += MOST_BYTES
        written = sum(np.dtype(dtype).itemsize for dtype in list_volumes(spec).values()) * voxels
        seconds = rates.unit_s + rates.store_s_per_byte * written
        if isinstance(spec.config.specimen, BuiltSpecimen):
            seconds += rates.draw_s_per_voxel * voxels
            seconds += estimate_specimen(spec, rates).render_s / spec.geometry.block_count
        else:
            seconds += rates.load_s_per_byte * written
        return UnitCost(seconds, memory, written)
