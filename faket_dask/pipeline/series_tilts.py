"""Noisy tilts of a series, drawn from its seed; they need not be stored to be read again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.modality_noise import find_noise_model
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import open_array, read_vector
from faket_dask.kernels.moments import Moments
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.methods.arrays import TiltArrays
from faket_dask.methods.noise import NOISE_MODELS, NoiseModel, SignalSpectrum
from faket_dask.pipeline.series_arrays import CURVES, EXPLAINED_POWER, SIGNAL_POWER
from faket_dask.pipeline.signal_tilts import SignalTilts
from faket_dask.references.blend import BlendedReference, WeightedTilt, open_blend
from faket_dask.references.statistics import ReferenceStatistics, count_rings
from faket_dask.stages.angle_interpolation import AngleMatch
from faket_dask.stages.seeds import noise_field
from faket_dask.stages.synthesis import select_statistics, shape_noise, synthesise

START, CONTENT = "start", "content"
"""Images of a transfer, whose noise is that of `style.noise`; `content` has a part of it."""


@dataclass(frozen=True)
class SeriesTilts:
    """Source of a series' noisy tilts.

    Parameters
    ----------
    signal
        Source of the specimen's signal.
    store
        Zarr group of its stacks.
    tilt_angles
        ``(tilt,)`` degrees.
    shape
        ``(y, x)`` of its tilts.
    seed, stream
        Seed of the data set, and stream of the series' random numbers.
    reference
        Reference whose noise and style it has.
    statistics
        Reader of the references' statistics.
    angle_match
        Choice of the reference tilts that stand for an angle.
    rings
        Number of rings that spectra are measured in.
    transfer_noise
        Name of the noise model of a transfer's images.
    content_level
        Part of the noise that `CONTENT` has.
    is_physical
        True if the signal per volt follows from physics.
    """

    signal: SignalTilts
    store: Path
    tilt_angles: NDArray[np.float64]
    shape: tuple[int, int]
    seed: int
    stream: str
    reference: BlendedReference
    statistics: ReferenceStatistics
    angle_match: AngleMatch
    rings: int
    transfer_noise: str
    content_level: float
    is_physical: bool

    @classmethod
    def open(cls, spec: DatasetSpec, name: str) -> SeriesTilts:
        """Return the source of a data set's series."""
        series, config = spec.series_by_name[name], spec.config
        return cls(
            signal=SignalTilts.open(spec, name),
            store=spec.folder.series_tilts(name),
            tilt_angles=spec.geometry.acquisition(name).tilt_angles,
            shape=spec.geometry.tilt_shape,
            seed=config.dataset.seed,
            stream=series.stream,
            reference=open_blend(spec, series.reference),
            statistics=ReferenceStatistics(spec.folder),
            angle_match=config.style.angle_match,
            rings=count_rings(spec),
            transfer_noise=config.style.noise,
            content_level=config.noise.content_level,
            is_physical=config.noise.is_physical,
        )

    def read_curves(self) -> NoiseCurves:
        """Read the fitted noise statistics."""
        return NoiseCurves(*(read_vector(self.store, name) for name in CURVES))

    def select_reference_tilts(self, tilt: int) -> list[WeightedTilt]:
        """Select the reference tilts that stand for the angle of one of the series' tilts."""
        return self.reference.select_tilts(float(self.tilt_angles[tilt]), self.angle_match)

    def find_moments(self, tilt: int, curves: NoiseCurves, *, without_beads: bool) -> Moments | None:
        """Return the moments of a transferred tilt whose signal per volt is known; ``None`` for the reference's.

        Parameters
        ----------
        tilt
            Index of the tilt.
        curves
            Noise statistics of the series.
        without_beads
            True for the moments of what is no bead.
        """
        if not self.is_physical:
            return None
        statistics = select_statistics(curves, tilt)
        beads = math.hypot(statistics.signal_scale, statistics.noise_scale) if without_beads else 1.0
        return Moments(statistics.mean, statistics.std / beads)

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
        noiseless = self.signal.read(tilt)
        white = noise_field(self.seed, self.stream, tilt, self.shape)
        images: dict[str, NDArray[np.float32]] = {}
        fields: dict[tuple[str, float], NDArray[np.float32]] = {}
        for name, curve in curves.items():
            statistics = select_statistics(curve, tilt)
            model, scale = self._choose_model(name), statistics.signal_scale
            if (model, scale) not in fields:
                fields[model, scale] = self._draw_noise(NOISE_MODELS.get(model), white, tilt, scale)
            images[name] = synthesise(
                noiseless=noiseless,
                statistics=statistics,
                field=fields[model, scale],
                level=self.content_level if name == CONTENT else 1.0,
            )
        return images

    def redraw(self, modality: str, tilt: int) -> NDArray[np.float32]:
        """Draw one modality of one tilt again, from the fitted statistics."""
        return self.draw(tilt, {modality: self.read_curves()})[modality]

    def _choose_model(self, image: str) -> str:
        """Return the name of the noise model of a modality, or of the images of a transfer."""
        if image in (START, CONTENT):
            return self.transfer_noise
        return find_noise_model(image) or "white"

    def _draw_noise(
        self, model: NoiseModel, white: NDArray[np.float32], tilt: int, signal_scale: float
    ) -> NDArray[np.float32]:
        """Return the noise field of a tilt by a model, from the series' one draw of white noise."""
        names = [layout.name for layout in model.arrays(self.rings)]
        reference: list[tuple[TiltArrays, float]] = []
        signal = None
        if names:
            for part in self.select_reference_tilts(tilt):
                estimates = {name: self.statistics.read(part.reference, name)[part.tilt] for name in names}
                reference.append((estimates, part.weight))
            signal = self._read_explained(tilt, signal_scale)
        angle = float(self.tilt_angles[tilt])
        return shape_noise(model, white, tilt_angle=angle, reference=reference, signal=signal)

    def _read_explained(self, tilt: int, signal_scale: float) -> SignalSpectrum:
        """Return the power of the reference that is no noise."""
        if self.is_physical:
            return SignalSpectrum(np.asarray(open_array(self.store, EXPLAINED_POWER, "r")[tilt]), 1.0)
        return SignalSpectrum(np.asarray(open_array(self.store, SIGNAL_POWER, "r")[tilt, 0]), signal_scale)
