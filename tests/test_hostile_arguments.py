"""Every command, given arguments and files that are wrong: one clear error at once, and nothing of the user's lost."""

import hashlib
import inspect
import json
import shutil
import time
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from faket_dask.cli import app
from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import write_stack
from faket_dask.weights.catalogue import PUBLISHED
from tests.runs import small_document

EXAMPLES = 20
"""Examples of each command."""

LONGEST_S = 5.0
"""Longest time of a command on the processor."""


def list_commands() -> dict[str, Any]:
    """Return every command of the command line by its name, as Typer makes it."""

    def walk(command: Any, name: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for word, member in command.commands.items():
                yield from walk(member, (*name, word))
        else:
            yield " ".join(name), command

    return dict(walk(typer.main.get_command(app), ()))


COMMANDS = list_commands()

SUFFIXES = (
    *(
        ".mrc",
        ".st",
        ".rec",
        ".map",
        ".mdoc",
        ".st.mdoc",
        ".star",
        ".tomostar",
        ".tlt",
        ".rawtlt",
        ".xf",
        ".xml",
    ),
    *(
        ".aln",
        ".yaml",
        ".json",
        ".csv",
        ".ndjson",
        ".txt",
        ".com",
        ".gz",
        ".bz2",
        ".npz",
        ".pth",
        ".tar.gz",
        "",
    ),
)

JUNK = st.one_of(
    st.just(b""),
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass")),
    st.lists(st.text("0123456789.-+einfa \t", max_size=20), max_size=8).map(lambda t: "\n".join(t).encode()),
    st.sampled_from(
        [
            b"\xff\xfe" + b"\0" * 2000,
            b"[" * 5000,
            b"{" * 5000,
            b"a: &a [*a, *a]",
            b"[ZValue = 0]\nTiltAngle = nan\n",
            b"data_\nloop_\n_rlnTomoName #1\n",
            b"\n\ndata_global\n\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesStarFile\nx ../x.star\n",
            b"a 1 2 3 4 5 6\nb nan 0 0 0 0 0\n",
            b'{"pickable_objects": [{}]}',
            b'{"fingerprint": 1, "layout": 2, "pipeline": "tilt-series"}',
        ]
    ),
)


@st.composite
def mrc_headers(draw: st.DrawFn) -> bytes:
    """Return a file with a plausible MRC header in which some fields are wrong, truncated anywhere."""
    words = np.zeros(256, "<i4")
    words[:4] = 6, 4, 3, 2
    words[7:10] = 6, 4, 3
    words[10:13] = np.array([60, 40, 30], "<f4").view("<i4")
    words[16:19] = 1, 2, 3
    words[52:54] = int.from_bytes(b"MAP ", "little"), 0x4444
    fields = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 16, 17, 18, 22, 23, 26, 52, 53, 54, 55])
    numbers = st.sampled_from([-(2**31), -1, 0, 1, 2, 3, 4, 6, 12, 40_000, 2**30, 2**31 - 1, 0x7FC00000])
    for field, number in draw(st.lists(st.tuples(fields, numbers), max_size=4)):
        words[field] = number
    content = words.tobytes() + draw(st.binary(min_size=0, max_size=64)) * 9
    return content[: draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]


WRONG: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 10**30, 1e300, float("nan"), float("inf"), "", "ä", "\0", "nan", [], {}, [[]]]),
    st.text(max_size=5),
)


@st.composite
def run_files(draw: st.DrawFn) -> bytes:
    """Return a run file in which one or two values are wrong, or a key."""
    document = small_document(Path("data"))
    for _ in range(draw(st.integers(1, 2))):
        place, key = document, draw(st.sampled_from(sorted(document)))
        while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
            place, key = place[key], draw(st.sampled_from(sorted(place[key])))
        if draw(st.integers(0, 4)):
            place[key] = draw(WRONG)
        else:
            place[draw(st.text(max_size=5))] = place.pop(key)
    return yaml.safe_dump(document, allow_unicode=True).encode()


FILES = st.tuples(st.sampled_from(SUFFIXES), st.one_of(JUNK, mrc_headers())) | st.tuples(
    st.just(".yaml"), run_files()
)

PATHS = st.one_of(
    st.sampled_from(
        [
            *(
                "stack.st",
                "stack.mrc",
                "other.mrc",
                "stack.tlt",
                "mine.csv",
                "mine.mrc",
                "mine.zarr",
                "mine.json",
            ),
            *(
                "folder",
                "folder/new.mrc",
                "mine.csv/new.mrc",
                "mine.csv/new/new.csv",
                "/proc/new.mrc",
                "/proc/a/b.csv",
            ),
            *(
                "absent",
                "absent.mrc",
                "new/folder/new.csv",
                "new.zarr",
                "new.mrc",
                "new.png",
                "link.mrc",
                "dangling.mrc",
            ),
            *(
                "",
                ".",
                "..",
                "/",
                "-",
                "\0",
                "ä ö\n.mrc",
                "\udcff.mrc",
                "n" * 300 + ".mrc",
                "n" * 250 + ".csv",
                "~",
            ),
            *("/dev/null", "data", "data/config.yaml", "locations.txt", "copick.json", "model_0", "loop"),
        ]
    ),
    st.text(max_size=8),
    st.just("junk"),  # the generated file
    st.just("junk"),
)

NUMBERS = st.one_of(
    st.sampled_from(
        ["0", "-1", "1", "2", "10", "1e12", "1e300", "1e-300", "1e400", "-10", "0.5", "9" * 20, "x"]
    ),
    st.sampled_from(["nan", "-nan", "inf", "-inf", "", "１", " 1", "0x10", "1_0", "\0"]),
    st.integers().map(str),
    st.floats().map(str),
)

WORDS = st.one_of(
    st.sampled_from(
        ["local", "slurm", "cpu", "cuda", "imod", "warp", "hann", "ramp", "mrc", "copick,", ",", "faket"]
    ),
    st.sampled_from(
        ["vgg19-normalised", "random", "1x1024-1024", "float32", "noisy", "x", "", "../..", "\udcff", "--"]
    ),
    st.text(max_size=6),
    PATHS,
)


SENSIBLE = {
    **{
        "source": ["stack.mrc", "other.mrc", "junk", "locations.txt"],
        "first": ["stack.mrc"],
        "second": ["other.mrc"],
    },
    **{
        "predicted": ["locations.txt", "junk"],
        "truth": ["locations.txt", "junk"],
        "scorer": ["shrec2021", "czii2024"],
        "radius_a": ["10"],
        "occupancy": ["other.mrc"],
    },
    **{"to": ["new/new.mrc", "new.zarr", "new.csv", "new"], "thickness_a": ["50"], "voxel_size_a": ["10"]},
    **{
        "config": ["junk"],
        "folder": ["data", "junk"],
        "model": ["model_0"],
        "angles": ["stack.tlt"],
        "tomogram": ["a"],
    },
    **{
        "csv": ["new.csv"],
        "figure": ["new.png"],
        "json_file": ["new.json"],
        "target": ["new"],
        "scenario": ["1x1024-1024"],
    },
    **{
        "filter_": ["ramp"],
        "device": ["cpu"],
        "sign": ["warp"],
        "cluster": ["local"],
        "precision": ["float32"],
    },
    **{
        "weights": ["random"],
        "pixel_size_a": ["10"],
        "threads": ["2"],
        "binning": ["1"],
        "post_binning": ["1", "2"],
    },
}
"""Good values of parameters, without which a command would never get far; one that is not listed has none."""


def draw_value(draw: st.DrawFn, parameter: str, annotation: Any) -> str:
    """Draw a value for an argument: often a good one, mostly one of its type, now and then of another."""
    if parameter in SENSIBLE and draw(st.integers(0, 2)):
        return draw(st.sampled_from(SENSIBLE[parameter]))
    kinds = {Path: PATHS, int: NUMBERS, float: NUMBERS}
    fitting = next(
        (s for kind, s in kinds.items() if kind in (annotation, *typing.get_args(annotation))), WORDS
    )
    return str(draw(fitting if draw(st.integers(0, 9)) else st.one_of(PATHS, NUMBERS, WORDS)))


@st.composite
def argument_lists(draw: st.DrawFn, name: str) -> list[str]:
    """Return arguments for a command, by its own parameters."""
    command = COMMANDS[name]
    hints = typing.get_type_hints(inspect.unwrap(command.callback))
    words = name.split()
    for parameter in command.params:
        if not draw(st.integers(0, 30) if parameter.required else st.integers(0, 1)):
            continue
        if parameter.param_type_name == "argument":
            words.append(draw_value(draw, parameter.name, hints[parameter.name]))
            continue
        words.append(parameter.opts[0])
        if not parameter.is_flag:
            words.append(draw_value(draw, parameter.name, hints[parameter.name]))
    if not draw(st.integers(0, 20)):
        words.append(draw(st.sampled_from(["--unknown", "surplus", "-x", "--to", "--help"])))
    return words


def make_playground(folder: Path) -> None:
    """Fill a folder with files of a user, good and bad."""
    folder.mkdir()
    images = np.random.default_rng(0).random((3, 24, 20), np.float32)
    for stem in ("stack", "other"):
        write_stack(folder / f"{stem}.mrc", images, images.shape, 10.0)
        write_angles(folder / f"{stem}.tlt", [-40.0, 0.0, 40.0])
    foreign = (folder / "other.mrc").read_bytes().replace(b"faket_dask", b"SerialEM  ")
    for name in ("stack.st", "mine.mrc"):
        (folder / name).write_bytes(foreign)
    for name in ("mine.csv", "mine.json"):
        (folder / name).write_text("mine\n")
    for name in ("folder", "mine.zarr", "model_0", "data/progress"):
        (folder / name).mkdir(parents=True)
        (folder / name / "thesis.tex").write_text("important\n")
    (folder / "data/config.yaml").write_text("# mine\n")
    (folder / "data/plan.json").write_text(
        json.dumps({"pipeline": "tilt-series", "layout": 2, "fingerprint": "x"})
    )
    (folder / "locations.txt").write_text("1BXN 3 4 5 0 0 0\n")
    (folder / "copick.json").write_text('{"pickable_objects": []}')
    (folder / "link.mrc").symlink_to("other.mrc")
    (folder / "dangling.mrc").symlink_to("absent-target")
    (folder / "loop").symlink_to("loop")


def read_contents(folder: Path) -> dict[str, str]:
    """Return the checksum of every file, and the target of every link."""
    return {
        str(path.relative_to(folder)): (
            f"to {path.readlink()}" if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture(scope="module", autouse=True)
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let commands go as far as they can without workers, the network, or minutes of measurements."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise InputError("the test goes no further")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKET_DASK_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PATH", "")
        patch.setattr("faket_dask.workflow.run.run_plan", refuse)
        patch.setattr("faket_dask.benchmark.command.measure", refuse)
        for name, source in PUBLISHED.items():
            patch.setitem(PUBLISHED, name, replace(source, download=refuse))
        yield


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that commands are given in, restored after each that changed something."""
    folder = tmp_path_factory.mktemp("hostile") / "playground"
    make_playground(folder)
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # libraries are imported, and kernels compiled, before time counts
        patch.chdir(folder)
        for words in (
            "reconstruct other.mrc --thickness-A 50 --to a.mrc",
            "compare other.mrc stack.mrc",
            "weights list",
        ):
            assert CliRunner().invoke(app, words.split()).exit_code == 0
        CliRunner().invoke(
            app, ["compare", "other.mrc", "stack.mrc", "--figure", "a.png", "--realism", "--weights", "x"]
        )
        (folder / "run.yaml").write_text(yaml.safe_dump(small_document(Path("new"))))
        assert CliRunner().invoke(app, ["plan", "run.yaml"]).exit_code == 0
    shutil.rmtree(folder)
    make_playground(folder)
    return folder


def check_command(folder: Path, words: list[str], junk: tuple[str, bytes]) -> None:
    """Run a command in a folder with a generated file; check how it ends."""
    suffix, content = junk
    (folder / f"junk{suffix}").write_bytes(content)
    words = [f"junk{suffix}" if word == "junk" else word for word in words]
    before = read_contents(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        begin = time.process_time()
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
        seconds = time.process_time() - begin
    after = read_contents(folder)
    shutil.rmtree(folder)
    make_playground(folder)
    told = f"{words} on {content[:300]!r}:\n{result.output}"
    assert result.exception is None or isinstance(result.exception, SystemExit), told
    assert result.exit_code in (0, 1, 2), told
    assert "Traceback" not in result.output, told
    assert "fault of faket-dask" not in result.output, told
    lines = result.stderr.splitlines()
    assert all(line.startswith(("error: ", "warning: ")) for line in lines), told
    assert seconds < LONGEST_S, told
    if result.exit_code:
        assert any(line.startswith("error: ") for line in lines), told
        assert {name: after.get(name) for name in before} == before, told
    elif "--overwrite" not in words:
        mine = [name for name in before if name not in ("stack.mrc", "other.mrc")]
        assert {name: after[name] for name in mine} == {name: before[name] for name in mine}, told


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_arguments_and_files_end_in_one_clear_error(playground: Path, name: str) -> None:
    @given(words=argument_lists(name), junk=FILES)
    @settings(
        max_examples=EXAMPLES if COMMANDS[name].params else 1,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def check(words: list[str], junk: tuple[str, bytes]) -> None:
        check_command(playground, words, junk)

    check()


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_wrong_run_files_end_in_one_clear_error(playground: Path, command: str) -> None:
    @given(content=run_files())
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def check(content: bytes) -> None:
        check_command(playground, [command, "junk"], (".yaml", content))

    check()
