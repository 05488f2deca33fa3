"""Display of a run in a notebook, which a kernel executes."""

import base64
import inspect
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import faket_dask
from faket_dask.engine.events import Event
from faket_dask.progress.grid import DONE, WAITING
from faket_dask.progress.heatmap import COLOURS, draw
from faket_dask.progress.run_state import RunState
from faket_dask.workflow.run import run as run_without_display

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


def executed(*cells: str, folder: Path) -> list[list[dict]]:
    """Execute cells and return the outputs of each."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return [cell.outputs for cell in client.execute().cells]


def colour_share(colour: str, png: bytes) -> float:
    """Return the share of a picture's pixels that have a colour."""
    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return float((image == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=-1).mean())


def test_picture_shows_progress_of_tilts(events: list[Event]) -> None:
    state = RunState()
    state(events[0])
    before = draw(state, None)
    for event in events[1:]:
        state(event)
    after = draw(state, None)
    assert colour_share(COLOURS[DONE], after) > 0.1 > colour_share(COLOURS[DONE], before)
    assert colour_share(COLOURS[WAITING], before) > 0.1 > colour_share(COLOURS[WAITING], after)


def test_run_and_watch_leave_a_picture_in_the_notebook(
    quick_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    shutil.copytree(quick_dataset.folder, tmp_path / "data")
    shutil.rmtree(tmp_path / "data/progress/synthesise/specimen-000__b")
    config = yaml.safe_load((tmp_path / "data/config.yaml").read_text())
    config["dataset"]["folder"] = "data"
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    again, watched, complete = executed(
        "import faket_dask\n"
        "from distributed import Client\n"
        "client = Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None)\n"
        "dataset = faket_dask.run('run.yaml', client)",
        "dataset = faket_dask.watch('data')",
        "dataset = faket_dask.run('run.yaml', client)",
        folder=tmp_path,
    )
    for outputs in (again, watched):
        [output] = [output for output in outputs if output.output_type == "display_data"]
        picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
        assert picture.width > 800
    [output] = complete
    assert "everything was done already" in output.data["text/html"]


def test_notebook_without_widgets_shows_lines_of_text(
    quick_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    [_, outputs] = executed(
        "import sys\nsys.modules['ipywidgets'] = None\nimport faket_dask",
        f"dataset = faket_dask.watch({str(quick_dataset.folder)!r})",
        folder=tmp_path,
    )
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "2 of 2 series" in text
    assert "\x1b" not in text
    assert all(output.output_type == "stream" for output in outputs)


def test_run_with_display_has_the_signature_of_run_without() -> None:
    assert inspect.signature(faket_dask.run) == inspect.signature(run_without_display)
