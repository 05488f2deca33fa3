"""Units that study references: `measure` takes statistics per tilt, `targets` the Gram matrices of a tilt."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from faket_dask.dataset.attributes import describe_group
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, open_array, write_vector
from faket_dask.engine.unit import OwnedArray, Record, Stage
from faket_dask.kernels.noise import noise_curves
from faket_dask.kernels.noise.spectral import CELLS
from faket_dask.kernels.style.gram_matching import ReferenceGrams
from faket_dask.kernels.style.scaling import tilt_extrema
from faket_dask.kernels.vgg import channels
from faket_dask.references.statistics import (
    believed_pixels,
    clean_tilt,
    reference_tilt,
    scaling_of,
    style_pixels,
    style_tilt,
)
from faket_dask.stages.networks import load_network
from faket_dask.stages.process import prepare_process
from faket_dask.stages.synthesis import measure_spectrum
from faket_dask.stages.transfer import GramTargets, style_of, style_targets

MEASURED = ("mean", "std", "low", "high", "masked")
"""Of the pixels of a tilt that are believed; `masked` is the share of those that are not."""

PAIRED = ("signal_scale", "noise_scale")

FLOOR = "floor"
"""Squared relative distance of the Gram matrices of one half of a tilt to those of the other, by style layer."""


def _prepare(spec: DatasetSpec, reference: str) -> None:
    path = spec.folder.reference(reference)
    angles = spec.reference_angles(reference)
    style = spec.config.style
    describe_group(
        path,
        spec,
        spec.reference_pixel_size_A(reference),
        reference=reference,
        weights=style.weights,
        weights_sha256=spec.inputs.weights_checksum,
    )
    write_vector(path, "tilt_angle", "tilt", angles, {"units": "degrees"})


def _statistics(spec: DatasetSpec, reference: str) -> list[OwnedArray]:
    tilts = spec.reference_angles(reference).size
    names = MEASURED + (PAIRED if spec.config.noise.statistics == "paired" else ())
    arrays: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {name: (("tilt",), ()) for name in names}
    if spec.measures_spectra:
        arrays["power"] = (("tilt", "off_or_on_axes", "ring"), (2, spec.spectrum_rings))
        arrays["directions"] = (("tilt", "frequency_y", "frequency_x"), CELLS)
    return [
        OwnedArray(
            spec.folder.reference(reference),
            ArraySpec(
                name, dims, (tilts, *size), (tilts, *size), "float64", None, {"coordinates": "tilt_angle"}
            ),
            lambda index, axes=len(dims): (0,) * axes,  # type: ignore[misc]
        )
        for name, (dims, size) in arrays.items()
    ]


def _measure(spec: DatasetSpec, reference: str, index: int) -> Record:
    tilts = spec.reference_angles(reference).size
    found: dict[str, list[Any]] = {owned.spec.name: [] for owned in _statistics(spec, reference)}
    for tilt in range(tilts):
        image = reference_tilt(spec, reference, tilt)
        seen = believed_pixels(spec, reference, tilt)
        low, high = tilt_extrema(image[seen], spec.config.style.clip_percent)
        found["low"].append(low)
        found["high"].append(high)
        mean, std = (float(f(image[seen], dtype=np.float64)) for f in (np.mean, np.std))
        if spec.measures_spectra:
            recorded = reference in spec.inputs.recordings
            spectrum, power, moments = measure_spectrum(
                image, spec.spectrum_rings, seen if recorded else None
            )
            found["power"].append(power)
            found["directions"].append(spectrum.directions)
            if spec.config.noise.statistics == "unpaired":
                mean, std = moments
        found["mean"].append(mean)
        found["std"].append(std)
        found["masked"].append(1 - float(seen.mean()))
        clean = clean_tilt(spec, reference, tilt)
        if clean is not None and spec.config.noise.statistics == "paired":
            curves = noise_curves(image[seen][None, None], clean[seen][None, None])
            found["signal_scale"].append(float(curves.signal_scale[0]))
            found["noise_scale"].append(float(curves.noise_scale[0]))
    for owned in _statistics(spec, reference):
        open_array(owned.group, owned.spec.name)[...] = np.asarray(found[owned.spec.name])
    return {"tilts": tilts, "masked": float(np.mean(found["masked"]))}


def _grams(spec: DatasetSpec, reference: str) -> list[OwnedArray]:
    tilts = spec.reference_angles(reference).size
    path, style = spec.folder.reference(reference), spec.config.style
    floors = []
    if style.method == "matched":
        shape = (tilts, len(style.style_layers))
        array = ArraySpec(
            FLOOR,
            ("tilt", "style_layer"),
            shape,
            (1, shape[1]),
            "float64",
            attributes={"coordinates": "tilt_angle"},
        )
        floors.append(OwnedArray(path, array, lambda index: (index, 0)))
    return floors + [
        OwnedArray(
            path,
            ArraySpec(
                gram_name(layer),
                ("tilt", f"channel_{layer}", f"other_channel_{layer}"),
                (tilts, channels(layer), channels(layer)),
                (1, channels(layer), channels(layer)),
                attributes={"coordinates": "tilt_angle"},
            ),
            lambda index: (index, 0, 0),
        )
        for layer in style.style_layers
    ]


def _targets(spec: DatasetSpec, reference: str, index: int) -> Record:
    section = spec.config.style
    prepare_process(section.threads)
    image = style_tilt(spec, reference, index)
    network = load_network(section, spec.inputs.weights_checksum)
    path = spec.folder.reference(reference)
    targets: Mapping[int, np.ndarray]
    if section.method == "matched":
        seen = style_pixels(spec, reference, index)
        style = style_of(network, image, seen, section.style_layers, section.tile_px)
        open_array(path, FLOOR)[index] = [style.floor[layer] for layer in section.style_layers]
        targets = style.grams
    else:
        scaling = scaling_of(spec, reference, index)
        targets = style_targets(network, image, scaling, section.style_layers, section.tile_px)
    for layer, gram in targets.items():
        open_array(path, gram_name(layer))[index] = gram
    return {"pixels": int(image.size)}


def gram_name(layer: int) -> str:
    return f"gram_{layer}"


def read_targets(spec: DatasetSpec, reference: str, tilt: int) -> GramTargets:
    """The stored Gram matrices of one reference tilt."""
    path = spec.folder.reference(reference)
    return {
        layer: np.asarray(open_array(path, gram_name(layer), "r")[tilt])
        for layer in spec.config.style.style_layers
    }


def read_style(spec: DatasetSpec, reference: str, tilt: int) -> ReferenceGrams:
    """The stored style of one reference tilt, for the method `matched`."""
    floor = open_array(spec.folder.reference(reference), FLOOR, "r")[tilt]
    layers = spec.config.style.style_layers
    return ReferenceGrams(
        read_targets(spec, reference, tilt), dict(zip(layers, np.asarray(floor).tolist(), strict=True))
    )


MEASURE = Stage(
    "measure",
    count=lambda spec, reference: 1,
    compute=_measure,
    prepare=_prepare,
    arrays=_statistics,
)

TARGETS = Stage(
    "targets",
    count=lambda spec, reference: spec.reference_angles(reference).size,
    compute=_targets,
    arrays=_grams,
)
