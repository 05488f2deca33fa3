"""Recordings from the package index, and the configurations that name them."""

import io
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from faket_dask import recordings
from faket_dask.config import load
from faket_dask.errors import InputError
from faket_dask.package_index import SourceDistribution
from faket_dask.pipeline.input_checks import resolve
from faket_dask.recordings import catalogue
from faket_dask.user_cache import cache_folder

CONFIGURATIONS = [
    path
    for path in sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))
    if "\ndataset:" in path.read_text()  # others are of studies
]
NAME = "empiar10499-00254"


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a cache without files."""
    for variable in ("FAKET_DASK_CACHE", "XDG_CACHE_HOME", "FAKET_DASK_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout's configurations, with nothing beside them."""
    return Path(shutil.copytree(CONFIGURATIONS[0].parent, tmp_path / "checkout" / "configs"))


@pytest.mark.parametrize("name", [path.name for path in CONFIGURATIONS])
def test_every_configuration_is_valid_in_an_empty_home(checkout, empty_home, name):
    config = load(checkout / name)
    assert config.specimen.species
    assert not empty_home.exists()


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.name)
def test_no_configuration_names_a_file_outside_of_the_checkout(path):
    assert "shared" not in path.read_text()


def test_recording_that_was_not_fetched_is_an_error_with_the_command(checkout, empty_home):
    with pytest.raises(
        InputError, match=rf"references\.00254: data:{NAME} is not here .*`faket-dask data fetch {NAME}`"
    ):
        resolve(load(checkout / "empiar10499-phantoms.yaml"))


@pytest.mark.parametrize(
    ("stack", "complaint"),
    [
        ("data:empiar10499-00255/a.mrc", "there is no recording 'empiar10499-00255'; known are"),
        (f"data:{NAME}/a.mrc", "has no such file; it has 00254.stack.mrc, 00254.tlt"),
    ],
)
def test_unknown_recordings_are_refused(checkout, stack, complaint):
    path = checkout / "empiar10499-phantoms.yaml"
    path.write_text(path.read_text().replace(f"data:{NAME}/00254.stack.mrc", stack))
    with pytest.raises(InputError, match=complaint):
        load(path)


def test_archive_with_another_checksum_is_not_unpacked(tmp_path, monkeypatch, empty_home):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with tarfile.open(tmp_path / "warpylib-1.1.2.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("warpylib-1.1.2/setup.py"), io.BytesIO(b""))
    with pytest.raises(InputError, match=r"the package index has another warpylib-1\.1\.2\.tar\.gz"):
        recordings.fetch(NAME)
    assert list((cache_folder() / "recordings").iterdir()) == []


class ArchiveBeside(SourceDistribution):
    """Archive that lies in a folder already."""

    def download(self, folder: Path, content: str, by_hand: str) -> Path:
        return Path(self.archive)


def make_recording(tmp_path: Path, content: bytes) -> recordings.Recording:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("a/data/stack.mrc")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    member = catalogue.Member(
        "deep/stack.mrc",
        "a/data/stack.mrc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    distribution = ArchiveBeside("a", "1", str(tmp_path / "a.tar.gz"), "")
    return replace(catalogue.EMPIAR10499_00254, name="a", distribution=distribution, members=(member,))


def test_members_are_unpacked_whole_and_damaged_ones_again(tmp_path, monkeypatch, empty_home):
    monkeypatch.setitem(catalogue.RECORDINGS, "a", make_recording(tmp_path, b"abc"))
    path = recordings.resolve_file("data:a/deep/stack.mrc")
    assert recordings.fetch("a") / "deep/stack.mrc" == path
    assert path.read_bytes() == b"abc"
    recordings.require_file(path)
    path.write_bytes(b"abd")
    recordings.fetch("a")
    assert path.read_bytes() == b"abc"
    assert [folder.name for folder in (cache_folder() / "recordings").iterdir()] == ["a"]


def test_member_with_another_checksum_is_refused(tmp_path, monkeypatch, empty_home):
    monkeypatch.setitem(catalogue.RECORDINGS, "a", make_recording(tmp_path, b"abd"))
    with pytest.raises(InputError, match="is not the file whose checksum is known; nothing was kept"):
        recordings.fetch("a")
    assert not (cache_folder() / "recordings" / "a").exists()


@pytest.mark.pretrained
@pytest.mark.slow
def test_recording_of_the_package_index_is_used_by_its_configuration(checkout, empty_home):
    from faket_dask import weights

    recordings.fetch(NAME)
    weights.fetch("vgg19-normalised")
    spec = resolve(load(checkout / "empiar10499-phantoms.yaml"))
    assert spec.inputs.recordings["00254"].shape[0] == 41
