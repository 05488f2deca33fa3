"""FakET's published transfer: Adam from the noisy tilt, towards a reference's Gram matrices, beside a content term."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import Moments, match_moments
from faket_dask.kernels.style.memory import targets_bytes, transfer_bytes
from faket_dask.kernels.style.network import Architecture, Network, Precision
from faket_dask.kernels.style.scaling import Scaling, TiltScaling
from faket_dask.kernels.style.settings import SettingError, StyleSettings
from faket_dask.methods.arrays import TiltArrayLayout, TiltArrays
from faket_dask.methods.grams import gram_arrays, gram_layouts, grams_by_layer
from faket_dask.methods.transfer import TiltImage


@dataclass(frozen=True)
class PublishedSettings(StyleSettings):
    """Settings of the published method.

    Parameters
    ----------
    scaling
        Scaling to [0, 1]: ``"stack"``, of whole stacks by their extrema (published); ``"tilt"``, of each tilt by its
        moments, recorded ones without beads and ramps.
    clip_percent
        Percentage of pixels that are clipped at either end by scaling to [0, 1]; 0 takes minimum and maximum.

    Others are those of `faket_dask.kernels.style.StyleSettings`.
    """

    scaling: Literal["stack", "tilt"] = "stack"
    clip_percent: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isfinite(self.clip_percent) and 0 <= self.clip_percent < 50):
            raise SettingError("clip_percent", f"must be from 0 to below 50, got {self.clip_percent}")


@dataclass(frozen=True)
class PublishedTransfer:
    """The published method with its settings."""

    settings: PublishedSettings

    settings_type: ClassVar[type[PublishedSettings]] = PublishedSettings
    masks_artefacts: ClassVar[bool] = False

    @property
    def style_layers(self) -> Collection[int]:
        """Layers whose Gram matrices are taken from the reference."""
        return self.settings.style_layers.keys()

    @property
    def layers(self) -> Collection[int]:
        """All layers that the loss uses."""
        return self.settings.style_layers.keys() | self.settings.content_layers.keys()

    @property
    def evaluations(self) -> int:
        """Number of Adam's steps."""
        return self.settings.iterations

    @property
    def needs_stack_range(self) -> bool:
        """True where tilts are scaled to [0, 1] by the range of their stack."""
        return self.settings.scaling == "stack"

    @property
    def clip_percent(self) -> float:
        """Percentage of pixels at either end of a tilt that its range leaves out."""
        return self.settings.clip_percent

    def arrays(self, architecture: Architecture) -> Sequence[TiltArrayLayout]:
        """Return the layout of a Gram matrix per style layer."""
        return gram_layouts(architecture, self.style_layers)

    def measure(
        self,
        network: Network,
        reference: TiltImage,
        valid_mask: NDArray[np.bool_] | None = None,
        tile: int | None = None,
    ) -> TiltArrays:
        """Return the Gram matrices of a reference tilt."""
        from faket_dask.kernels.style.gradient_step import gram_targets

        recorded = TiltScaling(recorded=True, valid_mask=valid_mask)
        unit = self._scaling(reference, recorded).apply(reference.pixels)
        return gram_arrays(gram_targets(network, unit, self.style_layers, tile))

    def blend(self, parts: Sequence[tuple[TiltArrays, float]]) -> TiltArrays:
        """Return the weighted sum of Gram matrices."""
        from faket_dask.kernels.style.gradient_step import combine_targets

        if len(parts) == 1:
            return parts[0][0]
        grams = [grams_by_layer(arrays) for arrays, _ in parts]
        return gram_arrays(combine_targets(grams, [weight for _, weight in parts]))

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
        """Return the transferred tilt, which has the reference's moments."""
        from faket_dask.kernels.style.gradient_step import transfer

        kept = self._scaling(content, TiltScaling()).apply(content.pixels)
        first = self._scaling(start, TiltScaling()).apply(start.pixels)
        result = transfer(network, kept, first, grams_by_layer(targets), self.settings, tile)
        return match_moments(result, *moments)

    def transfer_bytes(
        self, shape: tuple[int, int], tile: int | None, architecture: Architecture, precision: Precision
    ) -> int:
        """Return the peak of `transfer` over what the process held before, in bytes."""
        return transfer_bytes(shape, tile, architecture, self.settings, precision)

    def measure_bytes(
        self, shape: tuple[int, int], tile: int | None, architecture: Architecture, precision: Precision
    ) -> int:
        """Return the peak of `measure` over what the process held before, in bytes."""
        return targets_bytes(shape, tile, architecture, self.style_layers, precision)

    def describe(self) -> str:
        """Return number and size of the steps."""
        settings = self.settings
        unit = "" if settings.step_unit == "absolute" else " standard deviations"
        plural = "s" if settings.iterations > 1 else ""
        return f"{settings.iterations} iteration{plural}, step {settings.step_size:g}{unit}"

    def _scaling(self, image: TiltImage, by_tilt: TiltScaling) -> Scaling | TiltScaling:
        if self.settings.scaling == "tilt":
            return by_tilt
        if image.stack_range is None:
            raise ValueError("`scaling: stack` needs the range of the stack that a tilt belongs to")
        return image.stack_range
