"""Commands and examples of the README run unchanged, on a smaller demo."""

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
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder that looks like a checkout, with a demo that takes seconds."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "configs" / "cluster", folder / "configs" / "cluster")
    demo = small_document(folder / "demo-dataset", specimen={"count": 1}, cluster={"workers": 1})
    demo["outputs"] = {"modalities": ["faket", "noisy"]}
    (folder / "configs" / "demo.yaml").write_text(yaml.safe_dump(demo))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def test_commands_work_in_their_order(checkout: Path) -> None:
    sequence = [command for command in commands("faket-dask") if command[1] not in ("weights", "benchmark")]
    assert {command[1] for command in sequence} >= {
        "validate",
        "plan",
        "run",
        "status",
        "export",
        "reconstruct",
    }
    for command in sequence:
        result = CliRunner().invoke(app, command[1:])
        assert result.exit_code == 0, (command, result.output)
    assert (checkout / "demo-dataset" / "report.html").exists()


def test_benchmark_command_names_a_row_of_the_table() -> None:
    [benchmark] = [command for command in commands("faket-dask") if command[1] == "benchmark"]
    row = benchmark[benchmark.index("--scenario") + 1]
    assert row in {f"{s.tilts}x{s.size}-{s.style_size}" for s in PUBLISHED}


@pytest.mark.pretrained
def test_weights_commands_work() -> None:
    for command in commands("faket-dask"):
        if command[1] == "weights":
            assert CliRunner().invoke(app, command[1:]).exit_code == 0, command


def test_python_examples_run(checkout: Path) -> None:
    names: dict[str, object] = {}
    for example in blocks("python"):
        exec(compile(example, "README.md", "exec"), names)
    assert names["tilt"].shape == (96, 80)  # type: ignore[attr-defined]
    assert names["labels"].ndim == 3  # type: ignore[attr-defined]
    assert len(names["particles"].class_name)  # type: ignore[attr-defined]
    assert names["projections"].compute().shape == (7, 64, 64)  # type: ignore[attr-defined]


def test_submitted_job_scripts_exist() -> None:
    submitted = commands("sbatch") + commands("qsub")
    assert submitted
    for command in submitted:
        assert (ROOT / next(word for word in command if word.endswith(".sh"))).is_file()


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for _, target in (command[:2] for command in commands("make")):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
