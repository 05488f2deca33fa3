"""Compressed files: read whatever their name, in bounded memory, with one clear error where they are damaged."""

import bz2
import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.imod import read_angles
from faket_dask.formats.mrc import open_samples, open_stack, open_volume, write_stack, write_volume

COMPRESSORS = pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
Compress = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/decompressed"


def volume(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((4, 5, 6)).astype(np.float32)


def write_compressed(path: Path, compress: Compress, seed: int = 0) -> Path:
    write_volume(path.with_name("plain.mrc"), volume(seed), 2.5)
    path.write_bytes(compress(path.with_name("plain.mrc").read_bytes()))
    return path


@COMPRESSORS
@pytest.mark.parametrize("name", ["emd_0001.map.gz", "a.mrc.bz2", "a.mrc"])
def test_volume_is_read_whatever_its_name(tmp_path: Path, compress: Compress, name: str) -> None:
    opened = open_volume(write_compressed(tmp_path / name, compress))
    assert opened.voxel_size_A == 2.5
    np.testing.assert_array_equal(opened.rows(0, 5), volume())
    np.testing.assert_array_equal(open_samples(tmp_path / name).rows(1, 3), volume()[:, 1:3])


@COMPRESSORS
def test_stack_is_read_in_another_process_and_after_its_copy_has_gone(
    tmp_path: Path, cache: Path, compress: Compress
) -> None:
    write_stack(tmp_path / "plain.st", volume(), (4, 5, 6), 2.5)
    path = tmp_path / "a.st.gz"
    path.write_bytes(compress((tmp_path / "plain.st").read_bytes()))
    stack = pickle.loads(pickle.dumps(open_stack(path)))
    [copy] = cache.iterdir()
    np.testing.assert_array_equal(stack.tilt(2), volume()[2])
    assert [*cache.iterdir()] == [copy]
    copy.unlink()
    np.testing.assert_array_equal(stack.tilt(3), volume()[3])


def test_changed_file_is_read_anew(tmp_path: Path) -> None:
    for seed in (0, 1):
        opened = open_volume(write_compressed(tmp_path / "a.mrc.gz", gzip.compress, seed))
        np.testing.assert_array_equal(opened.rows(0, 5), volume(seed))


@COMPRESSORS
@pytest.mark.parametrize("length", [30, 200, -1, -9])
def test_truncated_file_gives_one_error(tmp_path: Path, cache: Path, compress: Compress, length: int) -> None:
    path = write_compressed(tmp_path / "a.mrc.gz", compress)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        InputError, match=r"a\.mrc\.gz (is truncated: its|has damaged) compressed data"
    ) as caught:
        open_volume(path)
    assert "\n" not in str(caught.value)
    assert not cache.exists() or not [*cache.iterdir()]


@COMPRESSORS
def test_damaged_file_gives_one_error(tmp_path: Path, compress: Compress) -> None:
    path = write_compressed(tmp_path / "a.mrc.gz", compress)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"a\.mrc\.gz .*(damaged|truncated|shorter)"):
        open_volume(path)


def test_other_contents_are_named_before_all_is_decompressed(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "a.mrc.gz"
    path.write_bytes(gzip.compress(b"II*\0" + bytes(5000)))
    with pytest.raises(InputError, match=r"is a TIFF file, not an MRC file; .*tif2mrc"):
        open_volume(path)
    assert not cache.exists()


def test_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "file"))
    path = write_compressed(tmp_path / "a.mrc.gz", gzip.compress)
    with pytest.raises(InputError, match="set FAKET_DASK_CACHE to a folder with space"):
        open_volume(path)


def test_truncated_text_gives_one_error(tmp_path: Path) -> None:
    (tmp_path / "a.tlt.gz").write_bytes(gzip.compress(b"1\n2\n3\n")[:-9])
    with pytest.raises(InputError, match=r"a\.tlt\.gz is truncated: its compressed data end too early"):
        read_angles(tmp_path / "a.tlt.gz")


def test_text_that_grows_without_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faket_dask.formats.files.LARGEST_TEXT", 1000)
    (tmp_path / "a.tlt.gz").write_bytes(gzip.compress(b"1\n" * 5000))
    with pytest.raises(InputError, match="decompresses to more than 1000 bytes"):
        read_angles(tmp_path / "a.tlt.gz")


def test_kinds_of_names() -> None:
    names = ["a.mrc.gz", "a.st.bz2", "a.MAP.GZ", "a.mdoc", "a"]
    assert [kind_suffix(Path(name)) for name in names] == [".mrc", ".st", ".map", ".mdoc", ""]
