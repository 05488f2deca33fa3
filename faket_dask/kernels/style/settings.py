"""Settings of the two ways to transfer style, and their defaults; PyTorch is not needed to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal


class SettingError(ValueError):
    """Value of a setting that is out of range.

    Parameters
    ----------
    setting
        Name of the setting.
    reason
        Rest of the sentence that begins with the name.
    """

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting} {reason}")
        self.setting = setting
        self.reason = reason

    def __reduce__(self) -> tuple[type[SettingError], tuple[str, str]]:
        return type(self), (self.setting, self.reason)


@dataclass(frozen=True)
class StyleSettings:
    """Settings of the published style transfer; the defaults are the published ones.

    Parameters
    ----------
    content_layers
        Weight of each layer whose activations should stay those of the content image.
    style_layers
        Weight of each layer whose Gram matrix should become the style's; the weights are divided by their sum.
    content_weight
        Weight of the content term as a whole.
    tv_weight
        Weight of the total variation of the image.
    iterations
        Number of Adam's steps.
    step_size
        Step size of Adam, in the unit that `step_unit` names.
    step_unit
        ``"absolute"``: the step is a part of the range [0, 1]; ``"start_std"``: of the start image's standard
        deviation.
    decay
        Decay of the moving average over the start image and all iterates.

    Raises
    ------
    SettingError
        If there is no style layer, or a number is out of range.

    Examples
    --------
    >>> StyleSettings().step_size
    0.15
    >>> StyleSettings(iterations=0)
    Traceback (most recent call last):
    faket_dask.kernels.style.settings.SettingError: iterations must be at least 1, got 0
    """

    content_layers: Mapping[int, float] = field(default_factory=lambda: {8: 1.0})
    style_layers: Mapping[int, float] = field(
        default_factory=lambda: {1: 256.0, 6: 64.0, 11: 16.0, 20: 4.0, 29: 1.0}
    )
    content_weight: float = 1.0
    tv_weight: float = 0.0
    iterations: int = 1
    step_size: float = 0.15
    step_unit: Literal["absolute", "start_std"] = "absolute"
    decay: float = 0.99

    def __post_init__(self) -> None:
        check_style_layers(self.style_layers)
        check_layer_weights("content_layers", self.content_layers)
        for name in ("content_weight", "tv_weight"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise SettingError(name, f"must not be negative, got {getattr(self, name)}")
        if self.iterations < 1:
            raise SettingError("iterations", f"must be at least 1, got {self.iterations}")
        if not (isfinite(self.step_size) and self.step_size > 0):
            raise SettingError("step_size", f"must be positive, got {self.step_size}")
        if self.step_unit not in ("absolute", "start_std"):
            raise SettingError("step_unit", f"must be 'absolute' or 'start_std', got {self.step_unit!r}")
        if not 0 <= self.decay < 1:
            raise SettingError("decay", f"must be from 0 to below 1, got {self.decay}")

    @property
    def used_content_layers(self) -> Mapping[int, float]:
        """Content layers that have any weight in the loss."""
        return self.content_layers if self.content_weight else {}


@dataclass(frozen=True)
class GramMatchingSettings:
    """Settings of the matching of Gram matrices.

    Parameters
    ----------
    style_layers
        Weight of each layer whose Gram matrix is matched.
    evaluations
        Largest number of evaluations of loss and gradient; fewer when the loss falls below the reference's own
        variation earlier.

    Raises
    ------
    SettingError
        If there is no style layer, or a number is out of range.
    """

    style_layers: Mapping[int, float] = field(
        default_factory=lambda: {1: 1.0, 6: 1.0, 11: 1.0, 20: 1.0, 29: 1.0}
    )
    evaluations: int = 8

    def __post_init__(self) -> None:
        check_style_layers(self.style_layers)
        if self.evaluations < 1:
            raise SettingError("evaluations", f"must be at least 1, got {self.evaluations}")


def check_style_layers(weights: Mapping[int, float]) -> None:
    """Refuse weights of style layers that no style can be transferred with."""
    if not weights:
        raise SettingError("style_layers", "is empty: without a style layer there is no style to transfer")
    check_layer_weights("style_layers", weights)


def check_layer_weights(name: str, weights: Mapping[int, float]) -> None:
    """Refuse weights that are not positive."""
    for layer, weight in weights.items():
        if not (isfinite(weight) and weight > 0):
            raise SettingError(name, f"must have positive weights, got {weight} for layer {layer}")
