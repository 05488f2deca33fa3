"""Whose files are replaced, and whose never."""

import os
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.atomic import replace_folder_atomically, write_text
from faket_dask.errors import InputError
from faket_dask.formats import ome_zarr
from faket_dask.formats.mrc import write_volume
from faket_dask.outputs.claim import OutputKind, claim_folder, claim_outputs
from faket_dask.outputs.placing import check_output
from faket_dask.outputs.record import RECORD, OutputRecord, Owner, has_own_label

VOLUME = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def find_owner(path: Path) -> Owner:
    return OutputRecord.beside(path).find_owner(path)


def write(path: Path, text: str, *, overwrite: bool = False) -> None:
    with claim_outputs([path], overwrite=overwrite):
        write_text(path, text)


def test_own_text_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/a.rawtlt"
    assert find_owner(path) is Owner.NOBODY
    for text in ("1\n", "2\n"):
        write(path, text)
        assert path.read_text() == text
        assert find_owner(path) is Owner.PROGRAM
    assert sorted(entry.name for entry in path.parent.iterdir()) == [RECORD, "a.rawtlt"]


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
@settings(max_examples=30, deadline=None)
def test_edited_text_belongs_to_its_editor(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes
) -> None:
    path = tmp_path_factory.mktemp("edited") / "a.csv"
    write(path, before.decode("latin-1"))
    written = path.read_bytes()
    path.write_bytes(after)
    if after == written:
        write(path, "new")
        return
    with pytest.raises(
        InputError, match=r"a\.csv was not written by faket-dask, or was changed .*--overwrite"
    ):
        write(path, "new")
    assert path.read_bytes() == after
    write(path, "new", overwrite=True)
    assert path.read_text() == "new"
    write(path, "newer")


def test_copied_and_moved_folder_keeps_its_owner(tmp_path: Path) -> None:
    write(tmp_path / "one/a.csv", "1")
    (tmp_path / "one").rename(tmp_path / "two")
    write(tmp_path / "two/a.csv", "2")


def test_refusal_names_every_target_and_comes_before_any_work(tmp_path: Path) -> None:
    for name in ("a.tlt", "b.xf"):
        (tmp_path / name).write_text("mine")
    with (
        pytest.raises(InputError) as raised,
        claim_outputs([tmp_path / name for name in ("a.tlt", "b.xf", "new/c.mdoc")]),
    ):
        pytest.fail("the block was entered")
    first, second = str(raised.value).splitlines()
    assert "a.tlt was not written" in first
    assert "b.xf was not written" in second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tlt", "b.xf"]


def test_mrc_file_is_recognised_by_its_last_label(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    write_volume(path, VOLUME, 10.0)
    assert has_own_label(path)
    with claim_outputs([path]):
        write_volume(path, VOLUME, 10.0)
    assert list(tmp_path.iterdir()) == [path], "no record is needed"
    with mrcfile.open(path, "r+") as file:  # as IMOD's newstack does
        file.header.label[1] = b"NEWSTACK: Images copied in"
        file.header.nlabl = 2
    with pytest.raises(InputError, match=r"a\.mrc was not written"), claim_outputs([path]):
        pass
    with mrcfile.new(tmp_path / "b.mrc") as file:
        file.set_data(VOLUME)
    assert find_owner(tmp_path / "b.mrc") is Owner.OTHERS


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("link", [os.link, os.symlink, lambda path, other: None])
def test_input_is_never_replaced(tmp_path: Path, link: object, overwrite: bool) -> None:
    source, target = tmp_path / "a.mrc", tmp_path / "b.mrc"
    write_volume(source, VOLUME, 10.0)
    before = source.read_bytes()
    link(source, target)  # type: ignore[operator]
    target = target if target.exists() else source
    with (
        pytest.raises(InputError, match=r"is an input of this command"),
        claim_outputs([target], inputs=[source], overwrite=overwrite),
    ):
        pass
    assert source.read_bytes() == before


def test_link_to_a_file_of_others_is_replaced_on_request_and_the_file_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "a.csv").symlink_to("mine.txt")
    with pytest.raises(InputError, match=r"a\.csv was not written"):
        write(tmp_path / "a.csv", "new")
    write(tmp_path / "a.csv", "new", overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "a.csv").is_symlink()


@pytest.mark.parametrize("overwrite", [False, True])
def test_store_with_files_of_others_is_never_deleted(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "a.zarr"
    for _ in range(2):  # the second replaces the first
        with claim_outputs(folders=[path]):
            ome_zarr.write_volume(path, VOLUME, 10.0)
    (path / "0/thesis.tex").write_text("important")
    with (
        pytest.raises(InputError, match=r"a\.zarr is a folder with files that faket-dask did not write"),
        claim_outputs(folders=[path], overwrite=overwrite),
    ):
        pass
    assert (path / "0/thesis.tex").read_text() == "important"
    (path / "0/thesis.tex").unlink()
    with claim_outputs(folders=[path]):
        ome_zarr.write_volume(path, VOLUME, 10.0)


def test_folder_that_is_no_store_is_not_deleted_without_a_claim_either(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr/thesis.tex").write_text("important")
    with pytest.raises(InputError, match="no Zarr store"):
        ome_zarr.write_volume(tmp_path / "a.zarr", VOLUME, 10.0)
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zarr", "thesis.tex"]


def test_interrupted_store_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    ome_zarr.write_volume(path, VOLUME, 10.0)
    with pytest.raises(KeyboardInterrupt), replace_folder_atomically(path):
        raise KeyboardInterrupt
    np.testing.assert_array_equal(ome_zarr.open_volume(path).data[...], VOLUME)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "is a folder, and a file is to be written"),
        (os.mkfifo, "a device or a pipe"),
    ],
)
def test_folder_or_pipe_in_place_of_a_file_is_refused(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path / "a.csv")  # type: ignore[operator]
    with (
        pytest.raises(InputError, match=message),
        claim_outputs([tmp_path / "a.csv"], overwrite=True),
    ):
        pass


@pytest.mark.parametrize("name", ["/proc/a.csv", "file/a.csv", "file/more/a.csv", "x" * 250, "a\0b"])
def test_impossible_target_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="choose another"), claim_outputs([tmp_path / name]):
        pytest.fail("the block was entered")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_file_that_comes_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with claim_outputs([path]):
        path.write_text("mine")
        with pytest.raises(InputError, match="was not written"):
            write_text(path, "new")
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_claimed_folder_keeps_files_of_others(tmp_path: Path) -> None:
    def export(*names: str, overwrite: bool = False) -> None:
        with claim_folder(tmp_path, ["mrc"], overwrite=overwrite):
            (tmp_path / "mrc").mkdir(exist_ok=True)
            for name in names:
                write_text(tmp_path / "mrc" / name, "ours")

    export("a.tlt")
    (tmp_path / "mrc/b.tlt").write_text("mine")
    export("a.tlt")
    with pytest.raises(InputError, match=r"b\.tlt was not written"):
        export("a.tlt", "b.tlt")
    assert (tmp_path / "mrc/b.tlt").read_text() == "mine"
    (tmp_path / "mrc/a.tlt").write_text("edited")
    with pytest.raises(InputError, match=r"a\.tlt was not written by faket-dask, or was changed since"):
        export("c.tlt")
    assert not (tmp_path / "mrc/c.tlt").exists()
    export("a.tlt", "c.tlt", overwrite=True)
    with (
        pytest.raises(InputError, match=r"a\.tlt is a file, and a folder is to be written"),
        claim_folder(tmp_path / "mrc", ["a.tlt"]),
    ):
        pass


def test_damaged_record_leaves_files_to_others(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "1")
    (tmp_path / RECORD).write_bytes(b'{"name": "a.csv"\n[]\nnull\n\xff\xfe\n' + b"[" * 100_000)
    assert find_owner(tmp_path / "a.csv") is Owner.OTHERS


def test_nothing_is_checked_without_a_claim(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    check_output(tmp_path / "a.csv", OutputKind.FILE)
    write_text(tmp_path / "a.csv", "new")
    assert not (tmp_path / RECORD).exists()


def test_parent_of_a_link_is_that_of_its_target(tmp_path: Path) -> None:
    """``link/../a.csv`` is a file beside the folder that the link leads to, as for the operating system."""
    (tmp_path / "other" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "other" / "inner")
    path = tmp_path / "link" / ".." / "a.csv"
    (tmp_path / "other" / "a.csv").write_text("mine")
    with pytest.raises(InputError, match=r"other/a.csv was not written by faket-dask"), claim_outputs([path]):
        pass
    with claim_outputs([path], overwrite=True):
        write_text(path, "ours")
    assert (tmp_path / "other" / "a.csv").read_text() == "ours"
    assert not (tmp_path / "a.csv").exists()


def test_folder_that_is_not_there_may_be_left_again(tmp_path: Path) -> None:
    path = tmp_path / "absent" / ".." / "a.csv"
    with claim_outputs([path]):
        write_text(path, "ours")
    assert (tmp_path / "a.csv").read_text() == "ours"
