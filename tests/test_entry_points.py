"""Entry points that other programs rely on: importable under these names, with these positional parameters."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from distributed import Client
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.config import StyleSection, dump, parse
from faket_dask.graphs import reference_style
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.kernels.style import StyleSettings
from faket_dask.kernels.vgg import VGG19
from tests.runs import small_document

POSITIONAL = {
    "kernels.projection.project": ["volume", "tilt_angles", "width"],
    "kernels.noise.noise_curves": ["noisy", "clean"],
    "kernels.noise.fit_curves": ["curves", "tilt_angles", "order", "at"],
    "kernels.noise.unpaired_noise_curves": [
        "reference",
        "reference_angles",
        "noiseless",
        "noiseless_angles",
    ],
    "kernels.noise.add_noise": ["noiseless_tilt", "signal_scale", "noise_scale", "field"],
    "kernels.noise.NoiseCurves": ["signal_scale", "noise_scale", "mean", "std"],
    "kernels.moments.match_moments": ["image", "mean", "std"],
    "kernels.vgg.VGG19": ["state_dict"],
    "kernels.style.gram_targets": ["network", "style_tilt", "layers", "tile"],
    "kernels.style.transfer": ["network", "content", "start", "targets", "settings", "tile"],
    "kernels.filters.shrec_filter": ["ny", "nx"],
    "kernels.filters.ramp_filter": ["ny", "nx"],
    "kernels.backprojection.back_project": ["stack", "tilt_angles", "depth", "centre", "z_centre"],
    "run": ["config", "client"],
    "plan": ["config"],
    "open_series": ["path"],
    "graphs.project": ["volume", "tilt_angles", "width"],
    "graphs.add_noise": ["noiseless", "curves", "seed", "series"],
    "graphs.transfer_style": ["noisy", "content", "reference", "style"],
    "graphs.filter_tilts": ["stack", "kind"],
    "graphs.reconstruct": ["filtered", "depth"],
    "graphs.segment": ["tomogram", "network"],
}
"""First positional parameters of each entry point, in order."""

COMMANDS = ["run", "plan", "status", "validate", "weights fetch", "export", "benchmark"]


def entry_point(name: str) -> Any:
    module, _, attribute = f"faket_dask.{name}".rpartition(".")
    return getattr(import_module(module), attribute)


def positional(function: Any) -> list[str]:
    return [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]


@pytest.mark.parametrize("name", POSITIONAL)
def test_positional_parameters_keep_their_order(name: str) -> None:
    expected = POSITIONAL[name]
    assert positional(entry_point(name))[: len(expected)] == expected


def test_network_takes_its_options_by_name() -> None:
    parameters = inspect.signature(VGG19).parameters
    by_name = {name for name, value in parameters.items() if value.kind is value.KEYWORD_ONLY}
    assert by_name == {"seed", "pooling", "precision", "device"}


def test_style_settings_default_to_the_published_ones() -> None:
    settings = StyleSettings()
    assert settings.content_layers == {8: 1.0}
    assert settings.style_layers == {1: 256, 6: 64, 11: 16, 20: 4, 29: 1}
    assert (settings.content_weight, settings.tv_weight, settings.iterations) == (1.0, 0.0, 1)
    assert (settings.step_size, settings.decay) == (0.15, 0.99)


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19(None, seed=0, pooling="max", precision="float32", device="cpu")


def image(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_project_and_back_project() -> None:
    stack = entry_point("kernels.projection.project")(image(0, 6, 4, 16), [-30.0, 0.0, 30.0], 12)
    assert (stack.shape, stack.dtype) == ((3, 4, 12), np.float32)
    volume = entry_point("kernels.backprojection.back_project")(stack, [-30.0, 0.0, 30.0], 6, None, None)
    assert (volume.shape, volume.dtype) == ((6, 4, 12), np.float32)


def test_filters() -> None:
    for name in ("shrec_filter", "ramp_filter"):
        assert entry_point(f"kernels.filters.{name}")(8, 12).shape == (8, 12)


def test_noise_is_measured_fitted_and_added() -> None:
    angles = [-20.0, 0.0, 20.0]
    noisy, clean = image(1, 3, 32, 32), image(2, 3, 32, 32)
    curves = entry_point("kernels.noise.noise_curves")(noisy, clean)
    assert isinstance(curves, NoiseCurves)
    fitted = entry_point("kernels.noise.fit_curves")([curves], angles, 1, [0.0])
    assert fitted.std.shape == (1,)
    unpaired = entry_point("kernels.noise.unpaired_noise_curves")(noisy, angles, clean, angles)
    assert unpaired.signal_scale.dtype == np.float64
    tilt = entry_point("kernels.noise.add_noise")(clean[0], 0.5, 0.8, noisy[0])
    assert (tilt.shape, tilt.dtype) == ((32, 32), np.float32)
    assert entry_point("kernels.moments.match_moments")(tilt, 3.0, 2.0).mean() == pytest.approx(3.0, abs=1e-4)


@pytest.mark.parametrize("tile", [None, 16])
def test_style_is_transferred(network: VGG19, tile: int | None) -> None:
    content, start, reference = (image(seed, 32, 48) for seed in range(3))
    targets = entry_point("kernels.style.gram_targets")(network, reference, iter([1, 6, 11, 20, 29]), tile)
    assert targets[6].shape == (128, 128)
    result = entry_point("kernels.style.transfer")(network, content, start, targets, StyleSettings(), tile)
    assert (result.shape, result.dtype) == ((32, 48), np.float32)
    assert 0 <= result.min() <= result.max() <= 1


def test_graphs_are_lazy_from_density_to_tomogram() -> None:
    graphs = {name.rpartition(".")[2]: entry_point(name) for name in POSITIONAL if name.startswith("graphs.")}
    density = xr.DataArray(image(3, 8, 32, 48), dims=("z", "y", "x")).chunk({"y": 16})
    angles = [-10.0, 0.0, 10.0]
    noiseless = graphs["project"](density, angles, 32)
    curves = NoiseCurves(*np.array([[0.5] * 3, [0.8] * 3, [0.0] * 3, [1.0] * 3]))
    noisy, content = (graphs["add_noise"](noiseless, curves, 1, "s", level) for level in (1.0, 0.25))
    style = StyleSection(weights="random", tile="whole")
    faket = graphs["transfer_style"](noisy, content, reference_style(noisy, style), style)
    tomogram = graphs["reconstruct"](graphs["filter_tilts"](faket, "hann"), 8)
    assert tomogram.chunks
    assert tomogram.dims == ("z", "y", "x")
    assert np.isfinite(tomogram.compute()).all()


def test_plan_run_and_open_series(tmp_path: Path) -> None:
    config = parse(
        small_document(
            tmp_path / "data",
            specimen={"count": 1},
            acquisition={"tilt_angles": [-20, 0, 20], "detector_px": [32, 32]},
            references=[{"kind": "simulated", "name": "a"}],
            outputs={"modalities": ["noisy"]},
        ),
        tmp_path,
    )
    assert isinstance(faket_dask.plan(config), faket_dask.Plan)
    run_file = tmp_path / "run.yaml"
    run_file.write_text(dump(config))
    assert faket_dask.plan(run_file).spec.fingerprint == faket_dask.plan(config).spec.fingerprint
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        dataset = faket_dask.run(config, client)
    assert isinstance(dataset, faket_dask.Dataset)
    [path] = (tmp_path / "data" / "series").glob("*.zarr")
    series = faket_dask.open_series(path)
    assert series["tilts/noisy"].dims == ("tilt", "y", "x")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(command: str) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"faket-dask {command}" in result.stdout


def test_back_projection_does_not_import_pytorch() -> None:
    modules = [
        "faket_dask.kernels.backprojection",
        "faket_dask.kernels.backprojection_binned",
        "faket_dask.kernels.filters",
        "faket_dask.kernels.noise",
        "faket_dask.kernels.projection",
        "faket_dask.kernels.style.memory",
        "faket_dask.stages.reconstruction",
        "faket_dask.config",
    ]
    script = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
