from pathlib import Path

import numpy as np
import pytest

from faket_dask.config import parse
from faket_dask.errors import InputError
from faket_dask.formats.transfer_curve import read_transfer_curve
from faket_dask.kernels.detector import Detector
from faket_dask.pipeline.input_checks import resolve
from tests.runs import small_document

STAR = """
# measured at 300 kV
data_mtf

loop_
_rlnResolutionInversePixel #1
_rlnMtfValue #2
0.00 1.00
0.10 0.96
0.25 0.70
0.50 0.30
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_star_file_and_columns_of_text_give_the_same_curve(tmp_path: Path) -> None:
    star = read_transfer_curve(write(tmp_path, "mtf_detector.star", STAR))
    text = read_transfer_curve(
        write(tmp_path, "mtf.txt", "# 1/pixel  MTF\n0 1.00\n0.1, 0.96\n0.25 0.70\n0.50 0.30\n")
    )
    assert star == text
    np.testing.assert_allclose(star.interpolate(np.array([0.0, 0.175, 0.5, 0.6])), [1, 0.83, 0.3, 0.3])


def test_detector_takes_its_modulation_transfer_from_the_curve(tmp_path: Path) -> None:
    curve = read_transfer_curve(write(tmp_path, "mtf.star", STAR))
    # 5 Å images of a 2.5 Å detector: their Nyquist frequency is half of the detector's.
    transfer = Detector(2.5, mtf=curve).modulation_transfer((4, 4), 5.0)
    np.testing.assert_allclose(transfer[0, :3], [1.0, 0.96 - 0.26 * (0.125 - 0.1) / 0.15, 0.7], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mtf.txt", "0 1\n0.2 0.9\n0.4 0.8\n", "ends at 0.4 cycles per pixel, before the detector's Nyquist"),
        ("mtf.txt", "0 1 7\n0.5 0.9 7\n", "line 1: expected two numbers"),
        ("mtf.txt", "0 1\n0.5 high\n", "line 2: expected two numbers"),
        ("mtf.txt", "0 1\n1 0.7\n0.5 0.5\n", "increase from row to row"),
        ("mtf.txt", "0 100\n0.5 40\n", "row 1 has the transfer 100"),
        ("mtf.txt", "", "at least two frequencies"),
        ("mtf.star", "data_x\nloop_\n_rlnVoltage #1\n300\n", "no block has the columns"),
        ("mtf.star", "data_x\nloop_\n_rlnResolutionInversePixel #1\n0\n", "has no column _rlnMtfValue"),
    ],
)
def test_file_that_is_no_curve_to_nyquist_is_one_error_before_anything_runs(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(InputError, match=message):
        read_transfer_curve(path)
    config = parse(small_document(tmp_path / "data", microscope={"detector": {"mtf": name}}), tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        resolve(config)
    assert str(caught.value).startswith("microscope.detector.mtf: ")
    assert len(str(caught.value).splitlines()) == 1


def test_curve_is_part_of_the_fingerprint_by_its_contents(tmp_path: Path) -> None:
    path = write(tmp_path, "mtf.star", STAR)
    document = small_document(tmp_path / "data", microscope={"detector": {"mtf": "mtf.star"}})

    def fingerprint() -> str:
        return resolve(parse(document, tmp_path)).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    path.write_text(STAR.replace("0.30", "0.31"))
    assert fingerprint() != first
