"""Units that make the series: `levels` for a whole series at once, `style` tilt by tilt.

Scaling to [0, 1] needs the extrema of the whole stack, so every tilt's noise is drawn twice: once by
`levels` to find them, once more by the tilt's `style` unit, which writes all that is kept of the tilt.
Drawing is cheap and seeded; storing whole stacks in between is neither needed nor small.
"""

from collections.abc import Mapping

import numpy as np

from faket_dask.dataset.blueprint import Blueprint
from faket_dask.dataset.references import moment_at, shares_at, statistic
from faket_dask.dataset.stores import ArraySpec, open_array, read_tilt, read_vector
from faket_dask.dataset.units.attributes import STACK_ATTRIBUTES, describe_group, write_stack_coordinates
from faket_dask.dataset.units.reference import read_targets
from faket_dask.dataset.units.unit import OwnedArray, Record, Stage
from faket_dask.kernels.noise import NoiseCurves, fit_curves
from faket_dask.stages.networks import network_of, settings_of
from faket_dask.stages.process import prepare_process
from faket_dask.stages.scaling import Scaling, stack_scaling, tilt_extrema
from faket_dask.stages.seeds import noise_field
from faket_dask.stages.synthesis import at_tilt, synthesise
from faket_dask.stages.transfer import mixed_targets, stylise

SYNTHESISED = ("noisy", "content", "baseline")
SCALED = ("noisy", "content")
CURVES = ("signal_scale", "noise_scale", "mean", "std")


def series_curves(blueprint: Blueprint, series: str, order: int) -> NoiseCurves:
    """Noise statistics of a series' tilts, fitted over those of all references or of the series' own."""
    section = blueprint.config.noise
    parts = (
        [(name, 1.0) for name in blueprint.used_references]
        if section.average == "all"
        else blueprint.parts(blueprint.series_by_name[series].reference)
    )
    fits = []
    for name, weight in parts:
        angles = blueprint.reference_angles(name)
        if section.given is None:
            signal, noise = (statistic(blueprint, name, key) for key in ("signal_scale", "noise_scale"))
        else:
            signal = np.interp(angles, section.given.tilt_angles_deg, section.given.signal_scale)
            noise = np.interp(angles, section.given.tilt_angles_deg, section.given.noise_scale)
        measured = NoiseCurves(
            signal, noise, statistic(blueprint, name, "mean"), statistic(blueprint, name, "std")
        )
        fits.append((weight, fit_curves([measured], angles, order, at=blueprint.tilt_angles)))
    total = sum(weight for weight, _ in fits)
    return NoiseCurves(*(sum(weight / total * getattr(fit, key) for weight, fit in fits) for key in CURVES))


def _prepare(blueprint: Blueprint, series: str) -> None:
    pair = blueprint.series_by_name[series]
    style = blueprint.config.style
    path = blueprint.layout.series(series)
    describe_group(
        path,
        blueprint,
        specimen=pair.specimen,
        reference=pair.reference,
        weights=style.weights,
        weights_sha256=blueprint.inputs.weights_checksum,
    )
    write_stack_coordinates(path, blueprint, pair.specimen)


def _vectors(blueprint: Blueprint, series: str) -> list[OwnedArray]:
    tilts = blueprint.stack_shape[0]
    names = [*CURVES, *(f"{name}_{end}" for name in SCALED for end in ("low", "high"))]
    return [
        OwnedArray(
            blueprint.layout.series(series),
            ArraySpec(name, ("tilt",), (tilts,), (tilts,), "float64", None, STACK_ATTRIBUTES),
            lambda index: (0,),
        )
        for name in names
    ]


def _levels(blueprint: Blueprint, series: str, index: int) -> Record:
    fitted = series_curves(blueprint, series, blueprint.config.noise.order)
    found = {owned.spec.name: np.empty(blueprint.stack_shape[0]) for owned in _vectors(blueprint, series)}
    for name in CURVES:
        found[name] = getattr(fitted, name)
    for tilt in range(blueprint.stack_shape[0]):
        for name, image in _synthesised(blueprint, series, tilt, {name: fitted for name in SCALED}).items():
            ends = tilt_extrema(image, blueprint.config.style.clip_percent)
            found[f"{name}_low"][tilt], found[f"{name}_high"][tilt] = ends
    for name, values in found.items():
        open_array(blueprint.layout.series(series), name)[...] = values
    return {}


def _synthesised(
    blueprint: Blueprint, series: str, tilt: int, curves: Mapping[str, NoiseCurves]
) -> dict[str, np.ndarray]:
    """Modalities of one tilt, (y, x) each, from the noise curves of each: they share one field of noise."""
    pair = blueprint.series_by_name[series]
    noiseless = read_tilt(blueprint.layout.specimen(pair.specimen), "noiseless", tilt)
    field = noise_field(blueprint.config.dataset.seed, series, tilt, blueprint.tilt_shape)
    levels = {"content": blueprint.config.noise.content_level}
    return {
        name: synthesise(noiseless, at_tilt(curve, tilt), field, levels.get(name, 1.0))
        for name, curve in curves.items()
    }


def _kept(blueprint: Blueprint) -> list[str]:
    return [name for name in (*SYNTHESISED, "faket") if name in blueprint.config.outputs.modalities]


def _stacks(blueprint: Blueprint, series: str) -> list[OwnedArray]:
    tilts, rows, columns = blueprint.stack_shape
    return [
        OwnedArray(
            blueprint.layout.series(series),
            ArraySpec(
                name,
                ("tilt", "y", "x"),
                (tilts, rows, columns),
                (1, rows, columns),
                attributes=STACK_ATTRIBUTES,
            ),
            lambda index: (index, 0, 0),
        )
        for name in _kept(blueprint)
    ]


def _style(blueprint: Blueprint, series: str, index: int) -> Record:
    path = blueprint.layout.series(series)
    kept = _kept(blueprint)
    fitted = NoiseCurves(*(read_vector(path, name) for name in CURVES))
    curves = {name: fitted for name in SCALED}
    if "baseline" in kept:
        curves["baseline"] = series_curves(blueprint, series, order=0)
    images = _synthesised(blueprint, series, index, curves)
    if "faket" in kept:
        images["faket"] = _transferred(blueprint, series, index, images)
    for name in kept:
        open_array(path, name)[index] = images[name]
    return {}


def _transferred(
    blueprint: Blueprint, series: str, tilt: int, images: Mapping[str, np.ndarray]
) -> np.ndarray:
    style = blueprint.config.style
    prepare_process(style.threads)
    reference = blueprint.series_by_name[series].reference
    shares = shares_at(blueprint, reference, float(blueprint.tilt_angles[tilt]))
    scalings = {name: _stack_scaling(blueprint, series, name) for name in SCALED}
    return stylise(
        network_of(style, blueprint.inputs.weights_checksum),
        images["noisy"],
        images["content"],
        scalings["noisy"],
        scalings["content"],
        mixed_targets([(read_targets(blueprint, *key), share) for key, share in shares]),
        moment_at(blueprint, shares, "mean"),
        moment_at(blueprint, shares, "std"),
        settings_of(style),
        style.tile_px,
    )


def _stack_scaling(blueprint: Blueprint, series: str, name: str) -> Scaling:
    path = blueprint.layout.series(series)
    ends = (read_vector(path, f"{name}_{end}") for end in ("low", "high"))
    return stack_scaling(zip(*ends, strict=True))


LEVELS = Stage(
    "levels", count=lambda blueprint, series: 1, compute=_levels, prepare=_prepare, arrays=_vectors
)

STYLE = Stage(
    "style", count=lambda blueprint, series: blueprint.stack_shape[0], compute=_style, arrays=_stacks
)
