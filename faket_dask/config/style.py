"""The style transfer, and its settings that have a name."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from faket_dask.documents.section import Section, resolve_path
from faket_dask.errors import InputError
from faket_dask.kernels.style.network import Precision
from faket_dask.kernels.style.settings import SettingError
from faket_dask.kernels.vgg_architecture import Pooling
from faket_dask.methods.networks import STYLE_NETWORKS, StyleNetwork
from faket_dask.methods.noise import NOISE_MODELS, NoiseModel
from faket_dask.methods.transfer import TRANSFER_METHODS, TransferMethod

STYLE_PRESETS: dict[str, dict[str, Any]] = {
    "published": {"method": "published"},
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
    "matched": {"method": "matched", "noise": "spectral"},
}
"""Settings by name: FakET's as published, its method in ten small steps, and the one that ends next to a recording."""


def names_published_style(document: dict[str, Any]) -> bool:
    """Return True if the sections of a run file name FakET's published style, by its preset or its method.

    Examples
    --------
    >>> names_published_style({"style": {"preset": "published"}}), names_published_style({})
    (True, False)
    """
    style = document.get("style", {})
    return isinstance(style, dict) and style.get("preset", style.get("method")) == "published"


class StyleSection(Section):
    """The style transfer; the defaults are the published setting.

    `preset` stands for the values of one of `STYLE_PRESETS`; keys that are written beside it go before its own. Keys
    that belong to one method alone are written beside the others, and kept in `settings`.
    """

    network: str = Field(default="vgg19", description="network whose activations describe style")
    weights: str = Field(
        default="vgg19-imagenet1k-v1",
        description="vgg19-imagenet1k-v1, vgg19-normalised, random, or the path of a state dict",
    )
    random_seed: int = Field(default=0, ge=0, lt=2**63, description="of `weights: random`")
    method: str = Field(
        default="published",
        description="published: FakET's steps of Adam; matched: L-BFGS until a tilt differs from the reference as its "
        "halves do",
    )
    settings: Any = Field(
        default=None, description="keys of the method, which a run file holds beside the others"
    )
    noise: str = Field(
        default="white",
        description="noise of the start image: white (published), or spectral, with the reference's power spectrum",
    )
    pooling: Pooling = Field(default="max", description="pooling of the network")
    reference_size: Literal["own", "fit_to_tilt"] = Field(
        default="own",
        description="fit_to_tilt: a reference larger than the tilts is shrunk to them (published)",
    )
    angle_match: Literal["nearest", "interpolate"] = Field(
        default="nearest",
        description="style at an angle: of the nearest reference tilt, or interpolated between its neighbours",
    )
    precision: Precision = Field(
        default="float32",
        description="mixed: backward pass and deepest layers in bfloat16; bfloat16: all; both change results",
    )
    device: Literal["cpu", "cuda"] = Field(
        default="cpu", description="device of the transfer; part of the result's rounding"
    )
    threads: int = Field(default=1, ge=1, le=1024, description="per task; part of the result's rounding")
    tile: Literal["auto", "whole"] | Annotated[int, Field(ge=16, multiple_of=16)] = Field(
        default="auto",
        description="pixels; side of the tiles that gradients are computed in, or the whole image at once. "
        "auto: the largest that memory_per_task_GiB allows, resolved once, when the run is planned",
    )
    memory_per_task_GiB: float = Field(
        default=4.0, gt=0, le=100_000, description="of a worker process, for tile: auto"
    )

    @property
    def is_named(self) -> bool:
        """True if the run file names a preset, a method, its noise or one of its settings."""
        named = {"method", "noise"} & self.model_fields_set
        return bool(named) or self.settings != self.transfer.settings_type()

    @property
    def tile_px(self) -> int | None:
        """Side of a tile, ``None`` for the whole image; of a resolved configuration, where it is known."""
        if self.tile == "auto":
            raise ValueError("style.tile is still `auto`: it is resolved when the run is planned")
        return None if self.tile == "whole" else self.tile

    @property
    def transfer(self) -> TransferMethod:
        """Transfer method with its settings."""
        return TRANSFER_METHODS.get(self.method)(self.settings)

    @property
    def style_network(self) -> StyleNetwork:
        """Network whose activations describe style."""
        return STYLE_NETWORKS.get(self.network)

    @property
    def noise_model(self) -> NoiseModel:
        """Noise of the start image and of the content."""
        return NOISE_MODELS.get(self.noise)

    @classmethod
    def key_types(cls) -> dict[str, Any]:
        """Return the keys that a run file may hold, those of all methods included, with the types of their values."""
        types = super().key_types() | {"preset": str}
        types.pop("settings")
        for method in _usable_methods().values():
            types |= get_type_hints(method.settings_type)
        return types

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Build the settings of the method from its keys, and report their mistakes beside all others."""
        if not isinstance(value, dict):
            return handler(value)
        document = _apply_preset(value)
        settings = None
        mistakes: list[Any] = []
        if "settings" in document:
            mistakes.append({"type": "extra_forbidden", "loc": ("settings",), "input": None})
        method = document.get("method", cls.model_fields["method"].default)
        if method in TRANSFER_METHODS:
            keys = _take_method_keys(document, method)
            try:
                settings = TypeAdapter(TRANSFER_METHODS.get(method).settings_type).validate_python(keys)
            except ValidationError as error:
                mistakes += [_place_at_setting(item) for item in error.errors(include_url=False)]
        try:
            section = handler({**document, "settings": settings})
        except ValidationError as error:
            mistakes += error.errors(include_url=False)
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return section

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        if self.settings is not None:
            self.style_network.architecture.check(
                sorted({*self.transfer.layers, *self.transfer.style_layers})
            )
        return self

    @field_validator("network", "method", "noise")
    @classmethod
    def _is_known(cls, value: str, info: ValidationInfo) -> str:
        registry: Any = {
            "network": STYLE_NETWORKS,
            "method": TRANSFER_METHODS,
            "noise": NOISE_MODELS,
        }[str(info.field_name)]
        if value not in registry:
            raise ValueError(f"must be one of {', '.join(registry.names)}")
        return value

    @model_serializer(mode="wrap")
    def _write_keys_of_the_method(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document = handler(self)
        if document.pop("settings", None) is not None:
            document.update(asdict(self.settings))
        return document

    @field_validator("weights")
    @classmethod
    def _resolve_file(cls, value: str, info: ValidationInfo) -> str:
        return str(resolve_path(Path(value), info)) if "/" in value else value


def _apply_preset(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the section with its preset replaced by the values that it stands for."""
    if "preset" not in document:
        return dict(document)
    name = document["preset"]
    if not isinstance(name, str) or name not in STYLE_PRESETS:
        raise ValueError(f"preset must be one of {', '.join(STYLE_PRESETS)}, not {name!r}")
    return STYLE_PRESETS[name] | {key: value for key, value in document.items() if key != "preset"}


def _take_method_keys(document: dict[str, Any], method: str) -> dict[str, Any]:
    """Remove and return the keys of a method from a section.

    Raises
    ------
    ValueError
        If there is a key of another method.
    """
    own = _setting_names(TRANSFER_METHODS.get(method))
    for name, other in _usable_methods().items():
        for key in document.keys() & _setting_names(other) - own - StyleSection.model_fields.keys():
            raise ValueError(f"{key} belongs to `method: {name}`, and the method is {method}; remove it")
    return {key: document.pop(key) for key in own & document.keys()}


def _usable_methods() -> dict[str, type[TransferMethod]]:
    """Return all methods but those whose package is broken, which fail where a run file names them."""
    methods = {}
    for name in TRANSFER_METHODS.names:
        with suppress(InputError):
            methods[name] = TRANSFER_METHODS.get(name)
    return methods


def _setting_names(method: type[TransferMethod]) -> set[str]:
    return {field.name for field in fields(method.settings_type)}


def _place_at_setting(item: Any) -> Any:
    """Return a mistake that settings found in themselves at the key that it is about."""
    error = item.get("ctx", {}).get("error")
    if not isinstance(error, SettingError):
        return item
    return {
        "type": PydanticCustomError("setting", "{reason}", {"reason": error.reason}),
        "loc": (error.setting,),
        "input": None,
    }
