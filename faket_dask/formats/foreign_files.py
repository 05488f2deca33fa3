"""Files of other kinds that are given where an MRC file is expected, recognised by their first bytes.

It is asked only where a header makes no sense: any four bytes may be the number of columns of an MRC file.
"""

from __future__ import annotations

from pathlib import Path

_NEWSTACK = "convert it to MRC (IMOD: newstack INPUT OUTPUT.mrc)"
_DECOMPRESS = "decompress it first"
_TIFF = "convert it to MRC (IMOD: tif2mrc INPUT OUTPUT.mrc)"
_EER = "average its frames and write the image as MRC (IMOD: alignframes; Warp, MotionCor3 or RELION do too)"

_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"II*\0", "a TIFF file", _TIFF),
    (b"MM\0*", "a TIFF file", _TIFF),
    (b"II+\0", "a BigTIFF file", _TIFF),
    (b"MM\0+", "a BigTIFF file", _TIFF),
    (b"\x89HDF\r\n", "an HDF5 file", _NEWSTACK),
    (b"\x89PNG\r\n", "a PNG image", "convert it to TIFF, then to MRC (IMOD: tif2mrc INPUT OUTPUT.mrc)"),
    (b"\xff\xd8\xff", "a JPEG image", "take the original data; a JPEG has lost some of them"),
    (b"\0\0\0\x03", "a DigitalMicrograph (DM3) file", "convert it to MRC (IMOD: dm2mrc INPUT OUTPUT.mrc)"),
    (b"\0\0\0\x04", "a DigitalMicrograph (DM4) file", "convert it to MRC (IMOD: dm2mrc INPUT OUTPUT.mrc)"),
    (b"PK\x03\x04", "a ZIP archive", _DECOMPRESS),
    (b"\xfd7zXZ", "an xz-compressed file", _DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "a zstd-compressed file", _DECOMPRESS),
    (b"7z\xbc\xaf", "a 7z archive", _DECOMPRESS),
    (b"\x93NUMPY", "a NumPy array", "write it as MRC (Python: mrcfile.new)"),
    (b"%PDF", "a PDF", "name an MRC file"),
    (b"<!DOCTYPE", "a web page", "download the file itself"),
    (b"<html", "a web page", "download the file itself"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself (git lfs pull)"),
)


def name_foreign_file(path: Path, start: bytes) -> str | None:
    """Name the kind of a file that is no MRC file, and what to do about it.

    Parameters
    ----------
    path
        File; of the ending `.eer` it is a movie, although it begins as a TIFF file does.
    start
        Its first bytes, a header's length.

    Returns
    -------
    kind
        Such as ``"is a TIFF file; convert it …"``, or ``None`` where the bytes do not tell.

    Examples
    --------
    >>> name_foreign_file(Path("a.mrc"), b"PK\\x03\\x04...")
    'is a ZIP archive, not an MRC file; decompress it first'
    """
    if path.suffix.lower() == ".eer" and start[:2] in (b"II", b"MM"):
        return f"is an EER movie, not an MRC file; {_EER}"
    for magic, kind, advice in _KINDS:
        if start.startswith(magic):
            return f"is {kind}, not an MRC file; {advice}"
    if len(start) > 4 and _is_text(start):
        return "is a text file, not an MRC file; name the file of the images"
    return None


def _is_text(start: bytes) -> bool:
    return all(byte in b"\t\r\n\f" or 32 <= byte < 127 for byte in start[:256])
