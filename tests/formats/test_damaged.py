"""Readers of damaged files raise one error or return a result, and never crash; where records disagree, they say so."""

import json
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faket_dask.comparison.compare import open_for_comparison
from faket_dask.errors import InputError
from faket_dask.formats import copick, copick_writing, dynamo, ome_zarr, portal
from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.imod import (
    read_angle_file,
    read_angles,
    read_transforms,
    write_angles,
    write_transforms,
)
from faket_dask.formats.imod_defocus import write_defocus
from faket_dask.formats.mdoc import read_mdoc, write_mdoc
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.openers.ctf_sources import read_ctf
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram, read_particles, read_tomograms
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.shrec import read_alignment, read_locations, read_model
from faket_dask.formats.shrec_writing import write_model
from faket_dask.formats.star import read_star
from faket_dask.formats.tilt_com import read_tilt_com, write_tilt_com
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.formats.tomostar import read_tomostar, write_tomostar
from faket_dask.formats.warp_xml import read_import_folders
from faket_dask.formats.warp_xml_writing import write_warp_xml
from faket_dask.geometry import TiltGeometry
from faket_dask.interchange.importers.base import SpecimenOptions
from faket_dask.interchange.importers.particles import to_particle_table
from faket_dask.interchange.importers.specimens import IMPORTERS
from faket_dask.specimen.particles import read_particles as read_table
from faket_dask.specimen.volume import open_specimen_volume
from tests.ctf import make_ctf
from tests.formats import extended_headers
from tests.formats.conftest import VOXEL_A, make_phantom
from tests.interchange.foreign_specimens import (
    ARMS,
    make_scene,
    write_amira,
    write_cellpack,
    write_cryotomosim,
    write_mesoscale,
    write_polnet,
)

Reader = Callable[[Path], object]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one small undamaged file of every kind."""
    folder = tmp_path_factory.mktemp("exported")
    phantom = make_phantom((12, 96, 96))
    geometry, particles = phantom.geometry, phantom.particles
    write_model(
        folder / "model_0", geometry, particles, {"grandmodel": np.zeros((4, 8, 8), dtype=np.float32)}, {}
    )
    tomogram = RelionTomogram(
        "a",
        geometry,
        RelionOptics(300, 2.7, 0.1),
        ("a.mrc",) * len(geometry),
        tuple(range(len(geometry))),
        (4, 8, 8),
    )
    write_mdoc(folder / "a.mdoc", geometry, "a.mrc", (8, 8), 300, make_ctf(np.ones(len(geometry))))
    write_tomostar(folder / "a.tomostar", geometry, ["a.mrc"] * len(geometry))
    write_tilt_com(folder, "a", geometry, (8, 8), 4)
    (folder / "a.xf").write_text("1 0 0 1 0.5 0.5\n" * 3)
    recorded = folder / "recorded"
    recorded.mkdir()
    tilts = np.random.default_rng(0).random((len(geometry), 8, 8)).astype(np.float32)
    write_stack(recorded / "a.mrc", iter(tilts), tilts.shape, VOXEL_A)
    write_angles(recorded / "a.rawtlt", geometry.stage_angles)
    write_transforms(recorded / "a.xf", np.broadcast_to(np.eye(2, 3), (len(geometry), 2, 3)))
    write_mdoc(recorded / "a.mrc.mdoc", geometry, "a.mrc", (8, 8))
    ctf = make_ctf(np.linspace(2, 3, len(geometry)), 0.2, 30.0)
    write_ctffind(recorded / "a_CTF.txt", ctf)
    write_defocus(recorded / "a.defocus", ctf, geometry.stage_angles)
    write_warp_xml(folder / "a.xml", geometry, ["a.mrc"] * len(geometry), (8, 8), ctf)
    write_project(folder, [replace(tomogram, name="b", ctf=ctf), tomogram], {"a": particles})
    for number, tilt in enumerate(tilts):
        write_stack(recorded / f"t{number}.mrc", [tilt], (1, 8, 8), VOXEL_A)
    write_tomostar(recorded / "a.tomostar", geometry, [f"t{number}.mrc" for number in range(len(geometry))])
    write_alignments(folder / "others", geometry, tilts)
    portal.write_points(folder / "a.ndjson", particles, "1BXN", VOXEL_A)
    objects = [copick.PickableObject(n, i, True, 50) for n, i in (("1BXN", 4), ("4V94", 1))]
    copick_writing.write_config(folder, "a", objects)
    wbp = np.zeros((4, 8, 8), np.float32)
    copick_writing.write_run(folder, "run", VOXEL_A, {"wbp": wbp}, None, particles, objects)
    to_particle_table(particles).write_csv(folder / "particles.csv")
    write_volume(folder / "own.mrc", np.ones((4, 8, 8), dtype=np.float32), VOXEL_A)
    write_polnet(folder / "polnet", make_scene())
    write_cryotomosim(folder / "cryotomosim", make_scene())
    write_cellpack(folder / "cellpack")
    labels = np.arange(12 * 16 * 20).reshape(12, 16, 20) // 500 % 3
    write_amira(folder / "runs.Labels.am", labels, "HxByteRLE")
    write_amira(folder / "text.Labels.am", labels, "ASCII")
    poses = np.tile(np.eye(3), (3, 1, 1)), np.array([[0, 0, 0], [90, 0, 40], [-20, 80.0, 0]])
    for suffix in (".cif", ".bcif"):
        write_mesoscale(folder / f"cell{suffix}", ARMS * 8, *poses, [("(1-2,3)", "A,B")])
    (folder / "a.tbl").write_text(f"1 1 1 0 0 0 10 20 30{' 0' * 14} 4 5 6\n" * 3)
    own = zarr.open_group(str(folder / "own.zarr"), mode="w")
    own.create_array("noisy", data=tilts).attrs["voxel_size_A"] = VOXEL_A
    own.create_array("tilt_angle", data=geometry.tilt_angles)
    own.attrs["pixel_size_A"] = VOXEL_A
    return folder


def write_alignments(folder: Path, geometry: TiltGeometry, stack: np.ndarray) -> None:
    """Write files that Warp, AreTomo and etomo keep beside a stack or images."""
    folder.mkdir()
    write_stack(folder / "a.mrc", iter(stack), stack.shape, VOXEL_A)
    for number, tilt in enumerate(stack):
        write_stack(folder / f"t{number}.mrc", [tilt], (1, 8, 8), VOXEL_A)
    rows = [f"{n + 1} 0.5 1 1.5 -2 1 1 1 0 {angle}\n" for n, angle in enumerate(geometry.stage_angles)]
    (folder / "a.aln").write_text(
        f"# AreTomo Alignment\n# RawSize = 8 8 {len(geometry)}\n# NumPatches = 0\n# SEC\n{''.join(rows)}"
    )
    (folder / "a_TLT.txt").write_text("".join(f"{a} {n} 3\n" for n, a in enumerate(geometry.stage_angles)))
    movies = "\n".join(f"t{number}.mrc" for number in range(len(stack)))
    angles = "\n".join(map(str, geometry.tilt_angles))
    (folder / "a.xml").write_text(
        f'<TiltSeries LevelAngleY="1"><Angles>{angles}</Angles><MoviePath>{movies}</MoviePath><GridMovementX Width="1">'
        '<Node Z="0" Value="1"/></GridMovementX></TiltSeries>'
    )
    (folder / "tilt.com").write_text(
        "$tilt -StandardInput\nInputProjections a.ali\nEXCLUDELIST 2,4-5\nOFFSET 1\n"
    )
    (folder / "x.settings").write_text(
        '<Settings><Import><Param Name="DataFolder" Value="." /></Import></Settings>'
    )


def tomograms(path: Path) -> object:
    return read_tomograms(path.parent / "tomograms.star")


def particles(path: Path) -> object:
    tables = read_tomograms(path.parent / "tomograms.star")
    return read_particles(path.parent / "particles.star", tables)


def picks(path: Path) -> object:
    project = copick.open_project(path.parents[3] / "copick.json")
    return copick.read_picks(project, copick.choose_picks(project, "run"))


def specimen(importer: str) -> Reader:
    """Return a reader of a specimen's labels, by the importer of its folder."""

    def read(path: Path) -> object:
        source, options = path.parent, SpecimenOptions()
        if importer in ("amira", "cellpack", "mesoscale"):
            source, options = path, SpecimenOptions(voxel_size_A=20.0)
        found = IMPORTERS.get(importer)().open(source, options)
        return [mask and mask.rows(0, mask.shape[1]) for mask in (found.density, found.instance_mask)]

    return read


def aligned_tilt(path: Path) -> object:
    return open_tilt_series(path.with_name("a.mrc")).aligned().tilt(0)


READERS: dict[str, Reader] = {
    "recorded/a.mrc": aligned_tilt,
    "recorded/a.rawtlt": aligned_tilt,
    "recorded/a.xf": aligned_tilt,
    "recorded/a.mrc.mdoc": lambda path: open_tilt_series(path).tilt(0),
    "recorded/a_CTF.txt": aligned_tilt,
    "recorded/a.defocus": aligned_tilt,
    "a.xml": lambda path: read_ctf(path).to_series(range(3)),
    "tilt_series/b.star": lambda path: read_ctf(path).to_series(range(3)),
    "recorded/a.tomostar": lambda path: open_tilt_series(path).tilt(0),
    "recorded/t3.mrc": lambda path: open_tilt_series(path.with_name("a.tomostar")).tilt(0),
    "a.tlt": read_angles,
    "a.xf": read_transforms,
    "others/a.aln": lambda path: open_tilt_series(path).aligned().tilt(0),
    "others/a_TLT.txt": read_angle_file,
    "others/a.xml": lambda path: open_tilt_series(path).aligned().tilt(0),
    "others/tilt.com": lambda path: open_tilt_series(path.with_name("a.mrc")).tilt(0),
    "others/x.settings": read_import_folders,
    "tilt.com": read_tilt_com,
    "a.mdoc": read_mdoc,
    "a.tomostar": read_tomostar,
    "tomograms.star": tomograms,
    "tilt_series/a.star": lambda path: tomograms(path.parent),
    "particles.star": particles,
    "model_0/particle_locations.txt": lambda path: read_locations(path, 10),
    "model_0/alignment_simulated.txt": read_alignment,
    "model_0/grandmodel.mrc": lambda path: read_model(path.parent),
    "a.ndjson": lambda path: portal.read_points(path, "1BXN", 4, 10),
    "copick.json": copick.open_project,
    "ExperimentRuns/run/Picks/faketdask_0_1BXN.json": picks,
    "ExperimentRuns/run/VoxelSpacing10.000/wbp.zarr/.zattrs": lambda path: ome_zarr.open_volume(path.parent),
    "ExperimentRuns/run/VoxelSpacing10.000/wbp.zarr/0/.zarray": lambda path: ome_zarr.open_volume(
        path.parents[1]
    ),
    "particles.csv": read_table,
    "a.tbl": lambda path: dynamo.read_table(path, 10.0),
    "cryotomosim/zcoords_one.csv": specimen("cryotomosim"),
    "cryotomosim/sim_dose_60/Atlas.txt": lambda path: specimen("cryotomosim")(path.parent),
    "cellpack/model.json": specimen("cellpack"),
    "runs.Labels.am": specimen("amira"),
    "text.Labels.am": specimen("amira"),
    "cell.cif": specimen("mesoscale"),
    "cell.bcif": specimen("mesoscale"),
    "polnet/tomo_001_motif_list.csv": specimen("polnet"),
    "polnet/tomo_001_den.mrc": specimen("polnet"),
    "polnet/tomo_001_lbl.mrc": specimen("polnet"),
    "own.mrc": lambda path: open_specimen_volume(path).read_block(0, 8),
    "own.zarr/noisy/zarr.json": lambda path: open_specimen_volume(path.parent).read_block(0, 8),
    "own.zarr/zarr.json": lambda path: open_for_comparison(path.parent / "noisy").tilts.tilt(0),
    "own.zarr/tilt_angle/zarr.json": lambda path: open_for_comparison(path.parents[1] / "noisy"),
}

OPTIONAL = {
    "cryotomosim/zcoords_one.csv",  # its class has connected parts
    "recorded/a_CTF.txt",
    "recorded/a.defocus",
    "others/tilt.com",
    "recorded/a.rawtlt",  # the .mdoc tells the angles, too
    "model_0/grandmodel.mrc",
    "ExperimentRuns/run/Picks/faketdask_0_1BXN.json",
}

# What text formats trip over.
FRAGMENTS = [
    *(b"nan", b"inf", b"-1e400", b" 9999999999999 ", b"1e309", b"null", b"[]", b"{}", b"[", b",", b"#"),
    *(b"\n", b"'", b'"', b"\0", b"\xff", "Å".encode(), b"data_x\n", b"loop_\n", b"_x\n", b"[ZValue = 0]\n"),
]

HEADER_BYTES = 256
"""Of a binary file: where its sizes, modes and flags are."""

# What numbers may be in their place: in text, and as the words of a binary header.
NUMBERS = [
    *(b"0", b"-1", b"3.5", b"91", b"1e300", b"-1e400", b"2147483647", b"9" * 30),
    *(b"nan", b"Infinity", b"null", b"[1]", b'"x"', "\u00c5".encode()),
]
WORDS = [0, 1, -1, 2, 3, 4, 6, 12, 401, 2**20, 2**31 - 1, -(2**31)]
_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")

damage = st.one_of(
    st.tuples(st.just("number"), st.floats(0, 1), st.sampled_from(NUMBERS)),
    st.tuples(st.just("word"), st.floats(0, 1), st.sampled_from([np.int32(w).tobytes() for w in WORDS])),
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
    st.tuples(
        st.just("insert"),
        st.floats(0, 1),
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from(FRAGMENTS),
        ),
    ),
    st.tuples(st.just("remove line"), st.floats(0, 1), st.just(b"")),
    st.tuples(st.just("remove word"), st.floats(0, 1), st.just(b"")),
)


def damaged(raw: bytes, kind: str, where: float, replacement: bytes) -> bytes:
    at = int(where * len(raw))
    if kind == "cut":
        return raw[:at]
    if kind == "number" and (numbers := list(_NUMBER.finditer(raw))):
        chosen = numbers[int(where * (len(numbers) - 1))]
        return raw[: chosen.start()] + replacement + raw[chosen.end() :]
    if kind == "word":
        at = 4 * int(where * min(len(raw), HEADER_BYTES) / 4)
        return raw[:at] + replacement + raw[at + 4 :]
    if kind == "insert" or not raw:
        return raw[:at] + replacement + raw[at:]
    parts = raw.splitlines(keepends=True) if kind == "remove line" else raw.split(b" ")
    del parts[int(where * (len(parts) - 1))]
    return (b"" if kind == "remove line" else b" ").join(parts)


@pytest.mark.parametrize("name", READERS)
def test_undamaged_file_is_read(exported: Path, name: str) -> None:
    READERS[name](exported / name)


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=st.lists(damage, min_size=1, max_size=3))
def test_damaged_file_gives_one_error_or_a_result(
    exported: Path, name: str, changes: list[tuple[str, float, bytes]]
) -> None:
    path = exported / name
    whole = path.read_bytes()
    raw = whole
    for change in changes:
        raw = damaged(raw, *change)
    path.write_bytes(raw)
    message = "read"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            READERS[name](path)
    except InputError as error:
        message = str(error)
    finally:
        path.write_bytes(whole)
    assert message
    assert len(message) < 1000


STAGE = np.array([-40.0, -20.0, 0.0, 20.0, 40.0, 60.0])
AXIS = 85.3


@pytest.fixture(scope="module")
def redundant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a series each fact of which is recorded twice; the mean of an image is ten times its angle."""
    folder = tmp_path_factory.mktemp("redundant")
    noise = np.random.default_rng(0).integers(-200, 200, (6, 12, 12))
    images = noise - noise.mean(axis=(1, 2), keepdims=True) + 10 * STAGE[:, None, None]
    with mrcfile.new(folder / "a.mrc") as file:
        file.set_data(images.round().astype(np.int16))
        file.set_image_stack()
        file.voxel_size = VOXEL_A
    extended_headers.insert(folder / "a.mrc", extended_headers.serialem(STAGE))
    write_angles(folder / "a.rawtlt", STAGE)
    geometry = TiltGeometry(STAGE, VOXEL_A, AXIS, exposure_e_per_A2=np.full(6, 3.0))
    write_mdoc(folder / "a.mrc.mdoc", geometry, "a.mrc", (12, 12))
    text = (folder / "a.mrc.mdoc").read_text()
    for number, angle in enumerate(STAGE):
        text = text.replace(
            f"[ZValue = {number}]\nTiltAngle = {-angle:.4f}", f"[ZValue = {number}]\nTiltAngle = {angle:.4f}"
        )
    (folder / "a.mrc.mdoc").write_text(text)
    return folder


def assert_true(series: TiltSeries) -> None:
    """Assert that a series is the one that was written, as far as its records can contradict each other."""
    assert series.shape == (6, 12, 12)
    means = [float(series.tilt(tilt).mean()) / 10 for tilt in range(6)]
    np.testing.assert_allclose(means, STAGE[::-1], atol=0.1)
    np.testing.assert_allclose(series.geometry.stage_angles, means, atol=0.6)
    assert series.geometry.tilt_axis_angle_deg == pytest.approx(AXIS, abs=1)
    assert series.pixel_size_A == pytest.approx(VOXEL_A, rel=0.01)


def read_right_or_said(path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            series = open_tilt_series(path)
            tilts = [series.tilt(tilt) for tilt in range(series.shape[0])]
        except InputError:
            return
    if not caught:
        assert len(tilts) == 6
        assert_true(series)


def test_redundant_series_is_read_without_a_word(redundant: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_true(open_tilt_series(redundant / "a.mrc"))
        assert_true(open_tilt_series(redundant / "a.mrc.mdoc"))


@pytest.mark.parametrize(
    ("name", "removed"), [("a.rawtlt", ()), ("a.mrc.mdoc", ()), ("a.mrc.mdoc", ("a.rawtlt",))]
)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(change=damage)
def test_damaged_text_beside_a_stack_is_right_or_said(
    redundant: Path, name: str, removed: tuple[str, ...], change: tuple[str, float, bytes]
) -> None:
    """The axis is recorded by two keys of the `.mdoc`, angles and pixel size in the stack, too."""
    files = {file: (redundant / file).read_bytes() for file in (name, *removed)}
    try:
        (redundant / name).write_bytes(damaged(files[name], *change))
        for file in removed:
            (redundant / file).unlink()
        read_right_or_said(redundant / "a.mrc")
    finally:
        for file, whole in files.items():
            (redundant / file).write_bytes(whole)


@settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    word=st.integers(0, 256 + 2),
    value=st.one_of(
        st.sampled_from([np.int32(word).tobytes() for word in WORDS]),
        st.sampled_from([np.float32(number).tobytes() for number in (0, 1, -5, 60, 120, 1e30, np.nan)]),
        st.binary(min_size=4, max_size=4),
    ),
)
def test_damaged_header_of_a_stack_is_right_or_said(redundant: Path, word: int, value: bytes) -> None:
    path = redundant / "a.mrc"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: 4 * word] + value + whole[4 * word + 4 :])
        read_right_or_said(path)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", sorted(READERS.keys() - OPTIONAL))
def test_missing_file_is_named(exported: Path, name: str) -> None:
    path = exported / name
    hidden = path.with_name("hidden")
    path.rename(hidden)
    try:
        with pytest.raises(
            InputError,
            match=r"a\.|t3\.|cell\.|Labels\.|polnet|cryotomosim|\.star|\.txt|\.json|\.csv|own\.mrc|tilt\.com|zarr|\.xf|a_TLT|settings",
        ):
            READERS[name](path)
    finally:
        hidden.rename(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no block"),
        ("loop_\n", r"line 1: expected a block"),
        ("data_a\n_x 1\n_x 2\n", "line 3: _x for the second time"),
        ("data_a\n_x\n", "line 2: expected one value"),
        ("data_a\nloop_\n_x\n_y\n1 2\n3\n", "line 6: 1 values where there are 2 columns"),
        ("data_a\n_x 1\nloop_\n", "line 3: a loop in a block that has values"),
        ("data_a\n_x 1\ndata_a\n", "line 3: a second block data_a"),
        ("data_a\nloop_\n_x\n'1\n", "line 4: No closing quotation"),
    ],
)
def test_star_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.star").write_text(text)
    with pytest.raises(InputError, match=message):
        read_star(tmp_path / "a.star")


def test_star_columns_as_text_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("data_a # comment\nloop_\n_x #1\n_y #2\n001 'a b'\nnan \"c\" # d\n")
    table = read_star(tmp_path / "a.star")["a"]
    assert table.text("x") == ("001", "nan")
    assert table.text("y") == ("a b", "c")
    assert table.numbers("z", 3).tolist() == [3, 3]
    with pytest.raises(InputError, match="data_a, row 2: _x is 'nan', not a number"):
        table.numbers("x")
    with pytest.raises(InputError, match="data_a has no column _z"):
        table.numbers("z")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiscales": []}, "not an OME-Zarr volume"),
        ({"multiscales": [{"axes": [{"name": "x"}], "datasets": [{"path": "0"}]}]}, "a volume has z, y, x"),
        ({"multiscales": 3}, "not an OME-Zarr volume"),
    ],
)
def test_damaged_ome_zarr_metadata_are_refused(
    exported: Path, tmp_path: Path, change: dict, message: str
) -> None:
    ome_zarr.write_volume(tmp_path / "a.zarr", np.zeros((2, 3, 4), dtype=np.float32), 10)
    attributes = tmp_path / "a.zarr/.zattrs"
    attributes.write_text(json.dumps({**json.loads(attributes.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        ome_zarr.open_volume(tmp_path / "a.zarr")


def test_fill_value_out_of_range_is_an_error(tmp_path: Path) -> None:
    ome_zarr.write_volume(tmp_path / "a.zarr", np.zeros((2, 3, 4), dtype=np.float32), 10)
    array = tmp_path / "a.zarr/0/.zarray"
    array.write_text(json.dumps({**json.loads(array.read_text()), "fill_value": 1e100}))
    with pytest.raises(InputError, match="overflow"):
        ome_zarr.open_volume(tmp_path / "a.zarr")
