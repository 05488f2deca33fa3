"""What a notebook shows of a run, by a kernel that really runs it."""

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
from faket_dask.progress.grid import State
from faket_dask.progress.picture import COLOURS, draw
from faket_dask.progress.tally import Tally
from faket_dask.workflow.run import run as run_unseen

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


def executed(*cells: str, folder: Path) -> list[list[dict]]:
    """Outputs of each cell."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return [cell.outputs for cell in client.execute().cells]


def share_of(colour: str, png: bytes) -> float:
    """Part of a picture's pixels that have this colour."""
    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return float((image == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=-1).mean())


def test_the_picture_shows_how_far_tilts_are(events: list[Event]) -> None:
    tally = Tally()
    tally(events[0])
    before = draw(tally, None)
    for event in events[1:]:
        tally(event)
    after = draw(tally, None)
    assert share_of(COLOURS[State.DONE], after) > 0.1 > share_of(COLOURS[State.DONE], before)
    assert share_of(COLOURS[State.WAITING], before) > 0.1 > share_of(COLOURS[State.WAITING], after)


def test_runs_and_watching_leave_a_picture(quick_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    shutil.copytree(quick_dataset.folder, tmp_path / "data")
    shutil.rmtree(tmp_path / "data/progress/style/specimen-000__b")
    config = yaml.safe_load((tmp_path / "data/config.yaml").read_text())
    config["dataset"]["folder"] = "data"
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    again, watched, everything_done = executed(
        "import faket_dask\n"
        "from distributed import Client\n"
        "client = Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None)\n"
        "made = faket_dask.run('run.yaml', client)",
        "seen = faket_dask.watch('data')",
        "made = faket_dask.run('run.yaml', client)",
        folder=tmp_path,
    )
    for outputs in (again, watched):
        [output] = [output for output in outputs if output.output_type == "display_data"]
        picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
        assert picture.width > 800
    [output] = everything_done
    assert "everything was done" in output.data["text/html"]


def test_without_widgets_there_are_lines(quick_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    [_, outputs] = executed(
        "import sys\nsys.modules['ipywidgets'] = None\nimport faket_dask",
        f"seen = faket_dask.watch({str(quick_dataset.folder)!r})",
        folder=tmp_path,
    )
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "2 of 2 series" in text
    assert "\x1b" not in text
    assert all(output.output_type == "stream" for output in outputs)


def test_what_runs_in_sight_takes_what_runs_unseen_does() -> None:
    assert inspect.signature(faket_dask.run) == inspect.signature(run_unseen)
