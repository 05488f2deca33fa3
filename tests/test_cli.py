"""Output and exit status of the commands."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import Result
from distributed import Client
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app, importing, study, weights
from faket_dask.cli.console import BAD_INPUT, FAILED
from faket_dask.config import parse
from faket_dask.errors import DatasetBusyError, DiskFullError, FaketDaskError, InputError
from faket_dask.formats.mrc import write_stack
from tests.runs import small_document

COMMANDS = [
    [*group, command.name or command.callback.__name__]
    for group, commands in (
        ([], app),
        (["weights"], weights.app),
        (["import"], importing.app),
        (["study"], study.app),
    )
    for command in commands.registered_commands
]


def tiny(folder: Path, **changes: Any) -> dict[str, Any]:
    """One specimen, one reference, three tilts, and no network to wait for."""
    sections: dict[str, Any] = {
        "specimen": {"count": 1},
        "acquisition": {"tilt_angles": [-40, 0, 40]},
        "references": [{"kind": "simulated", "name": "a"}],
        "outputs": {"modalities": ["noisy"]},
    }
    return small_document(folder / "data", **{**sections, **changes})


def call(*arguments: str | Path) -> Result:
    """Run a command in this process; terminals wide enough for whole tables."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])


def errors(*arguments: str | Path) -> list[str]:
    """Run a command with bad input; return its lines, each of which is an error."""
    result = call(*arguments)
    assert result.exit_code == BAD_INPUT
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    return [line.removeprefix("error: ") for line in lines]


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(tiny(tmp_path)))
    return file


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> faket_dask.Dataset:
    """A finished data set, for reading only."""
    folder = tmp_path_factory.mktemp("cli")
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        return faket_dask.run(parse(tiny(folder), folder), client)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(command: list[str]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert f"Example: faket-dask {' '.join(command)}" in " ".join(result.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    """Help needs none of the heavy libraries."""
    script = (
        "import sys\n"
        "from faket_dask.cli import app\n"
        "try:\n"
        "    app(['--help'])\n"
        "finally:\n"
        "    heavy = {'torch', 'numba', 'numpy', 'distributed', 'xarray', 'zarr', 'scipy', 'matplotlib'}\n"
        "    print('imported:', sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "validate" in done.stdout
    assert done.stderr == "imported: []\n"


# Run files


def test_valid_run_file_is_called_good(run_file: Path) -> None:
    result = call("validate", run_file)
    assert result.exit_code == 0
    assert re.fullmatch(
        rf"{run_file}: good\. 1 series of 3 x 96 x 80 \(tilts, y, x\), fingerprint [0-9a-f]{{16}}\n"
        r"specimen: 600 Å thick, labelled are propeller, boot, fiducial\n",
        result.stdout,
    )


def test_validate_loads_no_pytorch(run_file: Path) -> None:
    script = (
        "import sys\n"
        "from faket_dask.cli import app\n"
        "try:\n"
        f"    app(['validate', {str(run_file)!r}])\n"
        "finally:\n"
        "    print('imported:', sorted({'torch', 'matplotlib'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "imported: []\n"


def test_validate_writes_nothing(run_file: Path) -> None:
    call("validate", run_file)
    assert list(run_file.parent.iterdir()) == [run_file]


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_every_mistake_of_a_run_file_is_one_line(tmp_path: Path, command: str) -> None:
    document = tiny(tmp_path, pairing="cyclical", style={"pooling": "median"})
    document["specimen"]["thikness_A"] = 600
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(document))
    lines = errors(command, file)
    assert any(
        re.fullmatch(
            r"specimen.thikness_A: there is no such key; did you mean 'thickness_A'\? \(line \d+\)", line
        )
        for line in lines
    )
    assert sorted(line.split(":")[0] for line in lines) == ["pairing", "specimen.thikness_A", "style.pooling"]


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_every_mistake_of_the_inputs_is_one_line(tmp_path: Path, command: str) -> None:
    document = tiny(tmp_path, specimen={"count": 1, "thickness_A": 100})
    document["references"] += [{"name": "real", "stack": "absent.mrc", "clean": "absent.mrc"}]
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(document))
    reference, specimen = errors(command, file)
    assert reference.startswith("references.real: ")
    assert "absent.mrc cannot be read" in reference
    assert specimen.startswith("specimen: 'propeller' is up to ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_missing_run_file_is_named(tmp_path: Path, command: str) -> None:
    [line] = errors(command, tmp_path / "nothing.yaml")
    assert "cannot read the run file" in line
    assert "nothing.yaml" in line


def test_invalid_yaml_is_located(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("dataset: {folder: [\n")
    [line] = errors("validate", file)
    assert "is not valid YAML in line" in line


def test_missing_argument_is_reported() -> None:
    result = call("validate")
    assert result.exit_code == 2
    assert "Missing argument" in result.stderr


def test_plan_shows_units_memory_disk_and_time(run_file: Path) -> None:
    result = call("plan", run_file)
    assert result.exit_code == 0
    assert "1 specimens, 1 series of 3 x 96 x 80" in result.stdout
    for stage, units in {
        "place": 2,
        "build": 4,
        "project": 4,
        "simulate": 3,
        "reference_statistics": 1,
        "synthesise": 3,
    }.items():
        assert re.search(
            rf"{stage}\W+{units}\W+[\d.]+ [KMG]iB\W+(under )?[\d.]+ s\W+[\d.]+ [kMGi]*B", result.stdout
        )
    assert re.search(
        r"0 units are done, 18 left: about .* on \d workers .* each\), at most .*B of disk",
        result.stdout,
    )
    assert not (run_file.parent / "data").exists()


def test_plan_of_finished_data_set_has_nothing_left(dataset: faket_dask.Dataset) -> None:
    result = call("plan", dataset.folder / "config.yaml")
    assert result.exit_code == 0
    assert "18 units are done, 0 left" in result.stdout


def test_plan_for_cluster_shows_jobs_and_submits_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file, profile = tmp_path / "run.yaml", tmp_path / "profile.yaml"
    run_file.write_text(yaml.safe_dump(tiny(tmp_path, cluster={"workers": None})))
    profile.write_text("{system: slurm, cores: 2, workers: 3, queue: long, walltime: '01:00:00'}")
    monkeypatch.setenv("PATH", "")
    result = call("plan", run_file, "--cluster", profile)
    assert result.exit_code == 0
    assert re.search(
        r"0 units are done, 18 left: about .* on 2 workers: 2 jobs of 1 processes, each job with 1 cores, "
        r"[\d.]+ [MG]iB, at most .*B of disk",
        result.stdout,
    )
    assert re.findall(r"│ (\d+)\s+│ (\d+)\s+│ [^│]+│ [\d.]+", result.stdout) == [
        ("1", "1"),
        ("2", "2"),
        ("4", "4"),
    ]
    assert "#SBATCH -p long\n#SBATCH -n 1\n#SBATCH --cpus-per-task=1\n" in result.stdout
    assert f"#SBATCH --output={tmp_path}/data/progress/jobs/%j.log\n" in result.stdout
    assert set(tmp_path.iterdir()) == {run_file, profile}


@pytest.mark.parametrize("command", ["plan", "run"])
def test_jobs_too_small_for_a_task_are_refused_before_the_run(
    tmp_path: Path, run_file: Path, command: str
) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("{system: pbs, memory: 512MiB}")
    result = call(command, run_file, "--cluster", profile)
    assert result.exit_code == BAD_INPUT
    assert re.match(
        r"error: one task needs [\d.]+ GiB and its worker [\d.]+ GiB, a job of .* has 512.00 MiB",
        result.stderr,
    )
    assert not list(tmp_path.glob("data/progress/*/*/*.json"))
    profile.write_text("{system: pbs, cpus: 3}")
    assert errors(command, run_file, "--cluster", profile) == [
        f"{profile}: cpus: there is no such key (line 1)"
    ]


# Data sets


def test_status_of_a_finished_data_set(dataset: faket_dask.Dataset) -> None:
    result = call("status", dataset.folder)
    assert result.exit_code == 0
    assert result.stdout.endswith("18 of 18 units, 1 of 1 series complete\n")
    assert re.search(r"project\W+4\W+4\W+(under )?[\d.]+ s", result.stdout)


def test_run_of_finished_data_set_prints_its_folder(dataset: faket_dask.Dataset) -> None:
    result = call("run", dataset.folder / "config.yaml")
    assert result.exit_code == 0
    assert f"1 series in {dataset.folder}" in result.stdout


@pytest.mark.parametrize("command", ["status", "export"])
def test_folder_without_data_set_is_refused(tmp_path: Path, command: str) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        [line] = errors(command, folder)
        assert line.startswith(f"{folder} is not a data set: it has no ")


def test_damaged_description_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    (tmp_path / "plan.json").mkdir()
    for command in ("status", "validate", "export"):
        [line] = errors(command, tmp_path)
        assert line.startswith(f"{tmp_path / 'plan.json'} is damaged (IsADirectoryError")


def test_export_prints_written_files(dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    result = call("export", dataset.folder, "--to", "mrc", "--folder", tmp_path, "--modality", "noisy")
    assert result.exit_code == 0
    written = {Path(line) for line in result.stdout.splitlines()}
    assert written == set((tmp_path / "mrc").iterdir())
    assert tmp_path / "mrc" / "specimen-000__a_noisy.mrc" in written


def test_export_of_absent_modality_is_refused(dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    [line] = errors("export", dataset.folder, "--to", "mrc", "--folder", tmp_path, "--modality", "faket")
    assert "no modality 'faket'" in line


def test_reconstruct_accepts_cluster_for_data_sets_only(dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    [line] = errors(
        "reconstruct", dataset.folder, "--modality", "noisy", "--cluster", tmp_path / "absent.yaml"
    )
    assert line.startswith("cannot read the cluster profile")
    [line] = errors("reconstruct", tmp_path / "a.mrc", "--cluster", "slurm")
    assert line.startswith("--cluster is for data sets")


# Weights


def test_weights_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path))
    result = call("weights", "list")
    assert result.exit_code == 0
    for name, here in {"vgg19-imagenet1k-v1": "no", "vgg19-normalised": "no", "random": "yes"}.items():
        assert re.search(rf"{name}\W+{here}\b", result.stdout)
    assert f"cache: {tmp_path}" in result.stdout


def test_absent_weights_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path))
    [line] = errors("weights", "verify", "vgg19-normalised")
    assert "`faket-dask weights fetch vgg19-normalised`" in line
    [line] = errors("weights", "fetch", "vgg16")
    assert "'vgg16'" in line
    [line] = errors("weights", "import", tmp_path / "absent.pth", "vgg19-normalised")
    assert "absent.pth" in line


def test_random_weights_have_a_checksum() -> None:
    result = call("weights", "verify", "random")
    assert result.exit_code == 0
    assert re.fullmatch(r"[0-9a-f]{64}\n", result.stdout)


def test_warning_is_one_line_without_source_code(tmp_path: Path) -> None:
    stack = tmp_path / "a.mrc"
    write_stack(stack, iter(np.random.default_rng(0).random((1, 48, 48), np.float32)), (1, 48, 48), 10.0)
    with stack.open("ab") as file:
        file.write(b"more")
    result = call("compare", stack, stack)
    assert result.exit_code == 0
    [line] = set(result.stderr.splitlines())
    assert line.startswith(f"warning: {stack} breaks the MRC standard")


@pytest.mark.parametrize(
    ("error", "status"),
    [(InputError("bad"), BAD_INPUT), (DatasetBusyError("busy"), FAILED), (DiskFullError("full"), FAILED)],
)
def test_errors_are_one_line_with_a_status_by_class(
    monkeypatch: pytest.MonkeyPatch, run_file: Path, error: FaketDaskError, status: int
) -> None:
    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr("faket_dask.config.load", fail)
    result = call("validate", run_file)
    assert (result.exit_code, result.stderr) == (status, f"error: {error}\n")


# Errors that are not of the input


def test_error_of_the_system_is_one_line(monkeypatch: pytest.MonkeyPatch, run_file: Path) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/a.mrc")

    monkeypatch.setattr("faket_dask.config.load", fail)
    result = call("validate", run_file)
    assert (result.exit_code, result.stderr) == (
        FAILED,
        "error: /data/a.mrc: No space left on device; check the path, its permissions and the free space\n",
    )


def test_unforeseen_error_is_one_line_and_its_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, run_file: Path
) -> None:
    def fail(path: Path) -> None:
        raise ZeroDivisionError("by a \udcff\nsurrogate")

    monkeypatch.setattr("faket_dask.config.load", fail)
    result = call("validate", run_file)
    assert result.exit_code == FAILED
    match = re.fullmatch(
        r"error: ZeroDivisionError: by a \S+ surrogate \(this is a fault of faket-dask; the traceback is in (\S+): "
        r"please report it\)\n",
        result.stderr,
    )
    assert match
    text = Path(match.group(1)).read_text()
    Path(match.group(1)).unlink()
    assert text.startswith("Traceback")
    assert "ZeroDivisionError: by a" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reconstruct", "a.mrc", "--threads", "0"), "'--threads'"),
        (("reconstruct", "a.mrc", "--binning", "-2"), "'--binning'"),
        (("reconstruct", "a.mrc", "--thickness-A", "nan"), "'--thickness-A': nan is no length in Å above 0"),
        (("reconstruct", "a.mrc", "--pixel-size-A", "0"), "'--pixel-size-A': 0 is no length in Å above 0"),
        (("benchmark", "--workers", "0"), "'--workers'"),
        (("validat",), "Did you mean 'validate'"),
        (("export",), "Missing argument"),
    ],
)
def test_mistake_in_the_arguments_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    [line] = errors(*arguments)
    assert message in line
    assert re.search(r"; see `.* --help`$", line)


def test_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    script = f"{sys.executable} -m faket_dask.cli weights list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode in (0, FAILED), done.stderr) == (True, "")


# Outputs


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    stack = tmp_path / "TS_01.st"
    images = np.random.default_rng(0).random((3, 24, 20), np.float32)
    write_stack(stack, images, images.shape, 10.0)
    (tmp_path / "TS_01.tlt").write_text("-40\n0\n40\n")
    return stack


def test_default_name_of_a_tomogram_is_not_that_of_etomo(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stack.parent)
    stack.with_name("TS_01_rec.mrc").write_text("etomo's")
    for _ in range(2):  # the second replaces the first
        result = call("reconstruct", stack, "--thickness-A", "50")
        assert (result.exit_code, result.stdout) == (0, "TS_01_faket_rec.mrc\n")
    assert stack.with_name("TS_01_rec.mrc").read_text() == "etomo's"
    [line] = errors("reconstruct", stack, "--thickness-A", "50", "--to", "TS_01_rec.mrc")
    assert "TS_01_rec.mrc was not written by faket-dask" in line
    assert "--overwrite" in line


@pytest.mark.parametrize("name", ["TS_01.mrc", "link.mrc"])
def test_tomogram_never_replaces_its_source(stack: Path, name: str) -> None:
    source = stack.rename(stack.with_suffix(".mrc"))
    (stack.parent / "link.mrc").symlink_to("TS_01.mrc")
    before = source.read_bytes()
    command = ("reconstruct", source, "--thickness-A", "50", "--to", stack.parent / name)
    for options in ((), ("--overwrite",)):
        [line] = errors(*command, *options)
        assert f"{name} is an input of this command" in line
    assert source.read_bytes() == before


def test_tomogram_never_replaces_a_folder_of_others(stack: Path) -> None:
    (stack.parent / "x.zarr").mkdir()
    (stack.parent / "x.zarr/thesis.tex").write_text("important")
    [line] = errors(
        "reconstruct", stack, "--thickness-A", "50", "--to", stack.parent / "x.zarr", "--overwrite"
    )
    assert "x.zarr is a folder with files that faket-dask did not write" in line
    (stack.parent / "y.mrc").mkdir()
    [line] = errors(
        "reconstruct", stack, "--thickness-A", "50", "--to", stack.parent / "y.mrc", "--overwrite"
    )
    assert "y.mrc is a folder, and a file is to be written there" in line


def test_tomogram_that_cannot_be_kept_is_refused_before_any_work(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faket_dask.workflow.external_stack._reconstruct", None)
    [line] = errors("reconstruct", stack, "--thickness-A", "50", "--to", "/proc/new/a.mrc")
    assert line.startswith("nothing can be written to /proc/new")
    command = ("reconstruct", stack, "--thickness-A", "50", "--to", stack.parent / "a.mrc")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    [line] = errors(*command, "--device", "cuda")
    assert line.startswith("device cuda: PyTorch finds no CUDA device here")
    usage = shutil.disk_usage(stack.parent)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    result = call(*command)
    assert result.exit_code == FAILED
    assert re.match(r"error: .*a\.mrc: a tomogram of 5 x 24 x 20 voxels takes 0\.0 GiB, and", result.stderr)
    assert sorted(path.name for path in stack.parent.iterdir()) == ["TS_01.st", "TS_01.tlt"]


def test_table_and_figure_of_a_comparison_replace_their_predecessors_only(stack: Path) -> None:
    folder = stack.parent / "new/folder"
    command = ("compare", stack, stack, "--csv", folder / "a.csv", "--figure", folder / "a.png")
    assert call(*command).exit_code == 0
    assert call(*command).exit_code == 0
    for name in ("a.csv", "a.png"):
        (folder / name).write_text("mine")
    assert [line.split(" was not written")[0] for line in errors(*command)] == [
        str(folder / name) for name in ("a.csv", "a.png")
    ]
    assert call(*command, "--overwrite").exit_code == 0
    assert (folder / "a.csv").read_text().startswith("tilt,tilt_angle,mae")
    [line] = errors("compare", stack, stack, "--figure", stack.parent / "a.tif")
    assert "neither .png, .svg nor .pdf" in line


def test_export_again_keeps_what_others_put_there(dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    command = ("export", dataset.folder, "--to", "mrc", "--folder", tmp_path, "--modality", "noisy")
    assert call(*command).exit_code == 0
    (tmp_path / "mrc/notes.txt").write_text("mine")
    assert call(*command).exit_code == 0
    assert (tmp_path / "mrc/notes.txt").read_text() == "mine"
    edited = tmp_path / "mrc/specimen-000__a_noisy.rawtlt"
    edited.write_text("edited")
    [line] = errors(*command)
    assert f"{edited} was not written by faket-dask, or was changed since" in line
    assert edited.read_text() == "edited"
    assert call(*command, "--overwrite").exit_code == 0
    assert edited.read_text() != "edited"


# Run file and data set in one folder


def test_run_file_in_the_folder_of_its_data_set_is_never_replaced(tmp_path: Path) -> None:
    run_file = tmp_path / "data/config.yaml"
    run_file.parent.mkdir()
    run_file.write_text("# my own notes\n" + yaml.safe_dump(tiny(tmp_path)))
    before = run_file.read_bytes()
    for options in ((), ("--overwrite",)):
        [line] = errors("run", run_file, *options)
        assert f"{run_file} is the run file" in line
        assert "move the run file out of the folder, or give it another name" in line
    assert run_file.read_bytes() == before
    assert list(run_file.parent.iterdir()) == [run_file]


def test_changed_files_of_a_data_set_are_kept(dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(dataset.folder, copy)
    run_file = tmp_path / "run.yaml"
    run_file.write_text(yaml.safe_dump(tiny(tmp_path)))
    assert call("run", run_file).exit_code == 0
    assert call("run", copy / "config.yaml").exit_code == 0
    (copy / "manifest.csv").write_text("with my remarks")
    [line] = errors("run", run_file)
    assert "manifest.csv was not written by faket-dask, or was changed since" in line
    assert call("run", run_file, "--overwrite").exit_code == 0
    assert (copy / "manifest.csv").read_bytes() == (dataset.folder / "manifest.csv").read_bytes()
    config = copy / "config.yaml"
    config.write_text("# mine\n" + config.read_text())
    [line] = errors("run", run_file)
    assert f"{config} has comments" in line
    [line] = errors("run", config, "--overwrite")
    assert f"{config} is the run file" in line
    assert call("run", run_file, "--overwrite").exit_code == 0
    assert config.read_text() == (dataset.folder / "config.yaml").read_text().replace(
        str(dataset.folder), str(copy)
    )
