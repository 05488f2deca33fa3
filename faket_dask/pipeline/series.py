"""Units that make the series: `levels` for a whole series at once, `style` tilt by tilt.

Scaling to [0, 1] needs the extrema of the whole stack, so every tilt's noise is drawn twice: once by
`levels` to find them, once more by the tilt's `style` unit, which writes all that is kept of the tilt.
Drawing is cheap and seeded; storing whole stacks in between is neither needed nor small.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faket_dask.dataset.attributes import STACK_ATTRIBUTES, describe_group, write_stack_coordinates
from faket_dask.dataset.field_of_view import bead_mask
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, open_array, read_tilt, read_vector
from faket_dask.engine.unit import OwnedArray, Record, Stage
from faket_dask.errors import InputError
from faket_dask.kernels.artefacts import fill
from faket_dask.kernels.noise import NoiseCurves, fit_curves
from faket_dask.kernels.noise.unpaired import fit_spectral_scales, ring_power, signal_is_distinct
from faket_dask.kernels.style.scaling import Scaling, TiltScaling, stack_scaling, tilt_extrema
from faket_dask.pipeline.reference import read_style, read_targets
from faket_dask.references.statistics import moment_at, nyquist_frequency, shares_at, spectrum_at, statistic
from faket_dask.specimen.particles import read_particles
from faket_dask.stages.networks import load_network, matched_settings_of, settings_of
from faket_dask.stages.process import prepare_process
from faket_dask.stages.seeds import noise_field
from faket_dask.stages.synthesis import select_statistics, spectral_field, synthesise
from faket_dask.stages.transfer import matched, mixed_style, mixed_targets, stylise

SYNTHESISED = ("noisy", "content", "baseline", "spectral")
SCALED = ("start", "content")
CURVES = ("signal_scale", "noise_scale", "mean", "std")
SIGNAL_POWER, SIGNAL_VARIANCE = "signal_power", "signal_variance"


@dataclass(frozen=True, eq=False)
class Signal:
    """Spectra of a series' own noiseless tilts, ``(tilt, 2, rings)``, and their mean power, ``(tilt,)``."""

    power: np.ndarray
    variance: np.ndarray


def series_curves(spec: DatasetSpec, series: str, order: int, signal: Signal | None = None) -> NoiseCurves:
    """Noise statistics of a series' tilts, fitted over those of all references or of the series' own.

    Parameters
    ----------
    order
        Of the polynomial over the tilt angle.
    signal
        What unpaired statistics look for in the spectra of the references: what they find is then the strength of
        the very signal that it is given to.
    """
    section = spec.config.noise
    tilt_angles = spec.geometry.acquisition(series).tilt_angles
    parts = (
        [(name, 1.0) for name in spec.used_references]
        if section.average == "all"
        else spec.parts(spec.series_by_name[series].reference)
    )
    fits = []
    for name, weight in parts:
        angles = spec.reference_angles(name)
        if section.given is not None:
            r = np.interp(angles, section.given.tilt_angles_deg, section.given.signal_scale)
            sigma = np.interp(angles, section.given.tilt_angles_deg, section.given.noise_scale)
        elif section.statistics == "unpaired":
            assert signal is not None
            if not signal_is_distinct(signal.power):
                raise InputError(
                    f"{spec.series_by_name[series].specimen} shows nothing but beads and ice, the spectrum of "
                    f"which is that of noise: how strong it is in {name} cannot be found; write `noise: "
                    "{statistics: given, given: …}` with the strengths that series of specimens with particles "
                    "have in their stores"
                )
            spectra, shape = statistic(spec, name, "power"), spec.reference_shape(name)
            nyquist = nyquist_frequency(spec, name)
            r, sigma = fit_spectral_scales(
                spectra, angles, shape, signal.power, tilt_angles, signal.variance, nyquist
            )
        else:
            r, sigma = (statistic(spec, name, key) for key in ("signal_scale", "noise_scale"))
        measured = NoiseCurves(r, sigma, statistic(spec, name, "mean"), statistic(spec, name, "std"))
        fits.append((weight, _fitted(measured, angles, order, tilt_angles)))
    total = sum(weight for weight, _ in fits)
    return NoiseCurves(*(sum(weight / total * getattr(fit, key) for weight, fit in fits) for key in CURVES))


def _fitted(measured: NoiseCurves, angles: np.ndarray, order: int, wanted: np.ndarray) -> NoiseCurves:
    """Curves at angles that are wanted; where there are too few tilts for the order, held beyond the outermost.

    A polynomial of the highest order that they determine goes through all of them, and anywhere beyond.
    """
    highest = np.unique(angles).size - 1
    if order > highest:
        order, wanted = highest, np.clip(wanted, np.min(angles), np.max(angles))
    return fit_curves([measured], angles, order, at=wanted)


def _prepare(spec: DatasetSpec, series: str) -> None:
    pair = spec.series_by_name[series]
    style = spec.config.style
    path = spec.folder.series(series)
    describe_group(
        path,
        spec,
        spec.geometry.acquisition(series).pixel_size_A,
        specimen=pair.specimen,
        reference=pair.reference,
        weights=style.weights,
        weights_sha256=spec.inputs.weights_checksum,
    )
    write_stack_coordinates(path, spec, pair.specimen)


def _vectors(spec: DatasetSpec, series: str) -> list[OwnedArray]:
    tilts = spec.geometry.stack_shape(series)[0]
    names = [*CURVES, *(f"{name}_{end}" for name in SCALED for end in ("low", "high"))]
    arrays: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {name: (("tilt",), ()) for name in names}
    if spec.measures_spectra:
        arrays[SIGNAL_POWER] = (("tilt", "off_or_on_axes", "ring"), (2, spec.spectrum_rings))
        arrays[SIGNAL_VARIANCE] = (("tilt",), ())
    return [
        OwnedArray(
            spec.folder.series(series),
            ArraySpec(name, dims, (tilts, *size), (tilts, *size), "float64", None, STACK_ATTRIBUTES),
            lambda index, axes=len(dims): (0,) * axes,  # type: ignore[misc]
        )
        for name, (dims, size) in arrays.items()
    ]


def _signal(spec: DatasetSpec, series: str) -> Signal:
    """Spectra of a series' noiseless tilts, standardised with their beads and then rid of them.

    Recorded tilts are measured without their beads, too; those of the specimen would otherwise be most of a signal
    that is then not found.
    """
    specimen = spec.series_by_name[series].specimen
    table = read_particles(spec.folder.particles(specimen))
    power, variance = [], []
    for tilt, angle in enumerate(spec.geometry.acquisition(series).tilt_angles):
        image = read_tilt(spec.folder.specimen(specimen), "noiseless", tilt)
        beads = bead_mask(spec, specimen, table, float(angle))
        bare = fill(image, beads)
        variance.append(bare.var() / max(image.var(dtype=np.float64), 1e-30) if beads.any() else 1.0)
        power.append(ring_power(bare, spec.spectrum_rings) * variance[-1])
    return Signal(np.stack(power), np.array(variance))


def _levels(spec: DatasetSpec, series: str, index: int) -> Record:
    path = spec.folder.series(series)
    found = {owned.spec.name: np.empty(owned.spec.shape) for owned in _vectors(spec, series)}
    signal = None
    if spec.measures_spectra:
        signal = _signal(spec, series)
        found[SIGNAL_POWER], found[SIGNAL_VARIANCE] = signal.power, signal.variance
        open_array(path, SIGNAL_POWER)[...] = signal.power
    fitted = series_curves(spec, series, spec.config.noise.order, signal)
    for name in CURVES:
        found[name] = getattr(fitted, name)
    start = spec.config.style.start
    for tilt in range(spec.geometry.stack_shape(series)[0]):
        images = _synthesised(spec, series, tilt, {start: fitted, "content": fitted})
        for name, image in (("start", images[start]), ("content", images["content"])):
            ends = tilt_extrema(image, spec.config.style.clip_percent)
            found[f"{name}_low"][tilt], found[f"{name}_high"][tilt] = ends
    for name, values in found.items():
        open_array(path, name)[...] = values
    return {}


def _synthesised(
    spec: DatasetSpec, series: str, tilt: int, curves: Mapping[str, NoiseCurves]
) -> dict[str, np.ndarray]:
    """Modalities of one tilt, (y, x) each, from the noise curves of each: they share one draw of noise.

    `content` has a part of the very noise that the transfer starts with: white, or shaped as in `spectral`.
    """
    pair = spec.series_by_name[series]
    noiseless = read_tilt(spec.folder.specimen(pair.specimen), "noiseless", tilt)
    white = noise_field(spec.config.dataset.seed, series, tilt, spec.geometry.tilt_shape)
    levels = {"content": spec.config.noise.content_level}
    shaped = ("spectral", "content") if spec.config.style.start == "spectral" else ("spectral",)
    images = {}
    for name, curve in curves.items():
        statistics = select_statistics(curve, tilt)
        field = white
        if name in shaped:
            field = _spectral_field(spec, series, tilt, white, statistics.signal_scale)
        images[name] = synthesise(noiseless, statistics, field, levels.get(name, 1.0))
    return images


def resynthesise(spec: DatasetSpec, series: str, modality: str, tilt: int) -> np.ndarray:
    """A noisy tilt, (y, x), from its seed: it need not have been kept, but `levels` must be done."""
    store = spec.folder.series(series)
    curves = NoiseCurves(*(read_vector(store, name) for name in CURVES))
    return _synthesised(spec, series, tilt, {modality: curves})[modality]


def _spectral_field(
    spec: DatasetSpec, series: str, tilt: int, white: np.ndarray, signal_scale: float
) -> np.ndarray:
    reference = spec.series_by_name[series].reference
    spectrum = spectrum_at(
        spec, shares_at(spec, reference, float(spec.geometry.acquisition(series).tilt_angles[tilt]))
    )
    signal = np.asarray(open_array(spec.folder.series(series), SIGNAL_POWER, "r")[tilt, 0])
    return spectral_field(white, spectrum, signal, signal_scale)


def _kept(spec: DatasetSpec) -> list[str]:
    return [name for name in (*SYNTHESISED, "faket") if name in spec.config.outputs.modalities]


def _stacks(spec: DatasetSpec, series: str) -> list[OwnedArray]:
    tilts, rows, columns = spec.geometry.stack_shape(series)
    return [
        OwnedArray(
            spec.folder.series(series),
            ArraySpec(
                name,
                ("tilt", "y", "x"),
                (tilts, rows, columns),
                (1, rows, columns),
                attributes=STACK_ATTRIBUTES,
            ),
            lambda index: (index, 0, 0),
        )
        for name in _kept(spec)
    ]


def _style(spec: DatasetSpec, series: str, index: int) -> Record:
    path = spec.folder.series(series)
    kept = _kept(spec)
    fitted = NoiseCurves(*(read_vector(path, name) for name in CURVES))
    wanted = set(kept) & set(SYNTHESISED)
    if "faket" in kept:
        wanted |= {spec.config.style.start, "content"}
    curves = {name: fitted for name in SYNTHESISED if name in wanted}
    if "baseline" in kept:
        signal = None
        if spec.measures_spectra:
            signal = Signal(read_vector(path, SIGNAL_POWER), read_vector(path, SIGNAL_VARIANCE))
        curves["baseline"] = series_curves(spec, series, 0, signal)
    images = _synthesised(spec, series, index, curves)
    if "faket" in kept:
        images["faket"] = _transferred(spec, series, index, images)
    for name in kept:
        open_array(path, name)[index] = images[name]
    return {}


def _transferred(spec: DatasetSpec, series: str, tilt: int, images: Mapping[str, np.ndarray]) -> np.ndarray:
    style = spec.config.style
    prepare_process(style.threads)
    reference = spec.series_by_name[series].reference
    shares = shares_at(spec, reference, float(spec.geometry.acquisition(series).tilt_angles[tilt]))
    network = load_network(style, spec.inputs.weights_checksum)
    mean, std = (moment_at(spec, shares, name) for name in ("mean", "std"))
    if style.method == "matched":
        return matched(
            network,
            images[style.start],
            mixed_style([(read_style(spec, *key), share) for key, share in shares]),
            mean,
            std,
            matched_settings_of(style),
            style.tile_px,
        )
    scalings = {name: _scaling(spec, series, name) for name in SCALED}
    return stylise(
        network,
        images[style.start],
        images["content"],
        scalings["start"],
        scalings["content"],
        mixed_targets([(read_targets(spec, *key), share) for key, share in shares]),
        mean,
        std,
        settings_of(style),
        style.tile_px,
    )


def _scaling(spec: DatasetSpec, series: str, name: str) -> Scaling | TiltScaling:
    if spec.config.style.scaling == "tilt":
        return TiltScaling()
    path = spec.folder.series(series)
    ends = (read_vector(path, f"{name}_{end}") for end in ("low", "high"))
    return stack_scaling(zip(*ends, strict=True))


LEVELS = Stage("levels", count=lambda spec, series: 1, compute=_levels, prepare=_prepare, arrays=_vectors)

STYLE = Stage(
    "style", count=lambda spec, series: spec.geometry.stack_shape(series)[0], compute=_style, arrays=_stacks
)
