"""Transfer methods, noise models and style networks from outside the package."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.methods.networks import STYLE_NETWORKS
from faket_dask.methods.noise import NOISE_MODELS
from faket_dask.methods.transfer import TRANSFER_METHODS
from faket_dask.registry import Registry

PLUGIN = '''
"""One member of each kind, as a package of its own brings them."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from faket_dask.kernels.moments import match_moments
from faket_dask.kernels.style.network import SequentialArchitecture
from faket_dask.methods.arrays import TiltArrayLayout, blend_arrays
from faket_dask.weights import Weights


@dataclass(frozen=True)
class BlurSettings:
    sigma_px: float = 1.5

    def __post_init__(self):
        if self.sigma_px <= 0:
            raise ValueError(f"sigma_px must be positive, got {self.sigma_px}")


@dataclass(frozen=True)
class Blur:
    settings: BlurSettings

    settings_type: ClassVar = BlurSettings
    masks_artefacts: ClassVar = False
    needs_stack_range: ClassVar = False
    clip_percent: ClassVar = 0.0
    style_layers: ClassVar = (1,)
    layers: ClassVar = (1,)
    evaluations: ClassVar = 1

    def arrays(self, architecture):
        return [TiltArrayLayout("level", (), (), "float64")]

    def measure(self, network, reference, valid_mask=None, tile=None):
        return {"level": np.float64(reference.pixels.mean())}

    def blend(self, parts):
        return blend_arrays(parts)

    def transfer(self, network, *, content, start, targets, moments, tile=None):
        from scipy.ndimage import gaussian_filter

        return match_moments(gaussian_filter(start.pixels, self.settings.sigma_px), *moments)

    def transfer_bytes(self, shape, tile, architecture, precision):
        return 8 * shape[0] * shape[1]

    measure_bytes = transfer_bytes

    def describe(self):
        return f"blur by {self.settings.sigma_px} pixels"


PINK = SimpleNamespace(
    description="pink noise",
    modality="pink",
    arrays=lambda rings: (),
    estimate=lambda tilt: {},
    field=lambda white, *, tilt_angle, reference, signal: white[::-1],
)

SMALL = SimpleNamespace(
    architecture=SequentialArchitecture("Small", {0: (3, 4)}, (), 2),
    load_weights=lambda name, seed=0, expected=None: Weights({}, "checksum of nothing"),
    create=lambda state_dict, *, pooling, precision, device: state_dict,
)
'''

ENTRY_POINTS = """
[faket_dask.transfer_methods]
blur = blurring:Blur

[faket_dask.noise_models]
pink = blurring:PINK

[faket_dask.style_networks]
small = blurring:SMALL
"""

USE = """
import sys
import dask, numpy as np, xarray as xr
from pydantic import ValidationError
from faket_dask import graphs
from faket_dask.config import StyleSection
from faket_dask.documents.explain import explain

keys = {"network": "small", "weights": "none", "method": "blur", "noise": "pink", "sigma_px": 2, "tile": "whole"}
style = StyleSection.model_validate(keys)
assert StyleSection.model_validate(style.model_dump(mode="json")) == style
assert style.transfer.describe() == "blur by 2.0 pixels", style.transfer.describe()
assert style.noise_model.modality == "pink"
for wrong, line in (
    ({"sigma_px": 0}, "must be positive"),
    ({"sigma_pixels": 1}, "sigma_pixels: there is no such key; did you mean 'sigma_px'?"),
    ({"iterations": 3}, "iterations belongs to `method: published`, and the method is blur; remove it"),
):
    try:
        StyleSection.model_validate(keys | wrong)
    except ValidationError as error:
        assert line in explain(error, StyleSection), explain(error, StyleSection)
    else:
        raise AssertionError(wrong)
stack = xr.DataArray(
    np.random.default_rng(0).random((2, 32, 32), dtype=np.float32),
    dims=("tilt", "y", "x"),
    coords={"tilt_angle": ("tilt", [0.0, 3.0])},
)
with dask.config.set(scheduler="synchronous"):
    faket = graphs.transfer_style(stack, stack, graphs.reference_style(stack, style), style).compute()
assert abs(faket.values.mean() - stack.values.mean()) < 1e-3
"""


def test_package_adds_members_by_entry_points(tmp_path: Path) -> None:
    (tmp_path / "blurring.py").write_text(PLUGIN)
    metadata = tmp_path / "blurring-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: blurring\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    root = Path(__file__).resolve().parents[2]
    script = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]\n{USE}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_call_adds_a_member() -> None:
    class Reversed:
        description, modality = "reversed", "noisy"

        def arrays(self, rings: int) -> tuple[()]:
            return ()

        def estimate(self, tilt: object) -> dict[str, np.ndarray]:
            return {}

        def field(self, white: np.ndarray, **known: object) -> np.ndarray:
            return white[::-1]

    NOISE_MODELS.register("reversed", Reversed())  # type: ignore[arg-type]
    try:
        assert "reversed" in NOISE_MODELS
        with pytest.raises(ValueError, match="already"):
            NOISE_MODELS.register("reversed", Reversed())  # type: ignore[arg-type]
    finally:
        NOISE_MODELS.unregister("reversed")
    assert "reversed" not in NOISE_MODELS


@pytest.mark.parametrize("registry", [TRANSFER_METHODS, NOISE_MODELS, STYLE_NETWORKS])
def test_all_members_can_be_loaded(registry: Registry[object]) -> None:
    assert [registry.get(name) for name in registry.names]
    with pytest.raises(InputError, match=r"there is no .* 'nothing'; known are"):
        registry.get("nothing")
