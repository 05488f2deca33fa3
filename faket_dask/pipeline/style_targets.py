"""Targets of the style transfer: measured from reference tilts, stored, and read back blended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.kernels.style.gram_matching import ReferenceGrams
from faket_dask.kernels.vgg import channels
from faket_dask.references import open_reference
from faket_dask.references.blend import WeightedTilt
from faket_dask.references.statistics import choose_scaling, style_size
from faket_dask.references.style_size import read_style_tilt, style_valid_mask
from faket_dask.stages.networks import load_network
from faket_dask.stages.process import prepare_process
from faket_dask.stages.transfer import GramTargets, style_of, style_targets

FLOOR = "floor"


def gram_name(layer: int) -> str:
    return f"gram_{layer}"


def target_arrays(spec: DatasetSpec, reference: str) -> list[OwnedArray]:
    """Return the arrays of a reference's store that hold its targets, one file of each per tilt."""
    tilts = open_reference(spec, reference).tilt_angles.size
    path, style = spec.folder.reference(reference), spec.config.style
    arrays = []
    if style.method == "matched":
        layers = len(style.style_layers)
        arrays.append(
            ArraySpec(
                FLOOR,
                ("tilt", "style_layer"),
                (tilts, layers),
                (1, layers),
                "float64",
                attributes=STACK_ATTRIBUTES,
            )
        )
    for layer in style.style_layers:
        size = channels(layer)
        arrays.append(
            ArraySpec(
                gram_name(layer),
                ("tilt", f"channel_{layer}", f"other_channel_{layer}"),
                (tilts, size, size),
                (1, size, size),
                attributes=STACK_ATTRIBUTES,
            )
        )
    return [OwnedArray(path, array, unit_axes=(0,)) for array in arrays]


def measure_targets(spec: DatasetSpec, reference: str, tilt: int) -> int:
    """Measure and write the targets of one tilt of a reference; return the number of its pixels."""
    section = spec.config.style
    prepare_process(section.threads)
    opened, size = open_reference(spec, reference), style_size(spec)
    image = read_style_tilt(opened, tilt, size)
    network = load_network(section, spec.inputs.weights_checksum)
    path = spec.folder.reference(reference)
    targets: Mapping[int, np.ndarray]
    if section.method == "matched":
        style = style_of(
            network, image, style_valid_mask(opened, tilt, size), section.style_layers, section.tile_px
        )
        open_array(path, FLOOR)[tilt] = [style.floor[layer] for layer in section.style_layers]
        targets = style.grams
    else:
        targets = style_targets(
            network, image, choose_scaling(spec, reference, tilt), section.style_layers, section.tile_px
        )
    for layer, gram in targets.items():
        open_array(path, gram_name(layer))[tilt] = gram
    return int(image.size)


def read_targets(spec: DatasetSpec, part: WeightedTilt) -> GramTargets:
    path = spec.folder.reference(part.reference)
    return {
        layer: np.asarray(open_array(path, gram_name(layer), "r")[part.tilt])
        for layer in spec.config.style.style_layers
    }


def read_style(spec: DatasetSpec, part: WeightedTilt) -> ReferenceGrams:
    floor = open_array(spec.folder.reference(part.reference), FLOOR, "r")[part.tilt]
    layers = spec.config.style.style_layers
    return ReferenceGrams(
        read_targets(spec, part), dict(zip(layers, np.asarray(floor).tolist(), strict=True))
    )


def transfer_series_tilt(
    spec: DatasetSpec, series: str, tilts: Sequence[WeightedTilt], images: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Transfer the style of the reference tilts that stand for an angle to one tilt of a series."""
    from faket_dask.pipeline.noise import SCALED, read_scaling
    from faket_dask.references.statistics import blend_statistic
    from faket_dask.stages.networks import matched_settings_of, settings_of
    from faket_dask.stages.transfer import matched, mixed_style, mixed_targets, stylise

    style = spec.config.style
    prepare_process(style.threads)
    network = load_network(style, spec.inputs.weights_checksum)
    mean, std = (blend_statistic(spec.folder, tilts, name) for name in ("mean", "std"))
    if style.method == "matched":
        return matched(
            network,
            images["start"],
            mixed_style([(read_style(spec, part), part.weight) for part in tilts]),
            mean,
            std,
            matched_settings_of(style),
            style.tile_px,
        )
    scalings = {name: read_scaling(spec, series, name) for name in SCALED}
    return stylise(
        network,
        images["start"],
        images["content"],
        scalings["start"],
        scalings["content"],
        mixed_targets([(read_targets(spec, part), part.weight) for part in tilts]),
        mean,
        std,
        settings_of(style),
        style.tile_px,
    )
