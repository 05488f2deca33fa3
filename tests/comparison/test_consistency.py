"""Comparison of two series in three dimensions, on the command line and in the functions beneath."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from faket_dask.cli import app
from faket_dask.comparison.compare import open_for_comparison
from faket_dask.comparison.consistency import compare_consistency
from faket_dask.errors import InputError
from faket_dask.formats.mrc import write_stack
from faket_dask.kernels.projection import project

ANGLES = np.arange(-18.0, 19.0, 3.0)
SIZE = 136


def write_series(path: Path, shared: float, seed: int = 0) -> Path:
    """Write tilts of a random slab with noise, of which a share of the standard deviation is the slab's."""
    rng = np.random.default_rng(seed)
    slab = rng.normal(size=(8, SIZE, 2 * SIZE)).astype(np.float32)
    tilts = project(slab, ANGLES, SIZE)
    tilts: NDArray[np.float32] = (shared * tilts / tilts.std() + rng.normal(size=tilts.shape)).astype(
        np.float32
    )
    write_stack(path, iter(tilts), tilts.shape, 10.0)
    path.with_suffix(".tlt").write_text("".join(f"{-angle:.2f}\n" for angle in ANGLES))
    return path


def test_structure_in_all_tilts_is_told_from_noise(tmp_path: Path) -> None:
    alone, shared = write_series(tmp_path / "alone.mrc", 0.0), write_series(tmp_path / "shared.mrc", 1.0)
    comparison = compare_consistency(open_for_comparison(alone), open_for_comparison(shared))
    rows = {length: values for length, *values in comparison.list_rows()}
    assert list(rows) == [210, 140, 90, 60, 40, 25]
    assert rows[90][0] == pytest.approx(0, abs=0.1)
    assert rows[90][1] > 0.3
    assert comparison.discrimination is not None
    assert comparison.discrimination.accuracy > comparison.discrimination.floor


def test_command_prints_coherence(tmp_path: Path) -> None:
    first, second = write_series(tmp_path / "a.mrc", 1.0), write_series(tmp_path / "b.mrc", 1.0, seed=1)
    result = CliRunner().invoke(app, ["compare", str(first), str(second), "--consistency"])
    assert result.exit_code == 0, result.output
    assert "3° apart" in result.output
    assert "patches of tomograms told apart" in result.output


def test_series_without_angles_is_refused(tmp_path: Path) -> None:
    path = write_series(tmp_path / "a.mrc", 1.0)
    path.with_suffix(".tlt").unlink()
    series = open_for_comparison(path)
    with pytest.raises(InputError, match="a has no tilt angles"):
        compare_consistency(series, series)
