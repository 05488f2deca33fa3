"""Interrupted commands: a resumed run ends with the bytes of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from distributed import Client

import faket_dask
from faket_dask.engine.plan import read_plan
from faket_dask.engine.validate import validate
from faket_dask.errors import DatasetBusyError
from tests.runs import checksum_results, small_document

COMMAND = [sys.executable, "-m", "faket_dask.cli", "run"]
PATIENCE_S = 120

LAST = 12
"""Last units, during which a run is not stopped any more: it could end before."""


def write_run(folder: Path, workers: int = 1, specimens: int = 2) -> Path:
    """Write the run file of `tiny_dataset`, or of more specimens, for a folder of its own."""
    file = folder / "run.yaml"
    document = small_document(folder / "data", cluster={"workers": workers}, specimen={"count": specimens})
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture(scope="module")
def undisturbed(tiny_dataset: faket_dask.Dataset) -> dict[str, str]:
    """Checksums of an undisturbed run on one worker, a thread of this process."""
    return checksum_results(tiny_dataset.folder)


def list_markers(data: Path) -> list[Path]:
    return list((data / "progress").rglob("*.json"))


def start_and_wait(file: Path, for_markers: int) -> subprocess.Popen[str]:
    """Start a run in a process group of its own and wait until some units are done."""
    run = subprocess.Popen(
        [*COMMAND, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    data = file.parent / "data"
    until = time.monotonic() + PATIENCE_S
    while len(list_markers(data)) < for_markers:
        assert run.poll() is None, run.stdout.read() if run.stdout else ""
        assert time.monotonic() < until
        time.sleep(0.02)
    return run


def interrupt_driver(run: subprocess.Popen[str]) -> None:
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert "continues where it stopped" in output
    assert "Traceback" not in output


def terminate_driver(run: subprocess.Popen[str]) -> None:
    run.terminate()
    run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130


def kill_driver(run: subprocess.Popen[str]) -> None:
    workers = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    gone, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
    assert gone
    assert not alive, "workers outlive their driver"


@pytest.mark.parametrize(
    ("disturb", "after"),
    [
        (interrupt_driver, 20),
        (kill_driver, 20),
        pytest.param(terminate_driver, 20, marks=pytest.mark.slow),
        pytest.param(interrupt_driver, 45, marks=pytest.mark.slow),
        pytest.param(kill_driver, 45, marks=pytest.mark.slow),
    ],
)
def test_stopped_run_resumes_to_the_same_bytes(
    undisturbed: dict[str, str],
    one_worker: Client,
    tmp_path: Path,
    disturb: Callable[[subprocess.Popen[str]], None],
    after: int,
) -> None:
    file = write_run(tmp_path)
    run = start_and_wait(file, for_markers=after)
    disturb(run)
    kept = {marker: marker.read_bytes() for marker in list_markers(tmp_path / "data")}
    assert len(kept) >= after
    assert not faket_dask.run(file, one_worker).failures
    assert {marker: marker.read_bytes() for marker in kept} == kept, "finished units were computed again"
    assert len(list_markers(tmp_path / "data")) > len(kept), "the run had ended before it was stopped"
    assert checksum_results(tmp_path / "data") == undisturbed


def list_workers(driver: int) -> list[psutil.Process]:
    children = psutil.Process(driver).children(recursive=True)
    return [p for p in children if "spawn_main" in " ".join(p.cmdline())]


def kill_a_worker(run: subprocess.Popen[str], data: Path) -> None:
    """Kill one worker process of a run, and wait until some more units are done."""
    before = len(list_markers(data))
    victims = list_workers(run.pid)
    assert victims
    os.kill(victims[0].pid, signal.SIGKILL)
    until = time.monotonic() + PATIENCE_S
    while len(list_markers(data)) < before + 6 and run.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_run_survives_a_second_driver_and_killed_workers(
    undisturbed: dict[str, str], one_worker: Client, tmp_path: Path, times: int
) -> None:
    file = write_run(tmp_path, workers=2)
    run = start_and_wait(file, for_markers=2)
    with pytest.raises(DatasetBusyError, match=rf"another run is working on .* \(process {run.pid} on"):
        faket_dask.run(file, one_worker)
    for _ in range(times):
        kill_a_worker(run, tmp_path / "data")
    output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, output
    assert checksum_results(tmp_path / "data") == undisturbed


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2])
def test_run_disturbed_many_times_ends_with_the_same_bytes(
    one_worker: Client, tmp_path: Path, seed: int
) -> None:
    """Workers killed and frozen, drivers killed, interrupted and terminated, at moments drawn from a seed."""
    rng = np.random.default_rng(seed)
    calm, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    calm.mkdir()
    disturbed.mkdir()
    assert not faket_dask.run(write_run(calm, specimens=6), one_worker).failures
    units = len(list_markers(calm / "data"))
    file = write_run(disturbed, workers=2, specimens=6)
    data = disturbed / "data"
    disturbances: list[str] = []
    for _ in range(12):
        if len(list_markers(data)) > units - LAST:
            break  # the run could end before it is disturbed
        run = start_and_wait(file, for_markers=len(list_markers(data)) + int(rng.integers(1, 4)))
        for _ in range(int(rng.integers(0, 3))):
            time.sleep(float(rng.uniform(0, 1)))
            if run.poll() is None and (victims := list_workers(run.pid)):
                victim = victims[int(rng.integers(len(victims)))]
                if rng.random() < 0.5:
                    disturbances.append("worker killed")
                    victim.kill()
                else:
                    disturbances.append("worker frozen")
                    victim.suspend()
                    time.sleep(1)
                    victim.resume()
        stop = (interrupt_driver, kill_driver, terminate_driver)[int(rng.integers(3))]
        if run.poll() is None:
            disturbances.append(stop.__name__)
            stop(run)
        if run.returncode == 0:
            break
    print(dict(Counter(disturbances)))
    assert len(disturbances) > 6
    assert not faket_dask.run(file, one_worker).failures
    assert checksum_results(data) == checksum_results(calm / "data")
    assert not validate(read_plan(data))
