"""Noisy tilts of a series, drawn from its seed; they need not be stored to be read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import open_array, read_tilt, read_vector
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.methods.noise import NOISE_MODELS, NoiseModel, SignalSpectrum
from faket_dask.pipeline.series_arrays import CURVES, SIGNAL_POWER
from faket_dask.references.blend import WeightedTilt, open_blend
from faket_dask.references.statistics import count_rings, read_statistic
from faket_dask.stages.seeds import noise_field
from faket_dask.stages.synthesis import select_statistics, shape_noise, synthesise

START, CONTENT = "start", "content"
"""Images of a transfer, whose noise is that of `style.noise`; `content` has a part of it."""


@dataclass(frozen=True)
class SeriesTilts:
    """Source of a series' noisy tilts.

    Parameters
    ----------
    spec
        Specification of the data set.
    name
        Name of the series.
    stream
        Stream of its random numbers.
    reference
        Name of its reference.
    noiseless_store, store
        Zarr groups of its specimen and of itself.
    """

    spec: DatasetSpec
    name: str
    stream: str
    reference: str
    noiseless_store: Path
    store: Path

    @classmethod
    def open(cls, spec: DatasetSpec, name: str) -> SeriesTilts:
        """Return the source of a data set's series."""
        series = spec.series_by_name[name]
        specimen_store = spec.folder.specimen(series.specimen)
        return cls(spec, name, series.stream, series.reference, specimen_store, spec.folder.series(name))

    def read_curves(self) -> NoiseCurves:
        """Read the fitted noise statistics."""
        return NoiseCurves(*(read_vector(self.store, name) for name in CURVES))

    def select_reference_tilts(self, tilt: int) -> list[WeightedTilt]:
        """Select the reference tilts that stand for the angle of one of the series' tilts."""
        angle = float(self.spec.geometry.acquisition(self.name).tilt_angles[tilt])
        return open_blend(self.spec, self.reference).select_tilts(angle, self.spec.config.style.angle_match)

    def draw(self, tilt: int, curves: Mapping[str, NoiseCurves]) -> dict[str, NDArray[np.float32]]:
        """Draw images of one tilt; they share one draw of noise.

        Parameters
        ----------
        tilt
            Index of the tilt.
        curves
            Noise statistics of each image to draw: a modality, or `START` or `CONTENT` of a transfer.

        Returns
        -------
        images
            ``(y, x)`` by name.
        """
        noiseless = read_tilt(self.noiseless_store, "noiseless", tilt)
        seed, shape = self.spec.config.dataset.seed, self.spec.geometry.tilt_shape
        white = noise_field(seed, self.stream, tilt, shape)
        images: dict[str, NDArray[np.float32]] = {}
        fields: dict[tuple[str, float], NDArray[np.float32]] = {}
        for name, curve in curves.items():
            statistics = select_statistics(curve, tilt)
            key = (self._choose_model(name), statistics.signal_scale)
            if key not in fields:
                fields[key] = self._draw_noise(NOISE_MODELS.get(key[0]), white, tilt, statistics.signal_scale)
            level = self.spec.config.noise.content_level if name == CONTENT else 1.0
            images[name] = synthesise(
                noiseless=noiseless, statistics=statistics, field=fields[key], level=level
            )
        return images

    def redraw(self, modality: str, tilt: int) -> NDArray[np.float32]:
        """Draw one modality of one tilt again, from the fitted statistics."""
        return self.draw(tilt, {modality: self.read_curves()})[modality]

    def _choose_model(self, image: str) -> str:
        """Return the name of the noise model of a modality, or of the images of a transfer."""
        if image in (START, CONTENT):
            return self.spec.config.style.noise
        names = NOISE_MODELS.names
        return next((name for name in names if NOISE_MODELS.get(name).modality == image), "white")

    def _draw_noise(
        self, model: NoiseModel, white: NDArray[np.float32], tilt: int, signal_scale: float
    ) -> NDArray[np.float32]:
        """Return the noise field of a tilt by a model, from the series' one draw of white noise."""
        angle = float(self.spec.geometry.acquisition(self.name).tilt_angles[tilt])
        layouts = model.arrays(count_rings(self.spec))
        if not layouts:
            return shape_noise(model, white, tilt_angle=angle, reference=(), signal=None)
        reference = [
            (
                {
                    layout.name: read_statistic(self.spec.folder, part.reference, layout.name)[part.tilt]
                    for layout in layouts
                },
                part.weight,
            )
            for part in self.select_reference_tilts(tilt)
        ]
        power = np.asarray(open_array(self.store, SIGNAL_POWER, "r")[tilt, 0])
        signal = SignalSpectrum(power, signal_scale)
        return shape_noise(model, white, tilt_angle=angle, reference=reference, signal=signal)
