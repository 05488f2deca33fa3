"""Contrast transfer in the files of other programs: values, order of tilts, and mistakes that are named."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.formats.ctffind import read_ctffind, write_ctffind
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.imod_defocus import read_defocus, write_defocus
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.relion5 import RelionOptics, RelionTomogram, read_tomograms
from faket_dask.formats.relion5_writing import write_project
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.formats.warp_xml import read_warp_xml
from faket_dask.formats.warp_xml_writing import write_warp_xml
from faket_dask.geometry import TiltGeometry
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Defocus, Optics, aberration_phase, contrast_transfer, wavelength
from tests.ctf import make_ctf, means_um

STAGE = np.array([20.0, 10.0, 0.0, -10.0, -20.0])
"""Stage angles of the sections of a stack, from its first to its last."""
TILTS = STAGE.size

CTFFIND = """\
# Output from CTFFind version 4.1.14, run on 2023-02-02 15:13:07
# Input file: a.mrc ; Number of micrographs: 5
# Pixel size: 1.000 Angstroms ; acceleration voltage: 200.0 keV ; spherical aberration: 2.26 mm ; \
amplitude contrast: 0.07
# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; #4 - azimuth of astigmatism; …
1.000000 31000.0 29000.0 -60.0 0.000000 0.131144 inf
2.000000 32000.0 30000.0 -60.0 0.000000 0.131144 4.874623
3.000000 33000.0 31000.0 -60.0 1.570796 0.131144 4.874623
4.000000 34000.0 32000.0 -60.0 0.000000 0.131144 4.874623
5.000000 35000.0 33000.0 -60.0 0.000000 0.131144 4.874623
"""


def write_series(folder: Path, name: str = "a.mrc", stage: np.ndarray = STAGE, shape=(40, 44)) -> Path:
    folder.mkdir(exist_ok=True)
    images = np.random.default_rng(0).normal(size=(stage.size, *shape)).astype(np.float32)
    write_stack(folder / name, images, images.shape, 10.0)
    write_angles((folder / name).with_suffix(".tlt"), stage)
    return folder / name


def write_target(stack: Path, um: float) -> None:
    geometry = TiltGeometry(-STAGE, 10.0)
    write_mdoc(
        stack.with_name(stack.name + ".mdoc"), geometry, stack.name, (40, 44), 300, make_ctf([um] * TILTS)
    )


def astigmatism(ctf: SeriesCtf | None) -> np.ndarray:
    """Return astigmatism as a complex number, which turns twice with its angle."""
    assert ctf is not None
    angles = np.deg2rad([2 * tilt.astigmatism_angle for tilt in ctf.defocus])
    return np.array([tilt.astigmatism_um for tilt in ctf.defocus]) * np.exp(1j * angles)


def test_text_of_ctffind_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(CTFFIND)
    ctf = read_ctffind(tmp_path / "a.txt").to_series(range(TILTS))
    np.testing.assert_allclose(means_um(ctf), [3.0, 3.1, 3.2, 3.3, 3.4])
    assert ctf.defocus[0].astigmatism_um == pytest.approx(0.2)
    assert {tilt.astigmatism_angle for tilt in ctf.defocus} == {120.0}
    assert [round(tilt.phase_shift) for tilt in ctf.defocus] == [0, 0, 90, 0, 0]
    assert (ctf.voltage_kV, ctf.spherical_aberration_mm, ctf.amplitude_contrast) == (200, 2.26, 0.07)


def test_table_of_aretomo_has_the_same_columns_and_no_constants(tmp_path: Path) -> None:
    (tmp_path / "a_CTF.txt").write_text(
        "# Columns: #1 micrograph number; #2 - defocus 1 [A]; #3 - defocus 2; #4 - azimuth of astigmatism; …; #8\n"
        "   1   41000.00  40000.00     12.50     0.0000    0.1500    9.3760    1\n"
    )
    ctf = read_ctffind(tmp_path / "a_CTF.txt").to_series([0])
    assert ctf.defocus[0].mean_um == pytest.approx(4.05)
    assert ctf.defocus[0].astigmatism_um == pytest.approx(0.1)
    assert ctf.defocus[0].astigmatism_angle == 12.5
    assert ctf.voltage_kV is None


def test_angle_is_that_of_relions_defocus_u(tmp_path: Path) -> None:
    """RELION (`ctf.h`): Δf(azimuth) = (U + V)/2 + (U − V)/2 cos 2(azimuth − angle), azimuth = atan2(y, x)."""
    u, v, angle = 34000.0, 30000.0, 35.0
    ctf = make_ctf([(u + v) / 2e4], (u - v) * 1e-4, angle)
    optics = Optics(300.0, 0.0, 0.1)
    size, pixel = 64, 5.0
    chi = aberration_phase((size, size), pixel, optics, ctf.defocus[0])
    y, x = np.meshgrid(*(np.fft.fftfreq(size, pixel),) * 2, indexing="ij")
    local = (u + v) / 2 + (u - v) / 2 * np.cos(2 * (np.arctan2(y, x) - np.deg2rad(angle)))
    np.testing.assert_allclose(chi, np.pi * wavelength(300.0) * local * (x**2 + y**2), atol=1e-9)
    tomogram = RelionTomogram(
        "a",
        TiltGeometry(np.zeros(1), pixel),
        RelionOptics(300, 2.7, 0.1),
        ("a.mrcs",),
        (0,),
        (8, 8, 8),
        ctf=ctf,
    )
    write_project(tmp_path, [tomogram], {})
    text = (tmp_path / "tilt_series/a.star").read_text().split()
    assert [float(word) for word in text[-3:]] == pytest.approx([u, v, angle])


def test_ranges_of_imods_version_2_hold_for_their_middle_view(tmp_path: Path) -> None:
    (tmp_path / "a.defocus").write_text("1 3 20.00 0.00 4000.0 2\n3 5 0.00 -20.00 5000.0\n")
    ctf = read_defocus(tmp_path / "a.defocus").to_series(range(TILTS))
    np.testing.assert_allclose(means_um(ctf), [4, 4, 4.5, 5, 5])
    assert not any(tilt.astigmatism_um for tilt in ctf.defocus)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 0 0. 0. 0 3\n1 1 0 0 3200 3000 30\n", Defocus(3.1, 0.2, 30.0)),
        ("1 0 0. 0. 0 3\n1 1 0 0 3000 3200 30\n", Defocus(3.1, 0.2, 120.0)),  # the angle is that of the first
        ("3 0 0. 0. 0 3\n1 1 0 0 3200 3000 0.523599\n", Defocus(3.1, 0.2, 30.0)),
        ("5 0 0. 0. 0 3\n1 1 0 0 3200 3000 30 90\n", Defocus(3.1, 0.2, 30.0, 90.0)),
        ("12 0 0. 0. 0 3\n1 1 0 0 3100 1.570796\n", Defocus(3.1, 0.0, 0.0, 90.0)),
        ("0 0 0. 0. 0 3\n1 1 0 0 3100\n", Defocus(3.1)),
    ],
)
def test_flags_of_imods_version_3(tmp_path: Path, text: str, expected: Defocus) -> None:
    (tmp_path / "a.defocus").write_text(text)
    [tilt] = read_defocus(tmp_path / "a.defocus").to_series([0]).defocus
    assert tilt.mean_um == pytest.approx(expected.mean_um)
    assert tilt.astigmatism_um == pytest.approx(expected.astigmatism_um)
    assert tilt.astigmatism_angle == pytest.approx(expected.astigmatism_angle, abs=1e-4)
    assert tilt.phase_shift == pytest.approx(expected.phase_shift, abs=1e-4)


defoci = st.builds(
    Defocus,
    st.floats(0.6, 15).map(lambda um: round(um, 3)),
    st.floats(-0.5, 0.5).map(lambda um: round(um, 3)),
    st.floats(0, 179.9).map(lambda angle: round(angle, 1)),
    st.sampled_from([0.0, 60.0]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(defoci, min_size=TILTS, max_size=TILTS))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, tilts: list[Defocus]) -> None:
    folder = tmp_path_factory.mktemp("written")
    ctf, geometry = SeriesCtf(tuple(tilts), "a test", 200.0, 1.4, 0.12), TiltGeometry(-STAGE, 10.0)
    rank = replace(geometry, acquisition_order=np.array([3, 1, 0, 2, 4]))
    write_ctffind(folder / "a.txt", ctf)
    write_defocus(folder / "a.defocus", ctf, STAGE)
    write_warp_xml(folder / "a.xml", rank, ["m.mrc"] * TILTS, (40, 44), ctf)
    stacks, sections = ("a.mrcs",) * TILTS, tuple(range(TILTS))
    optics = RelionOptics(200.0, 1.4, 0.12)
    write_project(folder, [RelionTomogram("a", geometry, optics, stacks, sections, (8, 8, 8), ctf=ctf)], {})
    warp = read_warp_xml(folder / "a.xml")
    series = [
        read_ctffind(folder / "a.txt").to_series(range(TILTS)),
        read_defocus(folder / "a.defocus").to_series(range(TILTS)),
        warp.ctf.to_series(np.argsort(warp.angles)),
        read_tomograms(folder / "tomograms.star")[0].ctf,
    ]
    for own in series:
        np.testing.assert_allclose(means_um(own), means_um(ctf), atol=2e-4)
        np.testing.assert_allclose(astigmatism(own), astigmatism(ctf), atol=2e-3)
        phases = [tilt.phase_shift for tilt in own.defocus]
        np.testing.assert_allclose(phases, [tilt.phase_shift for tilt in tilts], atol=0.01)
    for own in (series[0], *series[2:]):
        assert (own.voltage_kV, own.spherical_aberration_mm, own.amplitude_contrast) == (200.0, 1.4, 0.12)


@pytest.mark.parametrize("ending", [".defocus", "_CTF.txt", "_ctf.txt", "_ctffind4.txt"])
def test_file_beside_a_stack_gives_each_tilt_its_own(tmp_path: Path, ending: str) -> None:
    order = [3, 0, 4, 1, 2]
    stack = write_series(tmp_path, stage=STAGE[order])
    ctf = make_ctf(3 + STAGE[order] / 100)
    file = tmp_path / f"a{ending}"
    write_defocus(file, ctf, STAGE[order]) if ending == ".defocus" else write_ctffind(file, ctf)
    series = open_tilt_series(stack, exclude="4")
    np.testing.assert_allclose(means_um(series.ctf), 3 + series.geometry.stage_angles / 100, atol=1e-4)
    assert series.ctf.source == str(file)
    fewer = series.without(np.array([False, False, True, False, False]))
    np.testing.assert_allclose(means_um(fewer.ctf), 3 + fewer.geometry.stage_angles / 100, atol=1e-4)


def test_astigmatism_turns_with_aligned_images(tmp_path: Path) -> None:
    """The power of noise behind an astigmatic lens, read aligned, has the turned CTF, whichever way the axis lies."""
    ctf, optics, size = make_ctf([2.5] * TILTS, 1.2, 20.0), Optics(amplitude_contrast=0.1), 256
    lens = contrast_transfer((size, size), 4.0, optics, ctf.defocus[0])
    noise = np.fft.fft2(np.random.default_rng(1).normal(size=(TILTS, size, size)))
    images = np.fft.ifft2(noise * lens).real.astype(np.float32)
    write_stack(tmp_path / "a.mrc", images, images.shape, 4.0)
    write_ctffind(tmp_path / "a_CTF.txt", ctf)
    for axis in (65.0, -30.0):
        geometry = TiltGeometry(-STAGE, 4.0, tilt_axis_angle_deg=axis)
        write_mdoc(tmp_path / "a.mrc.mdoc", geometry, "a.mrc", (size, size), 300)
        series = open_tilt_series(tmp_path / "a.mrc").aligned()
        assert series.ctf.defocus[0].astigmatism_angle == pytest.approx((20 - axis) % 180)
        middle = slice(size // 2 - 64, size // 2 + 64)
        window = np.hanning(128)[:, None] * np.hanning(128)
        tilts = [series.tilt(tilt)[middle, middle] * window for tilt in range(TILTS)]
        power = np.mean([np.abs(np.fft.fft2(tilt)) ** 2 for tilt in tilts], axis=0)

        def agreement(turned: SeriesCtf, power: np.ndarray = power) -> float:
            expected = contrast_transfer((128, 128), 4.0, optics, turned.defocus[0]) ** 2
            k = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
            ring = (k > 0.05) & (k < 0.25)
            return float(np.corrcoef(power[ring], expected[ring])[0, 1])

        right = agreement(series.ctf)
        wrong = [agreement(series.ctf.turn(other)) for other in (2 * axis, axis, 90.0)]
        assert right > 0.5
        assert right > max(wrong) + 0.1


def test_astigmatism_of_a_raw_stack_turns_as_its_transforms_turned_the_aligned_one(tmp_path: Path) -> None:
    stack = write_series(tmp_path, "a_ali.mrc")
    write_defocus(tmp_path / "a.defocus", make_ctf([3.0] * TILTS, 0.3, 100.0), STAGE)
    with pytest.warns(UserWarning, match=r"no .xf of its raw stack says how"):
        assert open_tilt_series(stack).ctf.defocus[0].astigmatism_angle == pytest.approx(100)
    turn = np.deg2rad(85.0)
    matrix = np.array([[np.cos(turn), -np.sin(turn), 3.0], [np.sin(turn), np.cos(turn), -2.0]])
    write_transforms(tmp_path / "a.xf", np.broadcast_to(matrix, (TILTS, 2, 3)))
    series = open_tilt_series(stack)
    assert series.ctf.defocus[0].astigmatism_angle == pytest.approx(5.0, abs=0.01)


def test_estimates_go_before_the_target_of_an_mdoc(tmp_path: Path) -> None:
    stack = write_series(tmp_path)
    write_target(stack, 4.0)
    series = open_tilt_series(stack)
    assert series.ctf.is_target
    assert series.ctf.voltage_kV == 300
    np.testing.assert_allclose(means_um(series.ctf), 4.0)
    write_defocus(tmp_path / "a.defocus", make_ctf([3.0] * TILTS), STAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = open_tilt_series(stack)
    assert not series.ctf.is_target
    np.testing.assert_allclose(means_um(series.ctf), 3.0)


def test_two_estimates_that_differ_are_refused_unless_one_is_named(tmp_path: Path) -> None:
    stack = write_series(tmp_path)
    write_defocus(tmp_path / "a.defocus", make_ctf([3.0] * TILTS), STAGE)
    other = np.array([3.1, 3.05, 3.0, 3.3, 3.1])
    write_ctffind(tmp_path / "a_CTF.txt", make_ctf(other))
    with pytest.raises(
        InputError, match=r"view 4 of .*a.mrc .*stage angle -10°.* is 3 µm in .*a.defocus and 3.3 µm"
    ):
        open_tilt_series(stack)
    with pytest.warns(
        UserWarning, match=r"view 4 .* 3.3 µm in .*a_CTF.txt and 3 µm in .*a.defocus; the first is used"
    ):
        series = open_tilt_series(stack, ctf=tmp_path / "a_CTF.txt")
    np.testing.assert_allclose(means_um(series.ctf), other[::-1][::-1])
    with pytest.warns(UserWarning, match=r"is 5 µm in defocus_um and 3 µm"):
        assert set(means_um(open_tilt_series(stack, defocus_um=5.0).ctf)) == {5.0}
    assert open_tilt_series(stack, ctf="none").ctf is None
    write_ctffind(tmp_path / "a_CTF.txt", make_ctf([3.1] * TILTS))
    np.testing.assert_allclose(means_um(open_tilt_series(stack).ctf), 3.0)


def ctffind_rows(*rows: str) -> str:
    return "# …\n" + "".join(f"{number} {row} 0 0 0.1 5\n" for number, row in enumerate(rows, start=1))


RIGHT = ["30000 29000"] * TILTS


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a_ctf.txt", ctffind_rows(*RIGHT[1:]), r"has the defocus of 4 tilts, and .*a.mrc has 5 tilts"),
        ("a_ctf.txt", ctffind_rows(*RIGHT, RIGHT[0]), r"has the defocus of 6 tilts, and .*a.mrc has 5 tilts"),
        (
            "a_ctf.txt",
            ctffind_rows(*RIGHT[:2], "3.0 2.9", *RIGHT[3:]),
            r"line 4 \(micrograph 3\): a defocus of 3 Å .* is impossible.* unit is Å \(the number fits µm\)",
        ),
        (
            "a_ctf.txt",
            ctffind_rows(*["300000 290000"] * TILTS),
            r"line 2 \(micrograph 1\): a defocus of 300000 Å \(30 µm\) is impossible; 0.1 to 20 µm",
        ),
        (
            "a_ctf.txt",
            ctffind_rows(*["-30000 -31000"] * TILTS),
            r"is an overfocus, since underfocus is positive in this file, and all tilts have one",
        ),
        (
            "a_ctf.txt",
            ctffind_rows(*RIGHT[:4], "nan nan"),
            r"line 6 \(micrograph 5\): no defocus of a tilt that is used",
        ),
        ("a_ctf.txt", "# …\n", "has no line of numbers"),
        ("a_ctf.txt", "1 30000\n", "line 1: expected the number of a micrograph"),
        ("a_ctf.txt", ctffind_rows(*RIGHT).replace("\n2 ", "\n1 "), "a micrograph for the second time"),
        (
            "a.defocus",
            "".join(f"{view} {view} {angle} {angle} 30000\n" for view, angle in enumerate(STAGE, start=1)),
            r"line 1 \(view 1\): a defocus of 30000 nm \(30 µm\) is impossible.*unit is nm \(the number fits Å\)",
        ),
        (
            "a.defocus",
            "1 1 20 20 3000 2\n2 2 10 10 3000\n",
            r"no defocus of 3 of 5 tilts, .*\(counted from 1\)",
        ),
        ("a.defocus", "1 6 20 -30 3000 2\n", r"has the defocus of view 6, and .*a.mrc has 5 tilts"),
        (
            "a.defocus",
            "".join(f"{view} {view} {9 * view} {9 * view} 3000\n" for view in range(1, 6)),
            r"the defocus is of a tilt at 9°, and the tilt is view 1 of .*stage angle 20°",
        ),
        ("a.defocus", "0 5 20 -20 3000 2\n", r"line 1: views 0 to 5 are no range from 1"),
        ("a.defocus", "1 5 20 -20 x 2\n", r"line 1: expected 6 numbers"),
        ("a.defocus", "33 0 0 0 0 3\n1 5 20 -20 3000 3000 0 1\n", "cut on at a frequency"),
        ("a.defocus", "1 5 20 -20 3000 4\n", "version 4 is not known"),
    ],
)
def test_mistaken_ctf_files_are_one_clear_error(tmp_path: Path, name: str, text: str, message: str) -> None:
    stack = write_series(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        open_tilt_series(stack)
    assert "\n" not in str(caught.value)
    assert re.search(rf"{name}", str(caught.value))
    assert open_tilt_series(stack, ctf="none").ctf is None


def test_tilt_without_defocus_may_be_left_out(tmp_path: Path) -> None:
    stack = write_series(tmp_path)
    (tmp_path / "a_ctf.txt").write_text(ctffind_rows(*RIGHT[:4], "nan nan"))
    np.testing.assert_allclose(means_um(open_tilt_series(stack, exclude="5").ctf), 2.95)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "3",
            r"\[ZValue = 0\]: a defocus of 3 µm is an overfocus, since underfocus is negative in this file",
        ),
        ("-3000", r"a defocus of -3000 µm is impossible.*\(the number fits nm"),
    ],
)
def test_target_in_another_unit_or_sign_is_named(tmp_path: Path, written: str, message: str) -> None:
    stack = write_series(tmp_path)
    write_target(stack, 3.0)
    mdoc = stack.with_name("a.mrc.mdoc")
    text = mdoc.read_text()
    assert "TargetDefocus = -3\n" in text
    mdoc.write_text(text.replace("TargetDefocus = -3\n", f"TargetDefocus = {written}\n"))
    with pytest.raises(InputError, match=message):
        open_tilt_series(stack)
    mdoc.write_text(text.replace("TargetDefocus = -3\n", "TargetDefocus = 0\n"))
    assert open_tilt_series(stack).ctf is None


def open_warp(folder: Path, grids: str, **options: object) -> TiltSeries:
    (folder / "tomostar").mkdir(exist_ok=True)
    (folder / "warp_tiltseries").mkdir(exist_ok=True)
    images = np.zeros((TILTS, 1, 8, 8), np.float32)
    movies = [f"{tilt}.mrc" for tilt in range(TILTS)]
    for movie, image in zip(movies, images, strict=True):
        write_stack(folder / "tomostar" / movie, image, image.shape, 10.0)
    write_tomostar(folder / "tomostar/a.tomostar", TiltGeometry(-STAGE, 10.0), movies)
    angles = "\n".join(map(str, -STAGE))
    (folder / "warp_tiltseries/a.xml").write_text(
        f"<TiltSeries><Angles>{angles}</Angles><CTF><Param Name='Voltage' Value='200' /><Param Name='Cs' Value='2.7' />"
        f"<Param Name='Amplitude' Value='0.07' /><Param Name='Defocus' Value='1' /></CTF>{grids}</TiltSeries>"
    )
    return open_tilt_series(folder / "tomostar/a.tomostar", **options)


def warp_grid(tag: str, values: list[float]) -> str:
    nodes = (f'<Node X="0" Y="0" Z="{layer}" Value="{value}" />' for layer, value in enumerate(values))
    return f'<{tag} Width="1" Height="1" Depth="{len(values)}">{"".join(nodes)}</{tag}>'


def test_grids_of_warp(tmp_path: Path) -> None:
    grids = warp_grid("GridCTF", [3.0, 3.1, 3.2, 3.3, 3.4]) + warp_grid("GridCTFDefocusDelta", [0.2] * TILTS)
    grids += warp_grid("GridCTFDefocusAngle", [-30.0] * TILTS) + warp_grid("GridCTFPhase", [0.5] * TILTS)
    series = open_warp(tmp_path, grids)
    np.testing.assert_allclose(means_um(series.ctf), [3.0, 3.1, 3.2, 3.3, 3.4])
    first = series.ctf.defocus[0]
    assert first.astigmatism_um == pytest.approx(0.2)
    assert (first.astigmatism_angle, first.phase_shift) == (150.0, 90.0)
    assert (series.ctf.voltage_kV, series.ctf.amplitude_contrast) == (200.0, 0.07)
    assert open_warp(tmp_path, warp_grid("GridCTF", [0.0])).ctf is None  # imported, not fitted
    with pytest.raises(InputError, match=r"a.xml, tilt 5: no defocus of a tilt that is used"):
        open_warp(tmp_path, warp_grid("GridCTF", [3.0] * 4))
    assert len(open_warp(tmp_path, warp_grid("GridCTF", [3.0] * 4), exclude="5").ctf.defocus) == 4
    with pytest.raises(
        InputError, match=r"a.xml, tilt 1: a defocus of 30000 µm is impossible.*\(the number fits Å\)"
    ):
        open_warp(tmp_path, warp_grid("GridCTF", [30000.0] * TILTS))
    with pytest.warns(UserWarning, match="the first is used, as given"):
        other = open_warp(tmp_path, warp_grid("GridCTF", [3.0] * TILTS), defocus_um=4.0)
    assert set(means_um(other.ctf)) == {4.0}


def test_files_of_projects_may_be_named_for_a_stack_and_fit_by_angle(tmp_path: Path) -> None:
    stack = write_series(tmp_path)
    ctf, geometry = make_ctf(3 + STAGE / 100), TiltGeometry(-STAGE, 10.0)
    write_warp_xml(tmp_path / "w.xml", geometry, ["m.mrc"] * TILTS, (40, 44), ctf)
    tomogram = RelionTomogram(
        "r",
        geometry,
        RelionOptics(300, 2.7, 0.1),
        ("a.mrc",) * TILTS,
        tuple(range(TILTS)),
        (8, 8, 8),
        ctf=ctf,
    )
    write_project(tmp_path, [tomogram], {})
    for file in ("w.xml", "tilt_series/r.star", "tomograms.star"):
        series = open_tilt_series(stack, ctf=tmp_path / file, exclude="2")
        np.testing.assert_allclose(means_um(series.ctf), 3 + series.geometry.stage_angles / 100)
    write_warp_xml(
        tmp_path / "w.xml", replace(geometry, tilt_angles=-STAGE - 30), ["m.mrc"] * TILTS, (40, 44), ctf
    )
    with pytest.raises(
        InputError, match=r"w.xml has the defocus of 5 tilts, and none of them alone is the nearest"
    ):
        open_tilt_series(stack, ctf=tmp_path / "w.xml")
    with pytest.raises(InputError, match=r"both a file .* and a number give the defocus"):
        open_tilt_series(stack, ctf=tmp_path / "w.xml", defocus_um=3.0)
    with pytest.raises(InputError, match="a defocus of 30000 µm is impossible"):
        open_tilt_series(stack, defocus_um=30000.0)


def test_nominal_defocus_of_relion_is_a_target(tmp_path: Path) -> None:
    write_series(tmp_path)
    rows = "".join(f"{tilt + 1}@a.mrc {angle} -3.5\n" for tilt, angle in enumerate(STAGE))
    (tmp_path / "s.star").write_text(
        "data_a\nloop_\n_rlnMicrographName\n_rlnTomoNominalStageTiltAngle\n_rlnTomoNominalDefocus\n" + rows
    )
    (tmp_path / "tomograms.star").write_text(
        "data_global\nloop_\n_rlnTomoName\n_rlnVoltage\n_rlnSphericalAberration\n_rlnAmplitudeContrast\n"
        "_rlnTomoTiltSeriesPixelSize\n_rlnTomoTiltSeriesStarFile\na 300 2.7 0.1 10 s.star\n"
    )
    series = open_tilt_series(tmp_path / "tomograms.star")
    assert series.ctf.is_target
    np.testing.assert_allclose(means_um(series.ctf), 3.5)
