"""Notebooks run unchanged, and their stored outputs are complete and free of private details."""

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
"""Paths on a machine, and addresses of its processes."""

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def texts(path: Path) -> list[str]:
    """Return all text in the outputs."""
    pieces = []
    for output in (output for cell in code_cells(path) for output in cell.outputs):
        bundle = output.get("data", {"text/plain": output.get("text", "")})
        pieces += [text for kind, text in bundle.items() if kind.startswith("text/")]
    return pieces


def test_there_are_four_notebooks() -> None:
    assert len(NOTEBOOKS) == 4


def output_types(cells: list[nbformat.NotebookNode]) -> list[list[str]]:
    """Return the types of each cell's outputs except streams, whose division into pieces depends on timing."""
    types = [[o.output_type for o in cell.outputs] for cell in cells if cell.cell_type == "code"]
    return [[kind for kind in cell_types if kind != "stream"] for cell_types in types]


@pytest.mark.slow
@every_notebook
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path)
    book = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        book, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert output_types(book.cells) == output_types(code_cells(path)), (
        "stored outputs are out of date: `make notebooks`"
    )


@every_notebook
def test_cells_were_executed_in_order(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_stored_outputs_include_pictures_but_no_widgets(path: Path) -> None:
    kinds = {kind for cell in code_cells(path) for output in cell.outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert not any("widget" in kind for kind in kinds)


@every_notebook
def test_stored_outputs_hold_no_warnings_or_errors(path: Path) -> None:
    for cell in code_cells(path):
        assert not [output for output in cell.outputs if output.output_type == "error"]
        assert not [output for output in cell.outputs if output.get("name") == "stderr"]


@every_notebook
def test_stored_outputs_hold_no_details_of_the_machine(path: Path) -> None:
    for text in texts(path):
        assert not PRIVATE.search(text), PRIVATE.search(text)
        for name in (socket.gethostname(), getpass.getuser()):
            assert not re.search(rf"(?<![\w:]){re.escape(name)}\b", text), name


@every_notebook
def test_file_is_small(path: Path) -> None:
    assert path.stat().st_size < LARGEST_BYTES


@every_notebook
def test_notebook_has_a_title_and_explanations(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].source.startswith("# ")
    assert sum(cell.cell_type == "markdown" for cell in cells) >= 0.6 * len(code_cells(path))
