"""The notebooks run as they stand, and what is stored in them can be shown to anybody."""

import getpass
import re
import shutil
import socket
from pathlib import Path

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

LARGEST_BYTES = 1_000_000
FOLDERS = "home|root|Users|tmp|work|mnt|var|scratch|opt"
PRIVATE = re.compile(rf"(?<![\w.>])/({FOLDERS})\b|\b\d+\.\d+\.\d+\.\d+:\d+")
"""Paths of a machine, and addresses of its processes."""

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def texts(path: Path) -> list[str]:
    """All text that the outputs hold."""
    found = []
    for output in (output for cell in code_cells(path) for output in cell.outputs):
        bundle = output.get("data", {"text/plain": output.get("text", "")})
        found += [text for kind, text in bundle.items() if kind.startswith("text/")]
    return found


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 4


def shown(cells: list[nbformat.NotebookNode]) -> list[list[str]]:
    """Kinds of what each cell shows; how its text is cut into pieces depends on the clock."""
    kinds = [[o.output_type for o in cell.outputs] for cell in cells if cell.cell_type == "code"]
    return [[kind for kind in of_cell if kind != "stream"] for of_cell in kinds]


@pytest.mark.slow
@every_notebook
def test_it_runs(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path)
    book = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        book, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert shown(book.cells) == shown(code_cells(path)), (
        "its stored outputs are of another version: `make notebooks`"
    )


@every_notebook
def test_every_cell_was_executed_in_order(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_its_outputs_show_something_without_a_kernel(path: Path) -> None:
    kinds = {kind for cell in code_cells(path) for output in cell.outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert not any("widget" in kind for kind in kinds)


@every_notebook
def test_its_outputs_hold_no_warnings_or_errors(path: Path) -> None:
    for cell in code_cells(path):
        assert not [output for output in cell.outputs if output.output_type == "error"]
        assert not [output for output in cell.outputs if output.get("name") == "stderr"]


@every_notebook
def test_its_outputs_tell_nothing_of_the_machine(path: Path) -> None:
    for text in texts(path):
        assert not PRIVATE.search(text), PRIVATE.search(text)
        for name in (socket.gethostname(), getpass.getuser()):
            assert not re.search(rf"(?<![\w:]){re.escape(name)}\b", text), name


@every_notebook
def test_it_is_small(path: Path) -> None:
    assert path.stat().st_size < LARGEST_BYTES


@every_notebook
def test_it_begins_with_a_title_and_explains_its_cells(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].source.startswith("# ")
    assert sum(cell.cell_type == "markdown" for cell in cells) >= 0.6 * len(code_cells(path))
