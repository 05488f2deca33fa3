"""Units that measure how far a series is from its reference: `realism`, one per modality and tilt angle.

They also measure what a transfer could do to the specimen: how much of its signal is left in a tilt, and how many
objects the tilt shows that no label explains.

The item is a series and a modality, so that a modality that is asked for later is measured then, and the others
stay as they are. What is found is small and lies in the marker, from where the report takes it.
"""

from dataclasses import asdict
from functools import lru_cache

import numpy as np

from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec, cached_spec
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.unit import Record, Stage
from faket_dask.kernels.moments import standardise_float64
from faket_dask.kernels.similarity.spurious_objects import mask_labels, spurious_density
from faket_dask.kernels.similarity.texture_similarity import (
    TextureSample,
    intra_reference_distances,
    sample_halves,
    texture_distances,
)
from faket_dask.kernels.vgg import VGG19
from faket_dask.pipeline.series import resynthesise
from faket_dask.references.statistics import believed_pixels, reference_tilt
from faket_dask.stages.angle_interpolation import interpolation_weights
from faket_dask.stages.networks import load_network
from faket_dask.stages.process import prepare_process


def realism_item(series: str, modality: str) -> str:
    """Name of what is measured."""
    return f"{series}__{modality}"


def measured_modalities(spec: DatasetSpec) -> list[str]:
    """Modalities that are compared with the reference: all that are kept, and those that are drawn anyway."""
    modalities = spec.config.outputs.modalities
    if not spec.makes_series:
        return list(modalities)
    drawn = ["noisy", "spectral"] if spec.measures_spectra else ["noisy"]
    return list(dict.fromkeys([*drawn, *modalities]))


def measured_tilts(spec: DatasetSpec, series: str) -> list[int]:
    """The tilt nearest 0°, the one tilted furthest, and one half way (on the positive side, where there is one)."""
    angles = np.round(spec.geometry.acquisition(series).tilt_angles, 6)
    steepest = float(max(angles, key=lambda angle: (abs(angle), angle)))
    nearest = [int(np.argmin(np.abs(angles - wanted))) for wanted in (0.0, steepest / 2, steepest)]
    return list(dict.fromkeys(nearest))


def _split(item: str) -> tuple[str, str]:
    series, modality = item.rsplit("__", 1)
    return series, modality


def _network(spec: DatasetSpec) -> VGG19 | None:
    """None where nothing is styled: then no weights need be here, and spectra alone are compared."""
    checksum = spec.inputs.weights_checksum
    prepare_process(spec.config.style.threads)
    return load_network(spec.config.style, checksum) if checksum else None


@lru_cache(maxsize=3)
def _reference_textures(root: str, fingerprint: str, reference: str, angle: float) -> list[TextureSample]:
    """Of a reference's tilt nearest an angle; all modalities of a series are compared with the same ones."""
    spec = cached_spec(root, fingerprint)
    [(tilt, _)] = interpolation_weights(spec.reference_angles(reference), angle, "nearest")
    recorded = reference in spec.inputs.recordings
    return sample_halves(
        reference_tilt(spec, reference, tilt),
        _network(spec),
        believed=believed_pixels(spec, reference, tilt) if recorded else None,
    )


def _image(spec: DatasetSpec, series: Series, modality: str, tilt: int) -> np.ndarray:
    if modality == "benchmark":
        return read_tilt(spec.folder.specimen(series.specimen), modality, tilt)
    if modality in spec.config.outputs.modalities:
        return read_tilt(spec.folder.series(series.name), modality, tilt)
    return resynthesise(spec, series.name, modality, tilt)


def _correlation(image: np.ndarray, noiseless: np.ndarray) -> float:
    """How much of the specimen is in a tilt; 0 where there is none."""
    return float(np.mean(standardise_float64(image) * standardise_float64(noiseless)))


def _realism(spec: DatasetSpec, item: str, index: int) -> Record:
    name, modality = _split(item)
    series = spec.series_by_name[name]
    tilt = measured_tilts(spec, name)[index]
    angle = float(spec.geometry.acquisition(name).tilt_angles[tilt])
    image = _image(spec, series, modality, tilt)
    noiseless = read_tilt(spec.folder.specimen(series.specimen), "noiseless", tilt)
    ours = sample_halves(image, _network(spec))
    root = str(spec.folder.root)
    found = []
    for reference, weight in spec.parts(series.reference):
        theirs = _reference_textures(root, spec.fingerprint, reference, angle)
        found.append(
            {
                "reference": reference,
                "weight": weight,
                "distances": asdict(texture_distances(ours, theirs)),
                "floor": asdict(intra_reference_distances(theirs)),
                "kurtosis": float(np.mean([part.kurtosis for part in theirs])),
                "artefacts": float(np.mean([part.artefacts for part in theirs])),
            }
        )
    return {
        "tilt_angle": angle,
        "kurtosis": float(np.mean([part.kurtosis for part in ours])),
        "artefacts": float(np.mean([part.artefacts for part in ours])),
        "signal": _correlation(image, noiseless),
        "unexplained": spurious_density(image, mask_labels(noiseless)),
        "against": found,
    }


REALISM = Stage(
    "realism", count=lambda spec, item: len(measured_tilts(spec, _split(item)[0])), compute=_realism
)
