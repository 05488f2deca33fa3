"""Transfer by matching Gram matrices: L-BFGS until a tilt differs from the reference as the reference's halves do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.moments import Moments
from faket_dask.kernels.style.memory import matching_bytes, measuring_bytes
from faket_dask.kernels.style.network import Architecture, Network, Precision
from faket_dask.kernels.style.settings import GramMatchingSettings
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.methods.grams import gram_arrays, gram_layouts, grams_by_layer
from faket_dask.methods.transfer import TiltImage

if TYPE_CHECKING:
    from faket_dask.kernels.style.gram_matching import ReferenceGrams

INTRA_DISTANCE = "intra_distance"
"""Array of the squared relative distances between the halves of a tilt, by style layer."""


@dataclass(frozen=True)
class GramMatching:
    """The method with its settings; it has no content term and scales each tilt by its own moments."""

    settings: GramMatchingSettings

    settings_type: ClassVar[type[GramMatchingSettings]] = GramMatchingSettings
    masks_artefacts: ClassVar[bool] = True
    needs_stack_range: ClassVar[bool] = False
    clip_percent: ClassVar[float] = 0.0

    @property
    def style_layers(self) -> Collection[int]:
        """Layers whose Gram matrices are matched."""
        return self.settings.style_layers.keys()

    @property
    def layers(self) -> Collection[int]:
        """All layers that the loss uses."""
        return self.style_layers

    @property
    def evaluations(self) -> int:
        """Largest number of evaluations of loss and gradient per tilt."""
        return self.settings.evaluations

    def arrays(self, architecture: Architecture) -> Sequence[TiltArrayLayout]:
        """Return the layout of the distances and of a Gram matrix per style layer."""
        distances = TiltArrayLayout(INTRA_DISTANCE, ("style_layer",), (len(self.style_layers),), "float64")
        return [distances, *gram_layouts(architecture, self.style_layers)]

    def measure(
        self,
        network: Network,
        reference: TiltImage,
        valid_mask: NDArray[np.bool_] | None = None,
        tile: int | None = None,
    ) -> TiltArrays:
        """Return Gram matrices of a reference tilt and their distances between its halves."""
        from faket_dask.kernels.style.gram_matching import measure_grams

        valid = ~artefact_mask(reference.pixels) if valid_mask is None else valid_mask
        return self._to_arrays(measure_grams(network, reference.pixels, self.style_layers, tile, valid))

    def blend(self, parts: Sequence[tuple[TiltArrays, float]]) -> TiltArrays:
        """Return the weighted sum of Gram matrices and distances."""
        from faket_dask.kernels.style.gram_matching import blend_grams

        if len(parts) == 1:
            return parts[0][0]
        styles = [self._to_grams(arrays) for arrays, _ in parts]
        return self._to_arrays(blend_grams(styles, [weight for _, weight in parts]))

    def transfer(
        self,
        network: Network,
        *,
        content: TiltImage,
        start: TiltImage,
        targets: TiltArrays,
        moments: Moments,
        tile: int | None = None,
    ) -> NDArray[np.float32]:
        """Return the transferred tilt, which has the reference's moments where it shows no beads.

        The content is not used: whatever is no texture is taken from the start.
        """
        from faket_dask.kernels.style.gram_matching import match_grams

        image = match_grams(network, start.pixels, self._to_grams(targets), self.settings, tile).image
        return (image * np.float64(moments.std) + moments.mean).astype(np.float32)

    def transfer_bytes(
        self, shape: tuple[int, int], tile: int | None, architecture: Architecture, precision: Precision
    ) -> int:
        """Return the peak of `transfer` over what the process held before, in bytes."""
        return matching_bytes(shape, tile, architecture, self.settings, precision)

    def measure_bytes(
        self, shape: tuple[int, int], tile: int | None, architecture: Architecture, precision: Precision
    ) -> int:
        """Return the peak of `measure` over what the process held before, in bytes."""
        return measuring_bytes(shape, tile, architecture, self.style_layers, precision)

    def describe(self) -> str:
        """Return the number of evaluations."""
        return f"matched, at most {self.evaluations} evaluations"

    def _to_arrays(self, style: ReferenceGrams) -> TiltArrays:
        distances = np.array([style.intra_distance[layer] for layer in self.style_layers])
        return {INTRA_DISTANCE: distances, **gram_arrays(style.grams)}

    def _to_grams(self, arrays: TiltArrays) -> ReferenceGrams:
        from faket_dask.kernels.style.gram_matching import ReferenceGrams

        distances = np.asarray(arrays[INTRA_DISTANCE]).tolist()
        return ReferenceGrams(grams_by_layer(arrays), dict(zip(self.style_layers, distances, strict=True)))
