"""Units that study references: `measure` takes statistics per tilt, `targets` the Gram matrices of a tilt."""

from typing import Any

import numpy as np

from faket_dask.dataset.blueprint import Blueprint
from faket_dask.dataset.references import believed_pixels, clean_tilt, reference_tilt, scaling_of, style_tilt
from faket_dask.dataset.stores import ArraySpec, open_array, write_vector
from faket_dask.dataset.units.attributes import describe_group
from faket_dask.dataset.units.unit import OwnedArray, Record, Stage
from faket_dask.kernels.noise import noise_curves
from faket_dask.kernels.spectral_noise import CELLS
from faket_dask.kernels.vgg import channels
from faket_dask.stages.networks import network_of
from faket_dask.stages.process import prepare_process
from faket_dask.stages.scaling import tilt_extrema
from faket_dask.stages.synthesis import recorded_spectrum
from faket_dask.stages.transfer import GramTargets, style_targets

MEASURED = ("mean", "std", "low", "high", "masked")
"""Of the pixels of a tilt that are believed; `masked` is the share of those that are not."""

PAIRED = ("signal_scale", "noise_scale")


def _prepare(blueprint: Blueprint, reference: str) -> None:
    path = blueprint.layout.reference(reference)
    angles = blueprint.reference_angles(reference)
    style = blueprint.config.style
    describe_group(
        path,
        blueprint,
        blueprint.reference_pixel_size_A(reference),
        reference=reference,
        weights=style.weights,
        weights_sha256=blueprint.inputs.weights_checksum,
    )
    write_vector(path, "tilt_angle", "tilt", angles, {"units": "degrees"})


def _statistics(blueprint: Blueprint, reference: str) -> list[OwnedArray]:
    tilts = blueprint.reference_angles(reference).size
    names = MEASURED + (PAIRED if blueprint.config.noise.statistics == "paired" else ())
    arrays: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {name: (("tilt",), ()) for name in names}
    if blueprint.measures_spectra:
        arrays["power"] = (("tilt", "off_or_on_axes", "ring"), (2, blueprint.spectrum_rings))
        arrays["directions"] = (("tilt", "frequency_y", "frequency_x"), CELLS)
    return [
        OwnedArray(
            blueprint.layout.reference(reference),
            ArraySpec(
                name, dims, (tilts, *size), (tilts, *size), "float64", None, {"coordinates": "tilt_angle"}
            ),
            lambda index, axes=len(dims): (0,) * axes,  # type: ignore[misc]
        )
        for name, (dims, size) in arrays.items()
    ]


def _measure(blueprint: Blueprint, reference: str, index: int) -> Record:
    tilts = blueprint.reference_angles(reference).size
    found: dict[str, list[Any]] = {owned.spec.name: [] for owned in _statistics(blueprint, reference)}
    for tilt in range(tilts):
        image = reference_tilt(blueprint, reference, tilt)
        seen = believed_pixels(blueprint, reference, tilt)
        low, high = tilt_extrema(image[seen], blueprint.config.style.clip_percent)
        found["low"].append(low)
        found["high"].append(high)
        mean, std = (float(f(image[seen], dtype=np.float64)) for f in (np.mean, np.std))
        if blueprint.measures_spectra:
            spectrum, power, moments = recorded_spectrum(image, blueprint.spectrum_rings)
            found["power"].append(power)
            found["directions"].append(spectrum.directions)
            if blueprint.config.noise.statistics == "unpaired":
                mean, std = moments
        found["mean"].append(mean)
        found["std"].append(std)
        found["masked"].append(1 - float(seen.mean()))
        clean = clean_tilt(blueprint, reference, tilt)
        if clean is not None and blueprint.config.noise.statistics == "paired":
            curves = noise_curves(image[seen][None, None], clean[seen][None, None])
            found["signal_scale"].append(float(curves.signal_scale[0]))
            found["noise_scale"].append(float(curves.noise_scale[0]))
    for owned in _statistics(blueprint, reference):
        open_array(owned.group, owned.spec.name)[...] = np.asarray(found[owned.spec.name])
    return {"tilts": tilts, "masked": float(np.mean(found["masked"]))}


def _grams(blueprint: Blueprint, reference: str) -> list[OwnedArray]:
    tilts = blueprint.reference_angles(reference).size
    return [
        OwnedArray(
            blueprint.layout.reference(reference),
            ArraySpec(
                gram_name(layer),
                ("tilt", f"channel_{layer}", f"other_channel_{layer}"),
                (tilts, channels(layer), channels(layer)),
                (1, channels(layer), channels(layer)),
                attributes={"coordinates": "tilt_angle"},
            ),
            lambda index: (index, 0, 0),
        )
        for layer in blueprint.config.style.style_layers
    ]


def _targets(blueprint: Blueprint, reference: str, index: int) -> Record:
    prepare_process(blueprint.config.style.threads)
    image = style_tilt(blueprint, reference, index)
    targets = style_targets(
        network_of(blueprint.config.style, blueprint.inputs.weights_checksum),
        image,
        scaling_of(blueprint, reference),
        blueprint.config.style.style_layers,
        blueprint.config.style.tile_px,
    )
    for layer, gram in targets.items():
        open_array(blueprint.layout.reference(reference), gram_name(layer))[index] = gram
    return {"pixels": int(image.size)}


def gram_name(layer: int) -> str:
    return f"gram_{layer}"


def read_targets(blueprint: Blueprint, reference: str, tilt: int) -> GramTargets:
    """The stored Gram matrices of one reference tilt."""
    path = blueprint.layout.reference(reference)
    return {
        layer: np.asarray(open_array(path, gram_name(layer), "r")[tilt])
        for layer in blueprint.config.style.style_layers
    }


MEASURE = Stage(
    "measure",
    count=lambda blueprint, reference: 1,
    compute=_measure,
    prepare=_prepare,
    arrays=_statistics,
)

TARGETS = Stage(
    "targets",
    count=lambda blueprint, reference: blueprint.reference_angles(reference).size,
    compute=_targets,
    arrays=_grams,
)
