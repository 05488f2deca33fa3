"""Recipes of CONTRIBUTING.md: their code runs and follows the protocols, and the files that they name exist."""

import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from faket_dask.engine.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### An? (.+?)\n(.*?)(?=^### |\Z)", TEXT, flags=re.DOTALL | re.MULTILINE))


def run_example(recipe: str) -> dict[str, Any]:
    [code] = re.findall(r"```python\n(.*?)```", RECIPES[recipe], flags=re.DOTALL)
    names: dict[str, Any] = {"__name__": "my_package"}
    exec(compile(code, f"CONTRIBUTING.md: {recipe}", "exec"), names)
    return names


def missing_members(member: Any, protocol: type) -> set[str]:
    """Return the members of a protocol that an object lacks."""
    names = {name for name in vars(protocol) if not name.startswith("_")} | set(get_type_hints(protocol))
    return {name for name in names if not hasattr(member, name)}


def test_there_are_seven_recipes() -> None:
    assert list(RECIPES) == [
        "export format",
        "transfer method",
        "noise model",
        "batch system",
        "style network",
        "picker network",
        "stage",
    ]


@pytest.mark.parametrize("recipe", RECIPES)
def test_files_of_a_recipe_exist(recipe: str) -> None:
    for path in re.findall(r"`((?:faket_dask|tests|configs)/[\w./]+)`", RECIPES[recipe]):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("recipe", RECIPES)
def test_modules_of_a_recipe_exist(recipe: str) -> None:
    for dotted in re.findall(r"`(faket_dask(?:\.\w+)+)\b", RECIPES[recipe]):
        parts = [part for part in dotted.split(".") if not part[0].isupper()]
        path = ROOT.joinpath(*parts)
        assert path.is_dir() or path.with_suffix(".py").exists(), dotted


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_names_its_group_of_entry_points(recipe: str) -> None:
    assert re.search(r'\[project\.entry-points\."faket_dask\.\w+"\] \w+ = "my_package:\w+"', RECIPES[recipe])


def test_export_format_follows_the_protocol() -> None:
    from faket_dask.interchange.exporters.base import Exporter

    assert isinstance(run_example("export format")["NamesExporter"](), Exporter)


def test_transfer_method_follows_the_protocol() -> None:
    from faket_dask.methods.transfer import TransferMethod

    names = run_example("transfer method")
    method = names["Sharpen"](names["SharpenSettings"]())
    assert missing_members(method, TransferMethod) == set()
    assert method.describe() == "sharpened by 0.5"


def test_noise_model_follows_the_protocol_and_has_unit_variance() -> None:
    import numpy as np

    from faket_dask.methods.noise import NoiseModel

    model = run_example("noise model")["SMOOTH_NOISE"]
    assert missing_members(model, NoiseModel) == set()
    white = np.random.default_rng(0).standard_normal((32, 48), np.float32)
    field = model.field(white, tilt_angle=0.0, reference={}, signal=None)
    assert field.dtype == np.float32
    np.testing.assert_allclose([field.mean(), field.std()], [0, 1], atol=1e-5)


def test_batch_system_is_one() -> None:
    from faket_dask.cluster.jobs import BatchSystem

    system = run_example("batch system")["OAR"]
    assert isinstance(system, BatchSystem)
    assert system.queue_command("me") == ("oarstat", "-u", "me")


@pytest.mark.parametrize("logs", [None, Path("/logs")])
def test_job_class_accepts_the_keywords_of_the_batch_system(
    logs: Path | None, request: pytest.FixtureRequest
) -> None:
    from faket_dask.cluster.batch import job_script
    from faket_dask.cluster.jobs import BATCH_SYSTEMS, Sizing
    from faket_dask.cluster.profile import Profile

    BATCH_SYSTEMS.register("oar", run_example("batch system")["OAR"])
    request.addfinalizer(lambda: BATCH_SYSTEMS.unregister("oar"))
    profile = Profile(system="oar", account="lab", walltime="01:00:00")
    script = job_script(profile, Sizing(1, 4, 4, 2**30, 0, 3600, 60, 60), logs)
    lines = script.splitlines()
    assert "#OAR -l /nodes=1/core=4,walltime=01:00:00" in lines
    assert "#OAR --project lab" in lines
    assert ("#OAR -O /logs/%jobid%.log" in lines) == (logs is not None)
    assert "None" not in script


def test_style_network_follows_the_protocol() -> None:
    from faket_dask.methods.networks import StyleNetwork

    network = run_example("style network")["SMALL_NETWORK"]
    assert missing_members(network, StyleNetwork) == set()
    assert network.architecture.channels(4) == 16


def test_picker_network_follows_the_protocol() -> None:
    import numpy as np
    import torch

    from faket_dask.methods.picker_networks import PickerNetwork

    network = run_example("picker network")["SMALL_PICKER"]
    assert missing_members(network, PickerNetwork) == set()
    scores = network.create(4, 1.0, np.random.default_rng(0))(torch.zeros(2, 1, 3, 3, 3))
    assert scores.shape == (2, 4, 3, 3, 3)


def test_stage_is_one() -> None:
    stage = run_example("stage")["CountTilts"]()
    assert isinstance(stage, Stage)
    assert stage.cost(None).written_bytes == 8
