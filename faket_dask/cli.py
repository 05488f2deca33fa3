"""The command line: parse, call, print."""

from __future__ import annotations

import math
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from faket_dask.errors import InputError

app = typer.Typer(
    help="Realistic, fully labelled synthetic cryo-electron tilt-series, for whole data sets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
weights_app = typer.Typer(help="VGG-19 weights: list, fetch, import, verify.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
import_app = typer.Typer(
    help="Bring in what other programs made: specimens, tilt-series, particle lists.", no_args_is_help=True
)
app.add_typer(import_app, name="import")

RunFile = Annotated[Path, typer.Argument(help="Run file (YAML).", show_default=False)]
Folder = Annotated[Path, typer.Argument(help="Folder of a data set.", show_default=False)]

Where = Annotated[
    str,
    typer.Option(
        "--cluster",
        help="Where workers run: local, slurm, pbs, or a profile such as configs/cluster/slurm-cpu.yaml.",
    ),
]

say = typer.echo  # whole lines, however long: they are read by scripts, too
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

INTERRUPTED = 130
FAILED = 1
BAD_INPUT = 2

F = TypeVar("F", bound=Callable[..., Any])


def explained(command: F) -> F:
    """Print what is wrong or odd with the user's input, without a traceback; after what is wrong, end with status 2."""

    def warn(message: Warning | str, *_: Any, **__: Any) -> None:
        say(f"{typer.style('warning:', fg='yellow', bold=True)} {message}", err=True)

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = warn
            try:
                return command(*args, **kwargs)
            except InputError as error:
                for line in str(error).splitlines():
                    say(f"{typer.style('error:', fg='red', bold=True)} {line}", err=True)
                raise typer.Exit(BAD_INPUT) from None

    return wrapper  # type: ignore[return-value]


@contextmanager
def resumable(again: str) -> Iterator[None]:
    """Have the block stop in order when the process is to end, and say how to go on."""

    def stop(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; what is done is kept: `{again}` goes on where it was", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command()
@explained
def run(config: RunFile, cluster: Where = "local") -> None:
    """Make a data set, or finish one that was begun.

    Example: `faket-dask run configs/demo.yaml`

    As jobs of a cluster: `faket-dask run my.yaml --cluster configs/cluster/slurm-cpu.yaml`
    """
    from faket_dask.cluster.open import profile_of
    from faket_dask.config import load
    from faket_dask.dataset.plan import plan
    from faket_dask.dataset.run import execute_plan
    from faket_dask.progress import ProgressDisplay

    where = profile_of(cluster) or "local"
    planned = plan(load(config))
    again = f"faket-dask run {config}" + ("" if cluster == "local" else f" --cluster {cluster}")
    with resumable(again), ProgressDisplay(err) as display:
        dataset = execute_plan(planned, watch=display, cluster=where)
    if dataset.failures:
        failed = typer.style(f"{len(dataset.failures)} units failed", fg="red", bold=True)
        say(f"{failed}, and what depends on them is missing:", err=True)
        for failure in dataset.failures:
            say(f"  {failure.unit}: {failure.cause}", err=True)
        say(f"mend the cause and run again: `{again}`", err=True)
        raise typer.Exit(FAILED)
    say(f"{len(dataset.series)} series in {dataset.folder}")
    if planned.blueprint.config.outputs.report:
        say(f"report: {planned.blueprint.layout.report}")


@app.command(name="plan")
@explained
def show_plan(config: RunFile, cluster: Where = "local") -> None:
    """Show what a run would do: units, memory per task, disk, time, and the jobs that it would submit.

    Example: `faket-dask plan configs/demo.yaml`

    For a cluster, submitting nothing: `faket-dask plan my.yaml --cluster configs/cluster/slurm-cpu.yaml`
    """
    from faket_dask.cluster.local import size_workers
    from faket_dask.cluster.open import profile_of
    from faket_dask.cluster.requirements import GIB
    from faket_dask.cluster.sizing import size_jobs
    from faket_dask.config import load
    from faket_dask.dataset.ledger import Ledger
    from faket_dask.dataset.plan import plan
    from faket_dask.progress import duration

    profile = profile_of(cluster)
    planned = plan(load(config))
    blueprint = planned.blueprint
    done = Ledger.read(planned).counts()
    requirements = planned.requirements(done)
    say(
        f"{len(blueprint.specimens)} specimens, {len(blueprint.series)} series of "
        f"{blueprint.stack_text} (tilts x y x x), fingerprint {blueprint.fingerprint}"
    )
    table = Table("stage", "units left", "memory per task", "time per task", "written")
    for stage in requirements.stages:
        table.add_row(
            stage.stage,
            str(stage.units),
            f"{stage.bytes_per_task / GIB:.2f} GiB",
            f"{stage.seconds_per_task:.2g} s",
            f"{stage.bytes_written / GIB:.2f} GiB",
        )
    out.print(table)
    settings = blueprint.config.cluster
    left = (
        f"{sum(done.values())} units are done, {requirements.units} left: about {{time}} on {{where}}, "
        f"at most {requirements.bytes_written / GIB:.2f} GiB of disk"
    )
    if profile is None:
        workers, memory = size_workers(requirements, settings.workers, settings.memory_per_worker_GiB)
        where = f"{workers} workers of this machine ({memory / GIB:.1f} GiB each)"
        say(left.format(time=duration(requirements.seconds(workers)), where=where))
        return
    from faket_dask.cluster.batch import job_script  # brings dask-jobqueue along

    sizing = size_jobs(requirements, profile, settings.workers, settings.memory_per_worker_GiB)
    if not requirements.units:
        say(f"{sum(done.values())} units are done, 0 left: nothing would be submitted")
        return
    gpus = f", {sizing.gpus_per_job} GPUs" if sizing.gpus_per_job else ""
    where = (
        f"{sizing.workers} workers: {sizing.jobs} jobs of {sizing.processes_per_job} processes, each job with "
        f"{sizing.cores_per_job} cores, {sizing.bytes_per_job / GIB:.2f} GiB{gpus}"
    )
    say(left.format(time=duration(requirements.seconds(sizing.workers)), where=where))
    table = Table("workers", "jobs", "time", "node-hours")
    for count in sizing.counts_to_compare(requirements.widest):
        seconds, jobs = requirements.seconds(count), math.ceil(count / sizing.processes_per_job)
        table.add_row(str(count), str(jobs), duration(seconds), f"{jobs * seconds / 3600:.3g}")
    out.print(table)
    say("times are those of this machine's cores, without waiting in the queue; a job counts as a node")
    say("each job is submitted as:\n")
    say(job_script(profile, sizing, blueprint.layout.job_logs))


@app.command()
@explained
def status(
    folder: Folder,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it live until the run ends; Ctrl-C stops watching only.")
    ] = False,
) -> None:
    """Show how far a data set is; works during a run, too, from any machine that sees the folder.

    Example: `faket-dask status demo-dataset --watch`
    """
    from faket_dask.dataset.blueprint import Blueprint
    from faket_dask.dataset.status import status as read_status

    if watch:
        _watch(folder)
    found = read_status(Blueprint.read(folder))
    table = Table("stage", "done", "of", "mean time")
    for stage in found.stages:
        mean = "" if stage.mean_seconds is None else f"{stage.mean_seconds:.2f} s"
        table.add_row(stage.stage, str(stage.done), str(stage.total), mean)
    out.print(table)
    for failure in found.failures:
        say(f"failed: {failure.unit}: {failure.cause}")
    if found.driver:
        say(f"a run is working on it: {found.driver}")
    say(
        f"{found.done} of {found.total} units, {len(found.series_done)} of {found.series_total} series complete"
    )


def _watch(folder: Path) -> None:
    """Show a run that another process drives; ends with status 1 unless it ended and nothing had failed."""
    from faket_dask.dataset.events import RunEnded
    from faket_dask.dataset.following import follow
    from faket_dask.progress import ProgressDisplay

    last = None
    try:
        with ProgressDisplay(out) as display:
            for last in follow(folder):
                display(last)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if isinstance(last, RunEnded) and not last.failures else FAILED)


@app.command()
@explained
def validate(
    config: Annotated[
        Path, typer.Argument(help="Run file (YAML), or folder of a data set.", show_default=False)
    ],
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Of a data set: forget what is damaged; the next run makes it again."),
    ] = False,
) -> None:
    """Check a run file and everything it names, or everything in a data set; every mistake in one line.

    Example: `faket-dask validate my.yaml`

    Of a data set: `faket-dask validate demo-dataset --repair && faket-dask run configs/demo.yaml`
    """
    from faket_dask.config import load
    from faket_dask.dataset.inputs import resolve

    if config.is_dir():
        _validate_dataset(config, repair)
        return
    blueprint = resolve(load(config))
    say(
        f"{config}: good. {len(blueprint.series)} series of {blueprint.stack_text}, "
        f"fingerprint {blueprint.fingerprint}"
    )


def _validate_dataset(folder: Path, repair: bool) -> None:
    from faket_dask.dataset.blueprint import Blueprint
    from faket_dask.dataset.validate import forget
    from faket_dask.dataset.validate import validate as look_through

    blueprint = Blueprint.read(folder)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task("units")
        found = look_through(blueprint, lambda done, total: bars.update(task, completed=done, total=total))
    damaged = [damage for damage in found if not damage.missing]
    for damage in damaged:
        say(str(damage))
    missing = len(found) - len(damaged)
    if not found:
        say(f"{folder}: good. {len(blueprint.series)} series, all units are there as they were written")
        return
    say(f"{folder}: {len(damaged)} faults, {missing} units are not done")
    if not repair:
        raise typer.Exit(FAILED)
    forget(blueprint, damaged)
    say("what is damaged is forgotten: the next run makes it again, and nothing else")


@app.command()
@explained
def reconstruct(
    source: Annotated[
        Path, typer.Argument(help="Data set, stack, .mdoc, .star, .tomostar, or a folder with one.")
    ],
    to: Annotated[
        Path | None, typer.Option(help="File to write, .mrc or .zarr (not for a data set).")
    ] = None,
    modality: Annotated[
        list[str] | None, typer.Option(help="Of a data set; may be repeated.", show_default="faket")
    ] = None,
    filter_: Annotated[str, typer.Option("--filter", help="ramp, crowther, hann, exact or shrec.")] = "hann",
    binning: Annotated[int, typer.Option(help="Of the tilts, before: pixels per voxel along each axis.")] = 1,
    binning_after: Annotated[
        int, typer.Option(help="Of the tomogram, afterwards; both may be given, and multiply.")
    ] = 1,
    every: Annotated[int, typer.Option(help="Take every n-th tilt, counted from 0°.")] = 1,
    thickness_a: Annotated[
        float | None, typer.Option("--thickness-A", help="Of the tomogram, in Å.", show_default="specimen")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    align: Annotated[
        bool, typer.Option(help="Align first, by the .xf beside the stack or as the project says.")
    ] = False,
    angles: Annotated[Path | None, typer.Option(help="Angle file or .mdoc, if not beside the stack.")] = None,
    sign: Annotated[str, typer.Option(help="Of angle files: imod, or warp for the opposite.")] = "imod",
    transforms: Annotated[Path | None, typer.Option(help=".xf file, if not beside the stack.")] = None,
    pixel_size_a: Annotated[
        float | None, typer.Option("--pixel-size-A", help="In place of the header's.")
    ] = None,
    tomogram: Annotated[str | None, typer.Option(help="Which one of a RELION table.")] = None,
    threads: Annotated[int, typer.Option(help="For a stack; a data set uses its workers.")] = 1,
    imod: Annotated[
        bool, typer.Option("--imod", help="With IMOD's tilt, if it is on the PATH (untested against IMOD).")
    ] = False,
    cluster: Where = "local",
) -> None:
    """Reconstruct tomograms by weighted back-projection; interrupted, the same command goes on.

    Example: `faket-dask reconstruct demo-dataset --modality faket --binning 2`

    Of a stack: `faket-dask reconstruct TS_01.st --align --thickness-A 2000 --to TS_01.mrc`
    """
    from faket_dask.config import parse_reconstruction
    from faket_dask.dataset.layout import Layout
    from faket_dask.formats.tilt_series import open_tilt_series

    section = parse_reconstruction(
        filter=filter_,
        binning=binning,
        binning_after=binning_after,
        every=every,
        thickness_A=thickness_a,
        device=device,
        of=modality or ["faket"],
    )
    again = shlex.join(["faket-dask", *sys.argv[1:]])
    if Layout(source).plan.exists():
        from faket_dask.dataset.reconstruct import reconstruct_dataset
        from faket_dask.progress import ProgressDisplay

        recorded: dict[str, object] = {"--to": to, "--align": align, "--angles": angles, "--imod": imod}
        recorded |= {"--transforms": transforms, "--pixel-size-A": pixel_size_a, "--tomogram": tomogram}
        _refuse(recorded, f"for recorded series, and {source} is a data set")
        with resumable(again), ProgressDisplay(err) as display:
            dataset = reconstruct_dataset(source, section, watch=display, cluster=cluster)
        if dataset.failures:
            for failure in dataset.failures:
                say(f"  {failure.unit}: {failure.cause}", err=True)
            raise typer.Exit(FAILED)
        say(f"tomograms of {len(dataset.series)} series in {dataset.folder}")
        return
    if cluster != "local":
        raise InputError(f"--cluster is for data sets, and {source} is none; a stack has --threads")
    series = open_tilt_series(
        source,
        tilt_angles=angles,
        transforms=transforms,
        pixel_size_A=pixel_size_a,
        tomogram=tomogram,
        sign=sign,
    )
    target = to if to is not None else Path(f"{source.resolve().name.split('.')[0]}_rec.mrc")
    if align:
        series = series.aligned()
    if imod:
        from faket_dask.dataset.reconstruct import reconstruct_with_imod

        ours = {"--filter": filter_ != "hann", "--binning": binning > 1, "--binning-after": binning_after > 1}
        _refuse(ours | {"--every": every > 1, "--device": device != "cpu"}, "not for IMOD's tilt")

        if thickness_a is None:
            raise InputError("the thickness of the tomogram is not known; give it in Å (--thickness-A)")
        reconstruct_with_imod(series, target, thickness_a)
    else:
        from faket_dask.dataset.reconstruct_series import reconstruct_series

        columns = Progress.get_default_columns()
        with resumable(again), Progress(*columns, console=err, transient=True) as bars:
            bar = bars.add_task(target.name, total=1.0)
            reconstruct_series(series, target, section, threads, lambda share: bars.advance(bar, share))
    say(str(target))


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Say which options were given that have no meaning here."""
    given = [name for name, value in options.items() if value]
    if given:
        raise InputError(f"{', '.join(given)}: {why}; leave out")


@app.command()
@explained
def export(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(help="Formats: mrc, imod, shrec, relion5, copick, warp, portal; several with commas."),
    ] = "mrc",
    target: Annotated[
        Path | None, typer.Option("--folder", help="Where to write.", show_default="DATASET/export")
    ] = None,
    modality: Annotated[list[str], typer.Option(help="Stacks to export; may be repeated.")] = ["faket"],  # noqa: B006
) -> None:
    """Write tilt-series, tomograms, labels and particles in the formats of other programs.

    Example: `faket-dask export demo-dataset --to mrc,relion5,copick --modality faket`
    """
    from faket_dask.dataset.export import export as write
    from faket_dask.dataset.handle import open_dataset

    formats = [name.strip() for name in to.split(",") if name.strip()]
    for path in write(open_dataset(folder), formats, target or folder / "export", modality):
        say(str(path))


@app.command()
@explained
def compare(
    first: Annotated[
        Path, typer.Argument(help="Stack, project, or series/NAME.zarr/MODALITY of a data set.")
    ],
    second: Annotated[Path, typer.Argument(help="The same of the other series.")],
    csv: Annotated[Path | None, typer.Option(help="Also write a table with a row for each tilt.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw it, as .png, .svg or .pdf.")] = None,
    realism: Annotated[
        bool,
        typer.Option(
            "--realism",
            help="Also compare statistics, whatever the tilts show: spectra and Gram matrices of their textures, with "
            "beads and shading left out. The floor is what halves of the second series' tilts differ by.",
        ),
    ] = False,
    weights: Annotated[
        str, typer.Option(help="VGG-19 weights that see the textures; `faket-dask weights list` names them.")
    ] = "vgg19-normalised",
) -> None:
    """Compare two tilt-series, each scaled to [0, 1]: errors, similarity, spectra, and statistics with a floor.

    Example: `faket-dask compare a/series/x__y.zarr/faket recorded.mrc --realism --csv distances.csv`
    """
    from faket_dask.dataset.compare import compare as measure
    from faket_dask.dataset.compare import open_for_comparison
    from faket_dask.dataset.comparison_figure import draw_comparison

    both = open_for_comparison(first), open_for_comparison(second)
    if realism:
        from faket_dask.stages.networks import network
        from faket_dask.weights import verify

        comparison = measure(*both, network(weights, verify(weights), 0, "max", "float32", "cpu"))
    else:
        comparison = measure(*both)
    table = Table("distance", "mean", "10 %", "90 %", *(["floor"] if realism else []))
    for name, summary in comparison.summaries().items():
        values = [summary.mean, summary.p10, summary.p90]
        if name in comparison.floor:
            values.append(float(comparison.floor[name].mean()))
        table.add_row(name, *(f"{value:.4g}" for value in values))
    out.print(table)
    say(f"distance of the mean log spectra: {comparison.mean_log_spectrum:.4g}")
    if csv is not None:
        comparison.write_csv(csv)
    if figure is not None:
        draw_comparison(comparison, figure)


@import_app.command(name="specimen")
@explained
def import_specimen(
    model: Annotated[Path, typer.Argument(help="SHREC folder model_N.")],
    to: Annotated[Path, typer.Option(help="Folder to write to.")],
    voxel_size_a: Annotated[
        float | None, typer.Option("--voxel-size-A", help="In place of the header's.")
    ] = None,
) -> None:
    """Turn a SHREC model into density, labels and particle table, and print what to write into a run file.

    Example: `faket-dask import specimen model_0 --to specimens/shrec-0`
    """
    from faket_dask.dataset.importing import import_specimen as bring

    say("specimen:\n  kind: volume\n  volumes:")
    for number, path in enumerate(bring(model, to, voxel_size_a)):
        say(f"  {' ' if number else '-'} {path.stem}: {path.resolve()}")


@import_app.command(name="series")
@explained
def import_series(
    source: Annotated[Path, typer.Argument(help="Stack, .mdoc, .star, .tomostar, or a folder with one.")],
    to: Annotated[Path, typer.Option(help="File to write, .mrc.")],
    align: Annotated[
        bool, typer.Option(help="Align, by the .xf beside the stack or as the project says.")
    ] = False,
    sign: Annotated[str, typer.Option(help="Of angle files: imod, or warp for the opposite.")] = "imod",
    pixel_size_a: Annotated[
        float | None, typer.Option("--pixel-size-A", help="In place of the header's.")
    ] = None,
    tomogram: Annotated[str | None, typer.Option(help="Which one of a RELION table.")] = None,
) -> None:
    """Write a recorded tilt-series as one stack, sorted by angle, with `.rawtlt` and `.mdoc`.

    Example: `faket-dask import series relion-project --tomogram TS_01 --align --to TS_01.mrc`
    """
    from faket_dask.dataset.importing import import_series as bring
    from faket_dask.formats.tilt_series import open_tilt_series

    series = open_tilt_series(source, pixel_size_A=pixel_size_a, tomogram=tomogram, sign=sign)
    for path in bring(series.aligned() if align else series, to):
        say(str(path))


@import_app.command(name="particles")
@explained
def import_particles(
    source: Annotated[
        Path, typer.Argument(help="particle_locations.txt, .ndjson, particles.star or copick.json.")
    ],
    to: Annotated[Path, typer.Option(help="Table to write, .csv.")],
    name: Annotated[str | None, typer.Option(help="Which tomogram or run; the class of an .ndjson.")] = None,
    voxel_size_a: Annotated[
        float | None, typer.Option("--voxel-size-A", help="For lists that count in voxels.")
    ] = None,
) -> None:
    """Turn a particle list of one tomogram into a table for a run file.

    Example: `faket-dask import particles copick.json --name run_0 --to particles.csv`
    """
    from faket_dask.dataset.importing import import_particles as bring

    table = bring(source, name=name, voxel_size_A=voxel_size_a)
    table.write_csv(to)
    say(f"{len(table)} particles: {to}")


@app.command()
@explained
def benchmark(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="TILTSxSIZE-STYLESIZE of Table 2, such as 1x1024-1024; may be repeated."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[int | None, typer.Option(help="Processes; default: one per core.")] = None,
    sample: Annotated[
        int | None, typer.Option(help="Tilts that each process computes; the rest is extrapolated.")
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, mixed or bfloat16.")] = "float32",
    memory: Annotated[float, typer.Option(help="GiB that a task may take: settles the tiles.")] = 4.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Time the style transfer here, in the scenarios of the paper's Table 2, beside what is published.

    Example: `faket-dask benchmark --scenario 1x1024-1024 --scenario 61x1024-1024 --sample 2 --json here.json`
    """
    from faket_dask.benchmark.command import run_benchmark

    run_benchmark(
        out.print, scenario or ["1x1024-1024"], device, workers, sample, precision, memory, json_file
    )


@weights_app.command(name="list")
@explained
def weights_list() -> None:
    """List the weights that can be used and which of them are here.

    Example: `faket-dask weights list`
    """
    from faket_dask import weights

    table = Table("name", "here", "what it is")
    for entry in weights.list_weights():
        table.add_row(entry.name, "yes" if entry.present else "no", entry.description)
    out.print(table)
    say(f"cache: {weights.cache_folder()}")


@weights_app.command(name="fetch")
@explained
def weights_fetch(name: str) -> None:
    """Download weights into the cache; do this where there is a network, for example on a login node.

    Example: `faket-dask weights fetch vgg19-normalised`
    """
    from faket_dask import weights

    say(str(weights.fetch(name)))


@weights_app.command(name="import")
@explained
def weights_import(path: Path, name: str) -> None:
    """Put a downloaded file into the cache after checking that it is what its name says.

    Example: `faket-dask weights import vgg19-dcbb9e9d.pth vgg19-imagenet1k-v1`
    """
    from faket_dask import weights

    say(str(weights.import_file(path, name)))


@weights_app.command(name="verify")
@explained
def weights_verify(name: str) -> None:
    """Check the weights in the cache, or a file, and print their checksum.

    Example: `faket-dask weights verify vgg19-normalised`
    """
    from faket_dask import weights

    say(weights.verify(name))


if __name__ == "__main__":
    sys.exit(app())
