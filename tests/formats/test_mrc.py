"""MRC files: written to the standard, read leniently."""

import itertools
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mrcfile.dtypes import HEADER_DTYPE

from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_samples, open_stack, open_volume, write_stack, write_volume
from tests.formats.extended_headers import agard, insert, serialem, thermo


def random_stack(shape: tuple[int, int, int] = (3, 5, 7)) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def with_header(path: Path, data: np.ndarray | None = None, **fields: object) -> Path:
    """Write an MRC file with mrcfile, and set some header fields."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(random_stack() if data is None else data)
        file.voxel_size = 3.7
    raw = bytearray(path.read_bytes())
    header = np.frombuffer(raw, HEADER_DTYPE, count=1)[0]
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(raw)
    return path


def valid(path: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return bool(mrcfile.validate(path))


def test_written_stack_is_valid_and_reads_back(tmp_path: Path) -> None:
    data = random_stack()
    path = tmp_path / "a.mrc"
    write_stack(path, iter(data), data.shape, 3.7)
    assert valid(path)
    with mrcfile.open(path) as file:
        assert file.is_image_stack()
        np.testing.assert_array_equal(file.data, data)
        assert float(file.header.dmean) == pytest.approx(data.mean(), rel=1e-5)
        assert float(file.header.rms) == pytest.approx(data.std(), rel=1e-5)
    stack = open_stack(path)
    assert stack.shape == (3, 5, 7)
    assert stack.pixel_size_A == pytest.approx(3.7)
    np.testing.assert_array_equal(stack.tilt(1), data[1])
    np.testing.assert_array_equal(stack.rows(1, 4), data[:, 1:4])


def test_same_stack_gives_same_bytes(tmp_path: Path) -> None:
    data = random_stack()
    for name in "ab":
        write_stack(tmp_path / name, iter(data), data.shape, 3.7)
    assert open_stack(tmp_path / "a").checksum() == open_stack(tmp_path / "b").checksum()


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i1", "i2", "u2", "u1", "?"])
def test_written_volume_is_valid_and_reads_back(tmp_path: Path, dtype: str) -> None:
    data = (100 * np.random.default_rng(1).random((4, 150, 6))).astype(dtype)
    path = tmp_path / "a.mrc"
    write_volume(path, data, 10)
    assert valid(path)
    with mrcfile.open(path) as file:
        assert file.is_volume()
        np.testing.assert_array_equal(file.data, data.astype("f4") if dtype == "f8" else data)
    volume = open_volume(path)
    assert volume.voxel_size_A == 10
    np.testing.assert_array_equal(volume.rows(60, 130), data[:, 60:130].astype(np.float32))


def test_volume_is_written_from_zarr_store(tmp_path: Path) -> None:
    data = random_stack((4, 70, 5))
    array = zarr.create_array(str(tmp_path / "a.zarr"), shape=data.shape, chunks=(4, 32, 5), dtype="f4")
    array[...] = data
    write_volume(tmp_path / "a.mrc", array, 10)
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "a.mrc"), data)


@pytest.mark.parametrize("tilts", [2, 4])
def test_incomplete_stack_keeps_previous_file(tmp_path: Path, tilts: int) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match=r"announced|does not belong"):
        write_stack(path, iter(random_stack((tilts, 5, 7))), (3, 5, 7), 3.7)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mrc"]
    assert path.read_bytes() == b"before"


def test_int64_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot hold int64"):
        write_volume(tmp_path / "a.mrc", np.zeros((2, 2, 2), dtype=np.int64), 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["i1", "i2", "u2", "f2", "f4", ">i2", ">f4"])
def test_all_modes_and_byte_orders_are_read(tmp_path: Path, dtype: str) -> None:
    data = (20 * random_stack()).clip(0).astype(dtype)
    path = tmp_path / "a.mrc"
    with mrcfile.new(path) as file:
        file.set_data(data)
        file.voxel_size = 3.7
    result = open_stack(path).tilt(2)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, data[2].astype(np.float32))


def test_imod_bytes_are_unsigned_unless_marked(tmp_path: Path) -> None:
    data = np.arange(-60, 60, dtype=np.int8).reshape(4, 5, 6)
    path = with_header(tmp_path / "a.mrc", data)
    raw = bytearray(path.read_bytes())
    for flags, expected in ((0, data.view(np.uint8)), (1, data)):
        raw[76:88] = np.array([expected.min(), expected.max(), expected.mean()], "<f4").tobytes()
        raw[152:160] = np.array([1146047817, flags], "<i4").tobytes()
        path.write_bytes(raw)
        np.testing.assert_array_equal(open_stack(path).tilt(0), expected[0].astype(np.float32))


def with_extremes(
    path: Path, data: np.ndarray, low: float, high: float, mean: float, flags: int | None
) -> Path:
    with_header(path, data, dmin=low, dmax=high, dmean=mean)
    if flags is not None:
        raw = bytearray(path.read_bytes())
        raw[152:160] = np.array([1146047817, flags], "<i4").tobytes()
        path.write_bytes(raw)
    return path


BYTES = np.arange(0, 240, 2, dtype=np.uint8).reshape(4, 5, 6)


@pytest.mark.parametrize(
    ("data", "flags", "read_as"),
    [
        (BYTES.view("i1"), None, "u1"),  # unsigned bytes of a program that knows no flag
        (BYTES.view("i1"), 1, "u1"),
        ((BYTES.astype("i2") - 120).astype("i1"), 0, "i1"),
        ((BYTES.astype("u2") * 270).view("i2"), None, "u2"),
        ((BYTES.astype("i2") * 100 - 12000).view("u2"), None, "i2"),
        ((BYTES.astype("i2") * 100 - 12000), None, "i2"),
        (BYTES.view("i1"), 0, "u1"),
    ],
)
def test_extremes_decide_about_the_sign(
    tmp_path: Path, data: np.ndarray, flags: int | None, read_as: str
) -> None:
    true = data.view(read_as).astype(np.float32)
    path = with_extremes(tmp_path / "a.mrc", data, true.min(), true.max(), true.mean(), flags)
    agrees = np.dtype(read_as) == (np.uint8 if flags == 0 and data.dtype.itemsize == 1 else data.dtype)
    for opener in (open_stack, open_volume, open_samples):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            opened = opener(path)
        np.testing.assert_array_equal(opened.rows(0, 5), true)
        said = [str(warning.message) for warning in caught]
        assert ["is read so" in text for text in said] == [True] * (not agrees)


@pytest.mark.parametrize(
    ("low", "high", "mean", "said"),
    [
        (-3.2, 40.5, 1.0, ""),  # of the floats that the integers were made from
        (0, -1, -2, ""),  # not determined
        (0, 0, 0, ""),
        (np.nan, 1e9, 0, ""),
        (-70000, 70000, 0, "its mode is believed"),
        (0, 50000, 25000, "its mode is believed"),
        (0, 65535, 3.0, "its mode is believed"),
    ],
)
def test_extremes_of_other_data_do_not(
    tmp_path: Path, low: float, high: float, mean: float, said: str
) -> None:
    data = (np.arange(120, dtype="i2") - 57).reshape(4, 5, 6)
    path = with_extremes(tmp_path / "a.mrc", data, low, high, mean, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stack = open_stack(path)
    np.testing.assert_array_equal(stack.rows(0, 5), data)
    assert [said in str(warning.message) for warning in caught] == [True] * bool(said)


@pytest.mark.parametrize(("stored", "mode"), [("f2", 1), ("f2", 6), ("i2", 12), ("u2", 12)])
def test_mode_of_another_kind_of_number_is_said(tmp_path: Path, stored: str, mode: int) -> None:
    path = with_header(tmp_path / "a.mrc", (1000 * random_stack()).astype(stored), mode=mode)
    with pytest.warns(UserWarning, match="its mode is believed: correct it if the images are noise"):
        open_stack(path)


ANGLES = np.array([-60.0, -12.34, 0.0, 61.5])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "make",
    [
        serialem,
        lambda angles, order: serialem(angles, order, flags=1 | 4 | 8 | 16 | 32),
        agard,
        lambda angles, order: agard(angles, order, kind=b"\0\0\0\0"),
        thermo,
        lambda angles, order: thermo(angles, order, kind=b"FEI1"),
    ],
)
def test_angles_of_extended_header_are_read(tmp_path: Path, make: Callable, order: str) -> None:
    data = (1000 * random_stack((4, 5, 7))).astype(f"{order}i2")
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(data)
        file.voxel_size = 3.7
    insert(tmp_path / "a.mrc", make(ANGLES, order), order)
    stack = open_stack(tmp_path / "a.mrc")
    np.testing.assert_allclose(stack.header.extended.tilt_angles, ANGLES, atol=5e-3)
    np.testing.assert_array_equal(stack.tilt(3), data[3].astype(np.float32))


@pytest.mark.parametrize(
    "extended",
    [
        serialem(ANGLES, flags=4),  # of other kinds only
        serialem(np.zeros(4)),
        serialem(np.array([1, 2, 3, 4]) * 95.0),
        agard(np.zeros(4)),
        agard(np.full(4, np.nan)),
        (b"symmetry operators".ljust(80), b"CCP4", 0, 0),
        (bytes(4096), b"HDF5", 3, 7),
        (bytes(3), b"SERI", 2, 1),
        (thermo(ANGLES)[0][:1000], b"FEI1", 0, 0),
        (np.random.default_rng(0).bytes(4000), b"FEI2", 0, 0),
    ],
)
def test_extended_header_without_angles_says_nothing(
    tmp_path: Path, extended: tuple[bytes, bytes, int, int]
) -> None:
    path = with_header(tmp_path / "a.mrc", random_stack((4, 5, 7)))
    insert(path, extended)
    stack = open_stack(path)
    assert stack.header.extended.tilt_angles is None
    np.testing.assert_array_equal(stack.tilt(1), random_stack((4, 5, 7))[1])


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("a.mrc", b"II*\0", r"is a TIFF file, not an MRC file; .*tif2mrc"),
        ("a.tif", b"MM\0*", "is a TIFF file"),
        ("a.eer", b"II+\0", r"is an EER movie, not an MRC file; average its frames"),
        ("a.hdf", b"\x89HDF\r\n\x1a\n", r"is an HDF5 file, .*newstack"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "is a PNG image"),
        ("a.dm4", b"\0\0\0\4\0\0\0\0\1\2\3\4", r"DM4\) file, .*dm2mrc"),
        ("a.zip", b"PK\3\4", "is a ZIP archive"),
        ("a.mrc.xz", b"\xfd7zXZ\0", "is an xz-compressed file"),
        ("a.mrc.zst", b"\x28\xb5\x2f\xfd", "is a zstd-compressed file"),
        ("a.mrc", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("a.tlt", b"-60.0\n-57.0\n", "is a text file, not an MRC file"),
    ],
)
@pytest.mark.parametrize("size", [100, 5000])
def test_files_of_other_kinds_are_named(
    tmp_path: Path, name: str, start: bytes, message: str, size: int
) -> None:
    filling = b"0" if start[:1] in b"-v" else np.random.default_rng(1).bytes(1)
    (tmp_path / name).write_bytes(start.ljust(size, filling))
    for opener in (open_stack, open_volume, open_samples):
        with pytest.raises(InputError, match=message):
            opener(tmp_path / name)


@pytest.mark.parametrize("axes", list(itertools.permutations((1, 2, 3))))
def test_volume_in_any_axis_order_reads_as_z_y_x(tmp_path: Path, axes: tuple[int, int, int]) -> None:
    volume = random_stack((3, 5, 7))
    path = tmp_path / "a.mrc"
    mapc, mapr, maps = axes
    stored = volume.transpose([3 - axis for axis in (maps, mapr, mapc)])
    with mrcfile.new(path) as file:
        file.set_data(np.ascontiguousarray(stored))
        file.header.mx, file.header.my, file.header.mz = 7, 5, 3
        file.header.cella = (70, 50, 30)
        file.header.mapc, file.header.mapr, file.header.maps = axes
    opened = open_volume(path)
    assert opened.shape == volume.shape
    assert opened.voxel_size_A == 10
    np.testing.assert_array_equal(opened.rows(1, 4), volume[:, 1:4])
    assert open_samples(path).rows(0, 5).flags.c_contiguous


def test_impossible_axis_order_is_refused(tmp_path: Path) -> None:
    for opener in (open_stack, open_volume, open_samples):
        with pytest.raises(InputError, match=r"order of axes \(1, 1, 2\)"):
            opener(with_header(tmp_path / "a.mrc", mapc=1, mapr=1, maps=2))


@pytest.mark.parametrize("cella", [(0, 0, 0), (7, 5, 3), (7, 10, 3)])
def test_samples_open_without_voxel_size(tmp_path: Path, cella: tuple[float, float, float]) -> None:
    path = with_header(tmp_path / "a.mrc", cella=cella)
    np.testing.assert_array_equal(open_samples(path).rows(0, 5), random_stack())
    with pytest.raises(InputError, match="voxel size"):
        open_volume(path)


def test_extended_header_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    with mrcfile.new(path) as file:
        file.set_data(random_stack())
        file.set_extended_header(np.zeros(2048, dtype="V1"))
        file.voxel_size = 3.7
    np.testing.assert_array_equal(open_stack(path).tilt(0), random_stack()[0])


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"nversion": 7}, "version 7"),
        ({"map": b"xxxx"}, "no MAP identifier"),
        ({"machst": (0, 0, 0, 0)}, "unknown machine stamp 0000"),
        ({"machst": (0x11, 0x11, 0, 0)}, "machine stamp of the other byte order"),
        ({"mapc": 0, "mapr": 0, "maps": 0}, "no axis order"),
    ],
)
def test_nonstandard_header_is_read_with_warning(tmp_path: Path, fields: dict, complaint: str) -> None:
    path = with_header(tmp_path / "a.mrc", **fields)
    with pytest.warns(UserWarning, match=complaint):
        stack = open_stack(path)
    np.testing.assert_array_equal(stack.tilt(1), random_stack()[1])


def test_start_origin_and_an_old_version_are_ignored(tmp_path: Path) -> None:
    path = with_header(tmp_path / "a.mrc", nxstart=-3, origin=(5, 6, 7), nversion=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_stack(path)


def test_trailing_bytes_give_a_warning(tmp_path: Path) -> None:
    path = with_header(tmp_path / "a.mrc")
    path.write_bytes(path.read_bytes() + bytes(10))
    with pytest.warns(UserWarning, match="10 bytes after the data"):
        open_stack(path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": 4}, r"mode 4; modes 0 \(int8\).*newstack -mode 2"),
        ({"mode": 101}, "mode 101"),
        ({"nx": 0}, "impossible dimensions"),
        ({"nz": -3}, "impossible dimensions"),
        ({"nsymbt": -5000}, "impossible dimensions"),
        ({"nx": 2**31 - 1, "ny": 2**31 - 1, "nz": 2**31 - 1}, "truncated"),
        ({"nsymbt": 2**31 - 1}, "truncated"),
        ({"ispg": 401}, "stack of volumes"),
        ({"mapc": 3, "mapr": 2, "maps": 1}, "axes in the order"),
        ({"mx": 0}, "no pixel size in its header"),
        ({"cella": (0, 0, 0)}, "no pixel size in its header"),
        ({"cella": (7, 5, 3)}, "what programs write when they do not know it"),
        ({"cella": (7, 10, 3)}, "1 x 2 Å; they must agree"),
        ({"cella": (np.nan, 10, 3)}, "no pixel size"),
    ],
)
def test_unusable_header_gives_one_error(tmp_path: Path, fields: dict, message: str) -> None:
    path = with_header(tmp_path / "a.mrc", **fields)
    with pytest.raises(InputError, match=message) as caught:
        open_stack(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cella", [(0, 0, 0), (7, 10, 3), (7, 5, 3), (70, 50, 30)])
def test_given_pixel_size_wins(tmp_path: Path, cella: tuple[float, float, float]) -> None:
    path = with_header(tmp_path / "a.mrc", cella=cella)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert open_stack(path, pixel_size_A=3.7).pixel_size_A == 3.7
    contradicts = cella in ((7, 10, 3), (70, 50, 30))
    assert any("3.7 Å is used, as given" in str(warning.message) for warning in caught) == contradicts


@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, np.inf])
def test_impossible_pixel_size_is_refused(tmp_path: Path, size: float) -> None:
    with pytest.raises(InputError, match="must be positive"):
        open_stack(with_header(tmp_path / "a.mrc"), pixel_size_A=size)


def test_errors_distinguish_missing_truncated_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"MRC")
    (tmp_path / "text").write_text("not an MRC file " * 100)
    (tmp_path / "whole.mrc").write_bytes(with_header(tmp_path / "a.mrc").read_bytes()[:-1])
    for name, message in {
        "absent": "No such file",
        ".": "directory",
        "short": "3 bytes and is not an MRC file",
        "text": "MRC mode|not an MRC file",
        "whole.mrc": "truncated: 7 x 5 x 3 samples of float32 need 1444 bytes, the file has 1443",
    }.items():
        with pytest.raises(InputError, match=message):
            open_stack(tmp_path / name)


def test_single_section_is_a_stack_and_no_volume(tmp_path: Path) -> None:
    path = with_header(tmp_path / "a.mrc", random_stack()[0])
    assert open_stack(path).shape == (1, 5, 7)
    with pytest.raises(InputError, match="single image"):
        open_volume(path)


def test_file_that_shrinks_after_opening_gives_an_error(tmp_path: Path) -> None:
    path = with_header(tmp_path / "a.mrc")
    stack = pickle.loads(pickle.dumps(open_stack(path)))
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(stack.tilt(0), random_stack()[0])
    with pytest.raises(InputError, match="become shorter"):
        stack.tilt(2)
    path.unlink()
    for read in (lambda: stack.tilt(0), lambda: stack.rows(0, 2), stack.checksum):
        with pytest.raises(InputError, match="cannot be read"):
            read()
    with pytest.raises(IndexError, match="no tilt 3"):
        stack.tilt(3)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 255), st.sampled_from([0, 1, -1, 2, 6, 12, 2**31 - 1, -(2**31), 401])),
        min_size=1,
        max_size=4,
    ),
    length=st.one_of(st.none(), st.integers(0, 1500)),
)
def test_random_header_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]], length: int | None
) -> None:
    path = with_header(tmp_path / "a.mrc")
    raw = bytearray(path.read_bytes())
    for word, value in changes:
        raw[4 * word : 4 * word + 4] = np.array(value, "<i4").tobytes()
    path.write_bytes(raw[:length])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            stack = open_stack(path, pixel_size_A=2.0)
        except InputError as error:
            named = str(path) in str(error)
        else:
            assert stack.tilt(stack.shape[0] - 1).nbytes < 2000
            named = True
    assert named


def test_real_series(real_series: Path) -> None:
    stack = open_stack(real_series / "00254.stack.mrc")
    assert stack.shape == (41, 630, 652)
    assert stack.pixel_size_A == 10
    assert np.isfinite(stack.tilt(20)).all()
