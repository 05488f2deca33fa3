"""How style is transferred, and the settings that have a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from faket_dask.config.section import Section, resolve_path
from faket_dask.kernels.style.precision import Precision

STYLE_PRESETS: dict[str, dict[str, Any]] = {
    "published": {},
    "recorded": {
        "noise": "spectral",
        "scaling": "tilt",
        "style_layers": {1: 1, 6: 1, 11: 1, 20: 1, 29: 1},
        "content_weight": 0.03,
        "iterations": 10,
        "step_size": 0.04,
        "step_unit": "start_std",
        "decay": 0.0,
    },
    "matched": {
        "method": "matched",
        "noise": "spectral",
        "style_layers": {1: 1, 6: 1, 11: 1, 20: 1, 29: 1},
    },
}
"""Settings by name: FakET's as published, its method in ten small steps, and the one that ends next to a recording."""

PUBLISHED_ONLY = (
    "content_layers",
    "content_weight",
    "tv_weight",
    "iterations",
    "step_size",
    "step_unit",
    "decay",
    "scaling",
    "clip_percent",
)
"""Keys that the method `matched` does not have: it finds its own step, and scales each tilt by its own moments."""


class StyleSection(Section):
    """The style transfer; the defaults are the published setting.

    `preset` stands for the values of one of `STYLE_PRESETS`; keys that are written beside it go before its own.
    """

    weights: str = Field(
        default="vgg19-imagenet1k-v1",
        description="vgg19-imagenet1k-v1, vgg19-normalised, random, or the path of a state dict",
    )
    random_seed: int = Field(default=0, ge=0, description="of `weights: random`")
    method: Literal["published", "matched"] = Field(
        default="published",
        description="FakET's steps of Adam, or L-BFGS until a tilt differs from the reference as its parts do",
    )
    noise: Literal["white", "spectral"] = Field(
        default="white",
        description="noise of the start image: white (published), or with the reference's power spectrum",
    )
    pooling: Literal["max", "average", "l2"] = "max"
    content_layers: dict[int, Annotated[float, Field(gt=0)]] = Field(default={8: 1.0})
    style_layers: dict[int, Annotated[float, Field(gt=0)]] = Field(
        default={1: 256, 6: 64, 11: 16, 20: 4, 29: 1}
    )
    content_weight: float = Field(default=1.0, ge=0)
    tv_weight: float = Field(default=0.0, ge=0)
    iterations: int = Field(default=1, ge=1)
    step_size: float = Field(default=0.15, gt=0)
    step_unit: Literal["absolute", "start_std"] = Field(
        default="absolute", description="of the [0, 1] range, or of the start image's standard deviation"
    )
    decay: float = Field(default=0.99, ge=0, lt=1)
    evaluations: int = Field(
        default=8, ge=1, description="of `method: matched`: most evaluations of the loss per tilt"
    )
    scaling: Literal["stack", "tilt"] = Field(
        default="stack",
        description="to [0, 1]: of whole stacks by their extrema (published), or of each tilt by its moments, "
        "recorded ones without beads and ramps",
    )
    clip_percent: float = Field(
        default=0.0,
        ge=0,
        lt=50,
        description="per cent of pixels clipped at either end when scaling to [0, 1]; 0 is min-max",
    )
    reference_size: Literal["own", "fit_to_tilt"] = Field(
        default="own",
        description="fit_to_tilt: a reference larger than the tilts is shrunk to them (published)",
    )
    angle_match: Literal["nearest", "interpolate"] = "nearest"
    precision: Precision = Field(
        default="float32",
        description="mixed: backward pass and deepest layers in bfloat16; bfloat16: all; both change results",
    )
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(default=1, ge=1, description="per task; part of the result's rounding")
    tile: Literal["auto", "whole"] | Annotated[int, Field(ge=16, multiple_of=16)] = Field(
        default="auto",
        description="pixels; side of the tiles that gradients are computed in, or the whole image at once. "
        "auto: the largest that memory_per_task_GiB allows, settled once, when the run is planned",
    )
    memory_per_task_GiB: float = Field(default=4.0, gt=0, description="of a worker process, for tile: auto")

    @property
    def start_modality(self) -> str:
        """Modality that the transfer starts from."""
        return "spectral" if self.noise == "spectral" else "noisy"

    @property
    def tile_px(self) -> int | None:
        """Side of a tile, ``None`` for the whole image; of a resolved configuration, where it is settled."""
        if self.tile == "auto":
            raise ValueError("style.tile is still `auto`: it is settled when the run is planned")
        return None if self.tile == "whole" else self.tile

    @property
    def loss_layers(self) -> tuple[dict[int, float], dict[int, float]]:
        """Layers of the style and of the content term, which `matched` does not have."""
        return self.style_layers, {} if self.method == "matched" else self.content_layers

    @property
    def most_evaluations(self) -> int:
        """Of loss and gradient, per tilt."""
        return self.evaluations if self.method == "matched" else self.iterations

    @model_validator(mode="after")
    def _keys_of_the_other_method(self) -> StyleSection:
        foreign = PUBLISHED_ONLY if self.method == "matched" else ("evaluations",)
        for key in foreign:
            if getattr(self, key) != type(self).model_fields[key].default:
                other = "published" if self.method == "matched" else "matched"
                raise ValueError(
                    f"{key} belongs to `method: {other}`, and the method is {self.method}; remove it"
                )
        return self

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "preset" not in value:
            return value
        name = value["preset"]
        if name not in STYLE_PRESETS:
            raise ValueError(f"preset must be one of {', '.join(STYLE_PRESETS)}, not {name!r}")
        return STYLE_PRESETS[name] | {key: given for key, given in value.items() if key != "preset"}

    @field_validator("weights")
    @classmethod
    def _resolve_file(cls, value: str, info: ValidationInfo) -> str:
        return str(resolve_path(Path(value), info)) if "/" in value else value
