"""The README's commands and examples are run as they stand, on a smaller demo."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from faket_dask.benchmark.scenarios import PUBLISHED
from faket_dask.cli import app
from tests.runs import small_document

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.S)


def commands(program: str) -> list[list[str]]:
    lines = (line for block in blocks("sh") for line in block.splitlines())
    return [split for line in lines if (split := shlex.split(line, comments=True))[:1] == [program]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that looks like a checkout, with a demo that takes seconds."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "configs" / "cluster", folder / "configs" / "cluster")
    demo = small_document(folder / "demo-dataset", specimen={"count": 1}, cluster={"workers": 1})
    demo["outputs"] = {"modalities": ["faket", "noisy"]}
    (folder / "configs" / "demo.yaml").write_text(yaml.safe_dump(demo))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def test_every_command_works_in_the_order_it_is_shown(place: Path) -> None:
    shown = [command for command in commands("faket-dask") if command[1] not in ("weights", "benchmark")]
    assert {command[1] for command in shown} >= {"validate", "plan", "run", "status", "export", "reconstruct"}
    for command in shown:
        result = CliRunner().invoke(app, command[1:])
        assert result.exit_code == 0, (command, result.output)
    assert (place / "demo-dataset" / "report.html").exists()


def test_the_benchmark_command_names_a_row_of_the_table() -> None:
    [shown] = [command for command in commands("faket-dask") if command[1] == "benchmark"]
    row = shown[shown.index("--scenario") + 1]
    assert row in {f"{s.tilts}x{s.size}-{s.style_size}" for s in PUBLISHED}


@pytest.mark.pretrained
def test_the_weights_commands_work() -> None:
    for command in commands("faket-dask"):
        if command[1] == "weights":
            assert CliRunner().invoke(app, command[1:]).exit_code == 0, command


def test_every_python_example_runs(place: Path) -> None:
    names: dict[str, object] = {}
    for example in blocks("python"):
        exec(compile(example, "README.md", "exec"), names)
    assert names["tilt"].shape == (96, 80)  # type: ignore[attr-defined]
    assert names["labels"].ndim == 3  # type: ignore[attr-defined]
    assert len(names["particles"].class_name)  # type: ignore[attr-defined]
    assert names["projections"].compute().shape == (7, 64, 64)  # type: ignore[attr-defined]


def test_every_job_that_is_submitted_is_there() -> None:
    submitted = commands("sbatch") + commands("qsub")
    assert submitted
    for command in submitted:
        assert (ROOT / next(word for word in command if word.endswith(".sh"))).is_file()


def test_make_has_every_target_that_is_named() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for _, target in (command[:2] for command in commands("make")):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
