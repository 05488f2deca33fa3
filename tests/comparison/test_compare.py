"""Comparison of two tilt-series, from Python and the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

import faket_dask
from faket_dask.cli import app
from faket_dask.comparison.compare import compare, open_for_comparison
from faket_dask.comparison.figure import draw_comparison
from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import write_stack
from faket_dask.kernels.vgg import VGG19


def write(path: Path, stack: np.ndarray, pixel_size_A: float = 10, angles: list[float] | None = None) -> Path:
    write_stack(path, iter(stack), stack.shape, pixel_size_A)
    if angles is not None:
        write_angles(path.with_suffix(".tlt"), -np.array(angles))
    return path


def noise(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_distance_of_series_to_itself_is_zero_in_any_unit(tmp_path: Path) -> None:
    stack = noise((3, 40, 50))
    a, b = write(tmp_path / "a.mrc", stack), write(tmp_path / "b.mrc", 7 * stack - 100)
    result = compare(open_for_comparison(a), open_for_comparison(b))
    np.testing.assert_allclose(result.per_tilt["mae"], 0, atol=1e-6)
    np.testing.assert_allclose(result.per_tilt["ssim"], 1, atol=1e-6)
    np.testing.assert_allclose(result.per_tilt["log_spectrum"], 0, atol=1e-5)
    assert (result.per_tilt["psnr"] > 100).all()
    assert result.mean_log_spectrum == pytest.approx(0, abs=1e-5)


def test_excluded_tilts_are_not_compared(tmp_path: Path) -> None:
    stack = noise((4, 40, 50))
    bad = stack.copy()
    bad[2] = 0
    first = write(tmp_path / "a.mrc", bad, angles=[-3, 0, 3, 6])
    second = write(tmp_path / "b.mrc", stack[[0, 1, 3]], angles=[-3, 0, 6])
    result = compare(open_for_comparison(first, exclude=[3]), open_for_comparison(second))
    assert result.tilt_angles.tolist() == [-3, 0, 6]
    np.testing.assert_allclose(result.per_tilt["mae"], 0, atol=1e-6)
    command = [
        "compare",
        str(second),
        str(first),
        "--exclude-angles-second=-3",
        "--csv",
        str(tmp_path / "c.csv"),
    ]
    assert CliRunner().invoke(app, command).exit_code == 0
    rows = list(csv.DictReader((tmp_path / "c.csv").open()))
    assert float(rows[2]["mae"]) < 1e-6


def test_tilts_are_scaled_by_extrema_of_whole_series(tmp_path: Path) -> None:
    stack = noise((3, 40, 50))
    stack[0, 0, :2] = -10, 10
    quieter = stack.copy()
    quieter[1] *= 0.5
    result = compare(
        open_for_comparison(write(tmp_path / "a.mrc", stack)),
        open_for_comparison(write(tmp_path / "b.mrc", quieter)),
    )
    expected = np.abs(0.5 * stack[1]).mean() / 20
    np.testing.assert_allclose(result.per_tilt["mae"], [0, expected, 0], rtol=1e-4, atol=1e-6)
    assert result.per_tilt["log_spectrum"].max() < 1e-5
    summary = result.summaries()["mae"]
    assert summary.p10 <= summary.mean <= summary.p90


def test_series_of_different_size_are_compared_by_spectra_at_nearest_angle(tmp_path: Path) -> None:
    first = noise((3, 64, 64), 1)
    second = noise((5, 80, 96), 2)
    second[[0, 4]] = np.cumsum(second[[0, 4]], axis=2)
    a = write(tmp_path / "a.mrc", first, angles=[-10, 0, 10])
    b = write(tmp_path / "b.mrc", second, angles=[-60, -9, 1, 12, 60])
    result = compare(open_for_comparison(a), open_for_comparison(b))
    assert set(result.per_tilt) == {"log_spectrum"}
    assert (result.per_tilt["log_spectrum"] < 0.6).all()
    assert result.tilt_angles.tolist() == [-10, 0, 10]
    (tmp_path / "b.tlt").unlink()
    with pytest.raises(InputError, match="the angles of b are needed"):
        compare(open_for_comparison(a), open_for_comparison(b))


def test_tilts_with_known_angles_are_matched_by_angle(tmp_path: Path) -> None:
    stack = noise((3, 40, 50))
    a = write(tmp_path / "a.mrc", stack, angles=[-10, 0, 10])
    b = write(tmp_path / "b.mrc", stack, angles=[0, 10, 20])
    result = compare(open_for_comparison(a), open_for_comparison(b))  # with its tilts 0, 0 and 1
    assert (result.per_tilt["mae"] > 0).tolist() == [False, True, True]
    c = write(tmp_path / "c.mrc", np.roll(stack, 1, axis=0), angles=[10, -10, 0])
    assert compare(open_for_comparison(a), open_for_comparison(c)).per_tilt["mae"].max() < 1e-6


def test_texture_distance_of_equal_noise_is_the_intra_reference_distance(tmp_path: Path) -> None:
    """Two draws share no pixel; their statistics are the same, those of noise of another spectrum are not."""
    white, again = noise((2, 96, 128)), noise((2, 110, 128), 1)
    smooth = gaussian_filter(noise((2, 96, 128), 2), (0, 0.7, 0.7))
    paths = [
        write(tmp_path / f"{name}.mrc", stack, angles=[-9, 9])
        for name, stack in (("white", white), ("again", again), ("smooth", smooth))
    ]
    first, alike, other = map(open_for_comparison, paths)
    near, far = (compare(series, first, VGG19(seed=0)) for series in (alike, other))
    assert set(near.intra_reference) == {
        "texture_spectrum",
        *(f"gram_{layer}" for layer in (1, 6, 11, 20, 29)),
    }
    for name in ("texture_spectrum", "gram_1", "gram_6"):
        assert near.per_tilt[name].mean() < 1.5 * near.intra_reference[name].mean()
        assert far.per_tilt[name].mean() > 3 * near.per_tilt[name].mean()
    assert "mae" in far.per_tilt
    assert "mae" not in near.per_tilt


def test_compare_command_writes_table_and_figure(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    series = tiny_dataset.spec.folder.series("specimen-000__b")
    command = ["compare", str(series / "faket"), str(series / "noisy")]
    table, figure = tmp_path / "d.csv", tmp_path / "d.png"
    result = CliRunner().invoke(app, [*command, "--csv", str(table), "--figure", str(figure)])
    assert result.exit_code == 0, result.output
    assert "ssim" in result.output
    rows = list(csv.DictReader(table.open()))
    assert [row["tilt"] for row in rows] == ["0", "1", "2", "3", "4", "mean", "p10", "p90"]
    assert [row["tilt_angle"] for row in rows[:5]] == ["-40", "-20", "0", "20", "40"]
    assert float(rows[5]["mae"]) == pytest.approx(np.mean([float(row["mae"]) for row in rows[:5]]), rel=1e-6)
    assert figure.read_bytes().startswith(b"\x89PNG")
    statistics = ["--realism", "--weights", "random", "--csv", str(table), "--figure", str(figure)]
    result = CliRunner().invoke(app, [*command, *statistics])
    assert result.exit_code == 0, result.output
    assert "intra-reference" in result.output
    rows = list(csv.DictReader(table.open()))
    assert float(rows[0]["gram_29"]) > 0
    assert float(rows[0]["intra_reference_gram_29"]) > 0


def test_stack_is_named_by_its_store_or_its_group(tiny_dataset: faket_dask.Dataset) -> None:
    series = tiny_dataset.spec.folder.series("specimen-000__b")
    short, full = (open_for_comparison(series / name) for name in ("faket", "tilts/faket"))
    assert short.name == full.name == "specimen-000__b faket"
    np.testing.assert_array_equal(
        short.tilts.tilt(2), tiny_dataset.open("specimen-000__b")["faket"].isel(tilt=2)
    )
    assert short.tilts.pixel_size_A == 10
    assert short.tilt_angles is not None
    assert short.tilt_angles.tolist() == [-40, -20, 0, 20, 40]


def test_figure_is_drawn_in_known_formats_only(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.mrc", noise((3, 40, 50))), write(tmp_path / "b.mrc", noise((3, 40, 50), 1))
    comparison = compare(open_for_comparison(a), open_for_comparison(b))
    draw_comparison(comparison, tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()
    with pytest.raises(InputError, match=r"neither \.png, \.svg nor \.pdf"):
        draw_comparison(comparison, tmp_path / "a.gif")


def test_unusable_series_are_refused(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    a = open_for_comparison(write(tmp_path / "a.mrc", noise((3, 40, 50))))
    b = open_for_comparison(write(tmp_path / "b.mrc", noise((3, 40, 50)), 12))
    with pytest.raises(InputError, match="a has 10 Å pixels and b 12 Å"):
        compare(a, b)
    constant = open_for_comparison(write(tmp_path / "c.mrc", np.ones((3, 40, 50))))
    with pytest.raises(InputError, match="a and c cannot be compared"):
        compare(a, constant)
    series = tiny_dataset.spec.folder.series("specimen-000__b")
    with pytest.raises(InputError, match="is no stack of tilts; name one, such as"):
        open_for_comparison(series)
    with pytest.raises(InputError, match=r"mean is no stack of tilts; .*specimen-000__b\.zarr/faket$"):
        open_for_comparison(series / "mean")
    with pytest.raises(InputError, match=r"density is no stack of tilts; .*specimen-000\.zarr/benchmark$"):
        open_for_comparison(tiny_dataset.spec.folder.volume("specimen-000") / "density")
    with pytest.raises(InputError, match=r"none\.mrc cannot be read"):
        open_for_comparison(tmp_path / "none.mrc")


def test_angles_of_a_damaged_length_are_refused_unread(tmp_path: Path) -> None:
    own = zarr.open_group(tmp_path / "own.zarr", mode="w")
    own.create_array("noisy", data=noise((3, 8, 8)))
    own.create_array("tilt_angle", data=np.zeros(3))
    own.attrs["pixel_size_A"] = 10.0
    metadata = tmp_path / "own.zarr/tilt_angle/zarr.json"
    damaged = json.loads(metadata.read_text()) | {"shape": [10**15]}
    metadata.write_text(json.dumps(damaged))
    with pytest.raises(InputError, match="has 3 tilts, and 1000000000000000 angles beside it"):
        open_for_comparison(tmp_path / "own.zarr/noisy")


def test_table_never_replaces_the_angles_of_a_series(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mrc", noise((3, 40, 50)), angles=[-3, 0, 3])
    angles = (tmp_path / "a.tlt").read_text()
    command = ["compare", str(path), str(path), "--csv"]
    result = CliRunner().invoke(app, [*command, str(tmp_path / "a.tlt"), "--overwrite"])
    assert result.exit_code != 0
    assert (tmp_path / "a.tlt").read_text() == angles
    for _ in range(2):  # a table of the stack's name is none of its files
        assert CliRunner().invoke(app, [*command, str(tmp_path / "a.csv")]).exit_code == 0
