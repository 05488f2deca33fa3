"""Tilt-series of Warp 2: alignment and rejected tilts from the `.xml`, beads of a phantom on their places."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.tomostar import write_tomostar
from faket_dask.formats.warp_xml import read_warp_xml
from faket_dask.geometry import TiltGeometry
from tests.formats.conftest import VOXEL_A, Phantom, make_phantom
from tests.formats.test_tilt_series import COLUMNS, ROWS, measure_error, recorded, write_tilts


def write_xml(
    path: Path,
    geometry: TiltGeometry,
    use: np.ndarray | None = None,
    movies: list[str] | None = None,
    attributes: str = "",
    grids: str = "",
) -> None:
    """Write an `.xml` as Warp does, its tilts in the order of acquisition, the values of an element a line each."""
    order = np.argsort(geometry.acquisition_order)
    columns = {
        "Angles": geometry.tilt_angles,
        "Dose": geometry.exposure_before_e_per_A2,
        "UseTilt": np.ones(order.size, bool) if use is None else use,
        "AxisAngle": geometry.tilt_axis_angles,
        "AxisOffsetX": geometry.shift_A[:, 0],
        "AxisOffsetY": geometry.shift_A[:, 1],
    }
    if movies is not None:
        columns["MoviePath"] = np.array(movies)
    elements = (
        f"<{tag}>" + "\n".join(map(str, values[order])) + f"</{tag}>" for tag, values in columns.items()
    )
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<TiltSeries AreAnglesInverted="False" {attributes}>'
        + "\n".join(elements)
        + grids
        + "</TiltSeries>",
        encoding="utf-8-sig",
    )


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom((40, 100, 90))


@pytest.fixture
def project(phantom: Phantom, tmp_path: Path) -> tuple[Path, TiltGeometry, list[str]]:
    """Write a project whose `.tomostar` knows a nominal axis and no shifts."""
    geometry, stack = recorded(phantom, -85.6, jitter=60.0, wobble=1.0)
    (tmp_path / "warp_frameseries/average").mkdir(parents=True)
    names = write_tilts(tmp_path / "warp_frameseries/average", stack)
    movies = [f"../warp_frameseries/{name.replace('.mrc', '.eer')}" for name in names]
    imported = TiltGeometry(
        geometry.tilt_angles,
        VOXEL_A,
        tilt_axis_angle_deg=-93.5,
        exposure_e_per_A2=geometry.exposure_e_per_A2,
        acquisition_order=geometry.acquisition_order,
    )
    (tmp_path / "tomostar").mkdir()
    write_tomostar(tmp_path / "tomostar/TS_1.tomostar", imported, movies)
    return tmp_path, geometry, movies


def test_alignment_and_rejected_tilts_are_those_of_the_xml(
    project: tuple[Path, TiltGeometry, list[str]], phantom: Phantom
) -> None:
    root, geometry, _ = project
    use = np.ones(len(geometry), bool)
    use[[4, 17]] = False
    write_xml(root / "warp_tiltseries/TS_1.xml", geometry, use)
    for path in ("tomostar/TS_1.tomostar", "tomostar", "warp_tiltseries/TS_1.xml", "warp_tiltseries"):
        with warnings.catch_warnings(record=True) as caught:
            series = open_tilt_series(root / path)
        said = [str(warning.message) for warning in caught]
        assert len(said) == 2
        assert "tilt axis lies at -86.5" in said[0]
        assert "-93.5° in the other" in said[0]
        assert "the .xml is believed" in said[0]
        assert "leaving out 2 of 40 tilts" in said[1]
        assert f"({geometry.tilt_angles[4]:g}°)" in said[1]
        np.testing.assert_array_equal(series.geometry.tilt_angles, geometry.tilt_angles[use])
        np.testing.assert_allclose(series.geometry.shift_A, geometry.shift_A[use])
        before = geometry.exposure_before_e_per_A2[use]
        np.testing.assert_allclose(series.geometry.exposure_before_e_per_A2, before)
    assert measure_error(series.aligned(), phantom) < 0.1


def test_xml_with_movies_needs_no_tomostar(
    project: tuple[Path, TiltGeometry, list[str]], phantom: Phantom
) -> None:
    root, geometry, movies = project
    (root / "tomostar/TS_1.tomostar").unlink()
    write_xml(root / "warp_tiltseries/TS_1.xml", geometry, movies=movies)
    series = open_tilt_series(root / "warp_tiltseries/TS_1.xml")
    assert measure_error(series.aligned(), phantom) < 0.1
    write_xml(root / "warp_tiltseries/TS_1.xml", geometry)
    with pytest.raises(InputError, match=r"names no movies .*no TS_1\.tomostar"):
        open_tilt_series(root / "warp_tiltseries/TS_1.xml")


@pytest.mark.filterwarnings("ignore:.*disagree")
def test_movies_are_matched_by_name(project: tuple[Path, TiltGeometry, list[str]]) -> None:
    """An `.xml` that names its movies may list them in another order than the `.tomostar`."""
    root, geometry, movies = project
    lines = (root / "tomostar/TS_1.tomostar").read_text().splitlines()
    rows = [line for line in lines if ".eer" in line]
    text = "\n".join([line for line in lines if line not in rows] + rows[::-1]) + "\n"
    (root / "tomostar/TS_1.tomostar").write_text(text)
    write_xml(root / "warp_tiltseries/TS_1.xml", geometry, movies=movies)
    with warnings.catch_warnings(record=True) as caught:
        series = open_tilt_series(root / "tomostar")
    assert not any("tilt angles differ" in str(warning.message) for warning in caught)
    assert [image.path.stem for image, _ in series.images] == [Path(movie).stem for movie in movies]
    write_xml(root / "warp_tiltseries/TS_1.xml", geometry, movies=["x.eer", *movies[1:]])
    with pytest.raises(InputError, match=r"names the movie x\.eer"):
        open_tilt_series(root / "tomostar")


@pytest.mark.filterwarnings("ignore:.*disagree")
def test_settings_file_names_the_folder_of_the_xml(
    project: tuple[Path, TiltGeometry, list[str]],
) -> None:
    root, geometry, _ = project
    (root / "my.settings").write_text(
        '<Settings><Import><Param Name="DataFolder" Value="tomostar" /><Param Name="ProcessingFolder" '
        'Value="processed" /></Import></Settings>'
    )
    write_xml(root / "processed/TS_1.xml", geometry)
    series = open_tilt_series(root / "tomostar")
    np.testing.assert_allclose(series.geometry.shift_A, geometry.shift_A)
    write_xml(root / "warp_tiltseries/TS_1.xml", geometry)
    with pytest.warns(UserWarning, match=r"files .*processed.* and .*warp_tiltseries.*; the first is read"):
        open_tilt_series(root / "tomostar")


def test_level_angle_and_movement_of_whole_images_are_applied(
    project: tuple[Path, TiltGeometry, list[str]],
) -> None:
    root, geometry, movies = project
    rank = geometry.acquisition_order
    nodes = "".join(f'<Node X="0" Y="0" Z="{z}" Value="{z / 2}"/>' for z in range(len(geometry)))
    grid = f'<GridMovementX Width="1" Height="1" Depth="{len(geometry)}">{nodes}</GridMovementX>'
    path = root / "warp_tiltseries/TS_1.xml"
    write_xml(path, geometry, movies=movies, attributes='LevelAngleY="2.5" LevelAngleX="0"', grids=grid)
    with pytest.warns(UserWarning, match="disagree"):
        series = open_tilt_series(path)
    np.testing.assert_allclose(series.geometry.tilt_angles, geometry.tilt_angles + 2.5)
    np.testing.assert_allclose(series.geometry.shift_A[:, 0], geometry.shift_A[:, 0] - rank / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series.aligned()


@pytest.mark.parametrize(
    ("grids", "attributes", "message"),
    [
        (
            '<GridMovementX Width="2" Height="1" Depth="1"><Node X="0" Value="0"/><Node X="1" Value="3"/>'
            "</GridMovementX>",
            "",
            r"local movement \(GridMovementX\), which is not applied",
        ),
        (
            '<GridVolumeWarpZ Width="1"><Node X="0" Value="3"/></GridVolumeWarpZ>',
            "",
            r"deformation of the volume \(GridVolumeWarpZ\), which is not applied",
        ),
        (
            "",
            'LevelAngleX="1.5"',
            r"turns the specimen by 1.5° about x \(LevelAngleX\), which is not applied",
        ),
        (
            "",
            'MagnificationCorrection="1.02, 0, 0, 0.99"',
            r"MagnificationCorrection is '1.02, 0, 0, 0.99'\), which is not applied",
        ),
    ],
)
def test_parts_of_the_alignment_that_are_not_applied_are_named(
    project: tuple[Path, TiltGeometry, list[str]], grids: str, attributes: str, message: str
) -> None:
    root, geometry, movies = project
    path = root / "warp_tiltseries/TS_1.xml"
    write_xml(path, geometry, movies=movies, attributes=attributes, grids=grids)
    with pytest.warns(UserWarning, match="disagree"):
        series = open_tilt_series(path)
    with pytest.warns(UserWarning, match=message):
        series.aligned()


def test_size_of_the_images_is_compared(project: tuple[Path, TiltGeometry, list[str]]) -> None:
    root, geometry, movies = project
    path = root / "warp_tiltseries/TS_1.xml"
    edges = (COLUMNS * VOXEL_A, ROWS * VOXEL_A)
    for factor, expected in ((1, False), (2, True)):
        size = f'ImageDimensionsAngstrom="{edges[0] * factor}, {edges[1] * factor}"'
        write_xml(path, geometry, movies=movies, attributes=size)
        with warnings.catch_warnings(record=True) as caught:
            open_tilt_series(path)
        assert any("the image is believed" in str(warning.message) for warning in caught) == expected


def replacing(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (replacing("</TiltSeries>", ""), r"line \d+, column \d+: no valid XML"),
        (replacing("<Angles>", "<Angles>x\n"), r"<Angles>, value 1: 'x' cannot be read"),
        (replacing("True", "Maybe"), "<UseTilt>, value 1: 'Maybe'"),
        (replacing("<AxisAngle>", "<AxisAngle>1\n"), "has 41 values in <AxisAngle> and 40 angles"),
        (replacing("<AxisOffsetX>", "<AxisOffsetX>nan\n"), "has 41 values|'nan'"),
        (lambda text: text.replace("Angles>", "Other>"), "has no angles"),
        (lambda text: text.replace("TiltSeries", "Movie"), "is an .xml of 'Movie'"),
        (replacing("<TiltSeries", '<!DOCTYPE a [<!ENTITY b "c">]><TiltSeries'), "declares a document type"),
        (lambda text: text.replace("True", "False"), "all 40 tilts .* are left out"),
    ],
)
@pytest.mark.filterwarnings("ignore:leaving out")
@pytest.mark.filterwarnings("ignore:.*disagree")
def test_damaged_files_are_refused(
    project: tuple[Path, TiltGeometry, list[str]], damage: Callable[[str], str], message: str
) -> None:
    root, geometry, _ = project
    path = root / "warp_tiltseries/TS_1.xml"
    write_xml(path, geometry)
    path.write_text(damage(path.read_text(encoding="utf-8-sig")))
    with pytest.raises(InputError, match=message):
        open_tilt_series(path)


def test_series_as_processing_without_alignment_writes_it(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<TiltSeries><Angles>3\r\n-3</Angles></TiltSeries>")
    series = read_warp_xml(tmp_path / "a.xml")
    assert series.angles.tolist() == [3, -3]
    assert series.is_used.all()
    assert not series.shift_A.any()
    assert series.exposure_before_e_per_A2 is None


@pytest.mark.parametrize("correction", ["1, 0, 0, 1", "1, 1, 0"])
def test_no_correction_of_the_magnification_is_not_said(
    project: tuple[Path, TiltGeometry, list[str]], correction: str
) -> None:
    root, geometry, movies = project
    path = root / "warp_tiltseries/TS_1.xml"
    write_xml(path, geometry, movies=movies, attributes=f'MagnificationCorrection="{correction}"')
    with pytest.warns(UserWarning, match="disagree"):
        assert open_tilt_series(path).unapplied == ()


def test_xml_of_warp_1_in_utf_16_is_read(project: tuple[Path, TiltGeometry, list[str]]) -> None:
    root, geometry, movies = project
    path = root / "warp_tiltseries/TS_1.xml"
    write_xml(path, geometry, movies=movies)
    path.write_text(path.read_text("utf-8-sig").replace('"utf-8"', '"utf-16"'), encoding="utf-16")
    with pytest.warns(UserWarning, match="disagree"):
        np.testing.assert_allclose(open_tilt_series(path).geometry.tilt_angles, geometry.tilt_angles)
