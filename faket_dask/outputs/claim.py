"""Claims of a running command on the files and folders that it will write."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from uuid import uuid4

from faket_dask.errors import InputError
from faket_dask.outputs.record import RECORD, OutputRecord, Owner, absolute


class OutputKind(Enum):
    """Form of an output."""

    FILE = "a file"
    FOLDER = "a folder"


@dataclass
class Claim:
    """Targets of a running command.

    Parameters
    ----------
    record
        Record of the folder that they lie in.
    targets
        Absolute paths of the files and folders to write; ``None`` for any below that folder.
    inputs
        Device and inode of each file that the command reads.
    overwrite
        True if files of others may be replaced.
    """

    record: OutputRecord
    targets: frozenset[Path] | None
    inputs: frozenset[tuple[int, int]]
    overwrite: bool

    def covers(self, path: Path) -> bool:
        """Tell whether a path is a target."""
        return path.is_relative_to(self.record.root) if self.targets is None else path in self.targets

    def explain_refusal(self, path: Path, kind: OutputKind) -> str | None:
        """Return why a target must not be written, or ``None`` if it may."""
        try:
            owner = self.record.find_owner(path)
            if owner is Owner.NOBODY:
                _look_at(temporary_path(path))  # whose name is longer
                return None
            mode, identity = path.lstat().st_mode, _identify(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return f"{path} cannot be written ({_reason(error)}); choose another name"
        if identity in self.inputs:
            return (
                f"{path} is an input of this command, which never replaces what it reads; choose another name"
            )
        if stat.S_ISDIR(mode) and kind is OutputKind.FILE:
            return f"{path} is a folder, and a file is to be written there; choose another name"
        if stat.S_ISDIR(mode) and owner is Owner.OTHERS:
            return (
                f"{path} is a folder with files that faket-dask did not write, which it never deletes; choose "
                "another name, or move the folder away"
            )
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            return f"{path} is neither a file nor a folder, but a device or a pipe; choose another name"
        if owner is Owner.OTHERS and not self.overwrite:
            return (
                f"{path} was not written by faket-dask, or was changed since; choose another name, or replace it by "
                "--overwrite"
            )
        return None

    def check(self, path: Path, kind: OutputKind) -> None:
        """Refuse a target that must not be written.

        Raises
        ------
        InputError
            If it is an input, of others, or cannot be a file of this name.
        """
        refusal = self.explain_refusal(path, kind)
        if refusal is not None:
            raise InputError(refusal)


_held: list[Claim] = []
"""Claims of the commands that run in this process, the latest last."""


def find_claim(path: Path) -> Claim | None:
    """Return the claim that an absolute path is a target of."""
    return next((claim for claim in reversed(_held) if claim.covers(path)), None)


@contextmanager
def claim_outputs(
    files: Sequence[Path] = (),
    folders: Sequence[Path] = (),
    *,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
    refusals: Iterable[str] = (),
    record: OutputRecord | None = None,
) -> Iterator[None]:
    """Claim the targets of a command while the block runs; the folders that they lie in are made.

    Parameters
    ----------
    files, folders
        All files, and all folders such as Zarr stores, that the command will write.
    inputs
        Files that it reads, none of which is ever replaced, whatever name or link leads to it.
    overwrite
        True to replace files of others, too; never inputs, nor folders with files of others.
    refusals
        Further reasons not to write, found by the command itself.
    record
        Record of the targets, by default one in each of their folders.

    Raises
    ------
    InputError
        Before anything is written, with a line for each target that is an input, not this program's, or cannot be
        written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     _ = path.write_text("mine")
    ...     try:
    ...         with claim_outputs([path]):
    ...             pass
    ...     except InputError as error:
    ...         print(str(error).removeprefix(folder))
    /a.csv was not written by faket-dask, or was changed since; choose another name, or replace it by --overwrite
    """
    kinds = {absolute(path): OutputKind.FILE for path in files}
    kinds |= {absolute(path): OutputKind.FOLDER for path in folders}
    identities = _identify_all(inputs)
    claims: list[Claim] = []
    reasons: list[str | None] = []
    for parent in dict.fromkeys(path.parent for path in kinds):
        targets = frozenset(path for path in kinds if path.parent == parent)
        claim = Claim(record or OutputRecord(parent, parent / RECORD), targets, identities, overwrite)
        claims.append(claim)
        for path in sorted(targets):
            reasons.append(claim.explain_refusal(path, kinds[path]) or _explain_unwritable(path))
    _raise_refusals([*reasons, *refusals])
    with ExitStack() as stack:
        for path in kinds:
            make_folder(path.parent)
        for claim in claims:
            stack.enter_context(_hold(claim))
        yield


@contextmanager
def claim_folder(
    root: Path, folders: Sequence[str], *, inputs: Iterable[Path] = (), overwrite: bool = False
) -> Iterator[None]:
    """Claim whatever a command writes below a folder, whose names are known only when they are written.

    Files that others put there are kept.

    Parameters
    ----------
    root
        Folder that holds the record.
    folders
        Names of the folders in it that will be written to.
    inputs, overwrite
        As for `claim_outputs`.

    Raises
    ------
    InputError
        Before anything is written: if what an earlier command wrote there was changed since, or a folder cannot be
        written to. In the block: if a file of others has the name of one that is to be written.
    """
    root = absolute(root)
    claim = Claim(OutputRecord(root, root / RECORD), None, _identify_all(inputs), overwrite)
    within = [root / name for name in folders]
    refusals = [_explain_unusable_folder(folder) for folder in within]
    if not any(refusals):
        for path in claim.record.list_changed():
            if any(path.is_relative_to(folder) for folder in within):
                kind = OutputKind.FOLDER if path.is_dir() else OutputKind.FILE
                refusals.append(claim.explain_refusal(path, kind))
    _raise_refusals(refusals)
    with _hold(claim):
        yield


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the folder {folder} cannot be made ({_reason(error)}); choose another one"
        ) from None


def temporary_path(path: Path) -> Path:
    """Return a name beside a file to write it under: ``.<name>.<8 hexadecimal digits>.tmp``."""
    # Process numbers would not do: one file may be written from several hosts at once.
    return path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")


@contextmanager
def _hold(claim: Claim) -> Iterator[None]:
    _held.append(claim)
    try:
        yield
    finally:
        _held[:] = [other for other in _held if other is not claim]


def _raise_refusals(refusals: Iterable[str | None]) -> None:
    lines = dict.fromkeys(line for line in refusals if line is not None)
    if lines:
        raise InputError("\n".join(lines))


def _explain_unwritable(path: Path) -> str | None:
    """Return why no file can be made in the folder of a path, which may not be there yet."""
    folder = path.parent
    try:
        while not os.path.lexists(folder):
            _look_at(folder)
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            return None
    except NotADirectoryError:
        return f"{path.parent} cannot be a folder, since {folder} is none; choose another one"
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return f"no space is left on the disk of {folder}; free some, or choose another folder"
        return f"nothing can be written to {path.parent} ({folder}: {_reason(error)}); choose another folder"


def _explain_unusable_folder(folder: Path) -> str | None:
    try:
        if os.path.lexists(folder) and not folder.is_dir():
            return f"{folder} is a file, and a folder is to be written there; choose another name"
    except (OSError, ValueError) as error:
        return f"{folder} cannot be written ({_reason(error)}); choose another name"
    return _explain_unwritable(folder / RECORD)


def _look_at(path: Path) -> None:
    """Raise the error of a path that cannot be, such as one whose name is too long."""
    with suppress(FileNotFoundError, NotADirectoryError):
        path.lstat()


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error)


def _identify(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, for a link those of what it leads to; ``None`` if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _identify_all(paths: Iterable[Path]) -> frozenset[tuple[int, int]]:
    return frozenset(identity for identity in map(_identify, paths) if identity is not None)
