"""Signal of synthetic tilts through the microscope: its strength, and what neighbouring tilts share."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from faket_dask.config import parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import open_array, read_tilt, read_vector
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.serial import execute_serially
from faket_dask.engine.unit import Item
from faket_dask.kernels.similarity.signal_gain import SignalGain, measure_signal_gain
from faket_dask.kernels.similarity.slab_decorrelation import slab_coherence
from faket_dask.kernels.similarity.tilt_coherence import measure_common_power
from faket_dask.pipeline.noise import EXCESS, FitNoise
from faket_dask.pipeline.plan import plan
from faket_dask.pipeline.series_arrays import BACKGROUND
from faket_dask.report.write import write_report
from tests.runs import checksum_results, copy_without, small_document

ANGLES = [-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0]
SERIES = "specimen-000__a"


def make(folder: Path, **changes: Any) -> DatasetSpec:
    """Make a data set of one series in the style of a simulated reference with many particles."""
    sections: dict[str, Any] = {
        "specimen": {
            "count": 1,
            "thickness_A": 600,
            "species": [{"name": "propeller", "count": 60}, {"name": "boot", "count": 60}],
            "fiducials": {"count": 0},
        },
        "acquisition": {"tilt_angles": ANGLES, "pixel_size_A": 10, "detector_px": [160, 160]},
        "microscope": {"dose_e_per_A2": 20},
        "references": [{"kind": "simulated", "name": "a"}],
        "style": {"preset": "matched"},
        "outputs": {"modalities": ["noisy", "spectral", "benchmark"]},
    }
    return compute(small_document(folder, **{**sections, **changes}))


def compute(document: dict[str, Any]) -> DatasetSpec:
    """Compute all that is missing of a data set."""
    planned = plan(parse(document, Path()))
    planned.spec.write()
    execute_serially(planned, CompletedUnits.read(planned))
    return planned.spec


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Data set with contrast transfer and shared matter; not to be changed."""
    return make(tmp_path_factory.mktemp("signal") / "data")


def measure_gain(spec: DatasetSpec, group: Path, modality: str) -> SignalGain:
    tilts = range(len(ANGLES))
    specimen = spec.folder.specimen_tilts("specimen-000")
    return measure_signal_gain(
        [read_tilt(group, modality, tilt) for tilt in tilts],
        [read_tilt(specimen, "noiseless", tilt) for tilt in tilts],
        rings=8,
    )


def read_background(spec: DatasetSpec) -> NDArray[np.float32]:
    return np.asarray(open_array(spec.folder.series_tilts(SERIES), BACKGROUND, "r")[...])


def test_known_transfer_and_neighbours_are_taken_without_being_asked_for(spec: DatasetSpec) -> None:
    config = spec.config
    assert config.signal.ctf == config.background.source == "reference"
    assert config.noise.statistics == "physical"


@pytest.mark.parametrize("modality", ["noisy", "spectral"])
def test_a_volt_shows_as_strongly_as_in_images_of_the_same_specimen(spec: DatasetSpec, modality: str) -> None:
    """Counts per volt and voxel, ring by ring with their signs, up to beyond the first zero of the lens."""
    truth = measure_gain(spec, spec.folder.specimen_tilts("specimen-000"), "benchmark")
    ours = measure_gain(spec, spec.folder.series_tilts(SERIES), modality)
    error = np.hypot(truth.standard_error, ours.standard_error)
    assert truth.gain.min() < -5 * error[np.argmin(truth.gain)]
    assert truth.gain.max() > 5 * error[np.argmax(truth.gain)]
    np.testing.assert_array_less(np.abs(ours.gain - truth.gain), 3.5 * error + 0.1 * np.abs(truth.gain))


def test_tilts_have_mean_and_deviation_of_the_reference(spec: DatasetSpec) -> None:
    group = spec.folder.series_tilts(SERIES)
    reference = spec.folder.statistics("a")
    for tilt in range(len(ANGLES)):
        image = read_tilt(group, "spectral", tilt)
        assert image.mean() == pytest.approx(read_vector(reference, "mean")[tilt], rel=0.01)
        assert image.std() == pytest.approx(read_vector(reference, "std")[tilt], rel=0.15)


def test_shared_matter_is_one_slab_with_the_stored_spectrum(spec: DatasetSpec) -> None:
    tilts = read_background(spec)
    measured = measure_common_power(tilts, ANGLES, np.ones(tilts.shape, bool), step_deg=3.0, rings=80)
    power = read_vector(spec.folder.series_tilts(SERIES), f"{BACKGROUND}_power")
    depth = spec.geometry.volume_shape("specimen-000")[0]
    band = (measured.frequency > 0.02) & (measured.frequency < 0.25)
    weights = measured.number[band]
    assert weights @ measured.total[band] == pytest.approx(weights @ power[band] * depth, rel=0.25)
    expected = slab_coherence(measured.frequency, depth, 0.0, 3.0)
    held = weights * power[band]
    assert np.average(measured.coherence[band], weights=held) == pytest.approx(
        np.average(expected[band], weights=held), abs=0.1
    )


def test_shared_matter_lacks_what_the_specimen_has(spec: DatasetSpec) -> None:
    """The reference's own specimen is as crowded, so that nothing but chance is left."""
    store = spec.folder.specimen_tilts("specimen-000")
    specimen = np.array([read_tilt(store, "noiseless", tilt).var() for tilt in range(len(ANGLES))])
    assert (read_background(spec).var(axis=(1, 2)) < 0.25 * specimen).all()


def test_signal_that_the_reference_has_no_room_for_is_told(spec: DatasetSpec, tmp_path: Path) -> None:
    """Tripled contrast has nine times the power of the reference's particles."""
    strong = make(
        tmp_path / "data", noise={"contrast_factor": 3}, outputs={"modalities": ["noisy"], "report": True}
    )
    excess = []
    for made in (spec, strong):
        completed = CompletedUnits.read(plan(made.config))
        excess.append(completed.read_markers(FitNoise.name, Item(SERIES))[0].findings[EXCESS])
    assert excess[0] < 0.05 < 0.2 < excess[1]
    page = write_report(completed, plan(strong.config)).read_text()
    assert "The specimen has more power than the reference" in page
    assert "contrast transfer of the reference; beside the specimen, tilts share the matter" in page


def test_published_pipeline_has_neither_transfer_nor_shared_matter(tmp_path: Path) -> None:
    published = make(tmp_path / "data", style={"preset": "published"}, outputs={"modalities": ["noisy"]})
    assert published.config.signal.ctf == published.config.background.source == "none"
    assert published.config.noise.statistics == "paired"
    assert not (published.folder.series_tilts(SERIES) / BACKGROUND).exists()


def test_resumed_series_has_the_same_bytes(spec: DatasetSpec, tmp_path: Path) -> None:
    root = spec.folder.root
    batches = [f"{stage}/{SERIES}" for stage in ("background", "fit_noise", "synthesise")]
    copy = copy_without(root, tmp_path, *batches)
    document = spec.config.model_dump(mode="json")
    document["dataset"]["folder"] = str(copy)
    open_array(copy / spec.folder.series_tilts(SERIES).relative_to(root), BACKGROUND)[...] = 0
    compute(document)
    assert checksum_results(copy) == checksum_results(root)


def test_matched_transfer_keeps_the_signal_that_it_was_given(tmp_path: Path) -> None:
    """Gain per volt of transferred tilts is that of their start, signs included, where the signal has power."""
    made = make(
        tmp_path / "data",
        acquisition={"tilt_angles": [-3.0, 0.0, 3.0], "pixel_size_A": 10, "detector_px": [112, 112]},
        style={"preset": "matched", "weights": "random"},
        outputs={"modalities": ["spectral", "faket"]},
    )
    group, specimen = made.folder.series_tilts(SERIES), made.folder.specimen_tilts("specimen-000")
    signals = [read_tilt(specimen, "noiseless", tilt) for tilt in range(3)]
    start, transferred = (
        measure_signal_gain([read_tilt(group, name, tilt) for tilt in range(3)], signals, rings=6)
        for name in ("spectral", "faket")
    )
    strong = np.abs(start.gain) > 0.1 * np.abs(start.gain).max()
    np.testing.assert_allclose(transferred.gain[strong], start.gain[strong], rtol=0.1)
