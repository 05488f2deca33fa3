"""Contents of the report, for complete and incomplete data sets."""

import base64
import io
import re
import shutil
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import zarr
from distributed import Client
from PIL import Image

import faket_dask
from faket_dask.config import RunConfig, parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed
from faket_dask.engine.unit import Item, Unit
from faket_dask.kernels.noise.spectra import radial_power_spectrum
from faket_dask.pipeline.plan import plan_spec
from faket_dask.report import series as series_section
from faket_dask.report import write as report
from faket_dask.report.figures import Curve
from faket_dask.report.gallery import average_blocks, choose_tilts, collect_panels, particle_overlays
from faket_dask.report.write import write_report
from tests.runs import small_document

VOID = {"meta", "img", "input", "link", "br", "hr"}


class Page(HTMLParser):
    """Elements of a page, with the ids of the sections that they lie in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], str]] = []
        self.text: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self._open, "elements are left open"

    @property
    def _section(self) -> str:
        return next((name for tag, name in reversed(self._open) if tag == "section" and name), "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append((tag, attributes.get("id", "")))
        self.elements.append((tag, attributes, self._section))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, self._section))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1][0] not in ("style", "pre"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())

    def images(self, section: str) -> dict[str, str]:
        """Data URIs of a section's pictures and charts by what they say they are."""
        return {a["alt"]: a["src"] for tag, a, where in self.elements if tag == "img" and where == section}


def read_page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def rewritten(config: RunConfig, **options: Any) -> Page:
    """The report of what is on disk now, under a configuration."""
    stored = DatasetSpec.read(config.dataset.folder)
    chosen = ("style", "signal", "noise", "background")
    settled = config.model_copy(update={name: getattr(stored.config, name) for name in chosen})
    plan = plan_spec(DatasetSpec(settled, stored.inputs))
    return read_page(write_report(CompletedUnits.read(plan), plan, **options))


def decoded(uri: str) -> np.ndarray:
    kind, content = uri.split(";base64,")
    assert kind == "data:image/png"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))), dtype=np.float64)


@pytest.fixture(scope="module")
def page(tiny_dataset: faket_dask.Dataset) -> Page:
    return read_page(tiny_dataset.spec.folder.report)


@pytest.fixture
def copied(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_dataset.folder, tmp_path / "data"))


def test_report_refers_to_no_other_file(tiny_dataset: faket_dask.Dataset, page: Page) -> None:
    ids = {attributes["id"] for _, attributes, _ in page.elements if "id" in attributes}
    for tag, attributes, _ in page.elements:
        assert tag not in ("script", "link", "iframe")
        assert attributes.get("src", "data:").startswith("data:")
        if "href" in attributes:
            assert attributes["href"].startswith("#")
            assert attributes["href"][1:] in ids
    assert "url(" not in tiny_dataset.spec.folder.report.read_text()
    for series in tiny_dataset.series:
        for name, uri in page.images(series).items():
            assert uri.startswith("data:")
            if "svg" in uri.split(";")[0]:
                inner = base64.b64decode(uri.split(",")[1]).decode()
                assert not re.search(r'href="(?!#)', inner), name


def test_header_describes_the_data_set(tiny_dataset: faket_dask.Dataset, page: Page) -> None:
    spec = tiny_dataset.spec
    for fact in (
        "2 specimens × 2 references",
        "5 from −40° to +40°",
        "80 × 96 pixels of 10 Å",
        "Seed 11",
        spec.fingerprint,
        spec.inputs.weights_checksum[:12],
        f"faket_dask {faket_dask.__version__}",
    ):
        assert fact in page.words.replace("Seed11", "Seed 11")
    assert "incomplete" not in page.words


def test_every_series_has_its_pictures_and_charts(tiny_dataset: faket_dask.Dataset, page: Page) -> None:
    for series in tiny_dataset.series:
        images = page.images(series)
        for angle in ("0°", "+40°"):
            for kind in ("noiseless", "noisy", "faket", "reference", "benchmark"):
                assert decoded(images[f"{kind} tilt at {angle}"]).shape == (96, 80)
            assert f"Radial power spectra at {angle}" in images
        assert {"Mean of each tilt", "Standard deviation of each tilt"} < images.keys()


def test_pictures_are_stored_tilts_with_extremes_clipped(
    tiny_dataset: faket_dask.Dataset, page: Page
) -> None:
    series = tiny_dataset.open("specimen-001__a")
    stored = series["faket"].sel(tilt_angle=40).values
    picture = decoded(page.images("specimen-001__a")["faket tilt at +40°"])
    low, high = np.percentile(stored, [0.5, 99.5])
    np.testing.assert_allclose(picture, np.clip((stored - low) / (high - low), 0, 1) * 255, atol=0.51)


def test_charts_hold_spectra_and_moments_of_series_and_reference(
    tiny_dataset: faket_dask.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, dict[str, Curve]] = {}

    def keep(curves: Sequence[Curve], x_label: str, y_label: str, **options: Any) -> str:
        drawn[f"{x_label}, {y_label}, {len(drawn)}"] = {curve.name: curve for curve in curves}
        return "data:,"

    monkeypatch.setattr(series_section, "chart", keep)
    completed = CompletedUnits.read(plan_spec(tiny_dataset.spec))
    series_section.report_series(completed, tiny_dataset.spec.series_by_name["specimen-000__b"])
    flat, steep, mean, std = drawn.values()
    series = tiny_dataset.open("specimen-000__b")
    recorded = zarr.open_array(tiny_dataset.spec.folder.specimen_tilts("reference-b") / "benchmark", mode="r")
    for curves, tilt in ((flat, 2), (steep, 4)):
        assert curves["faket"].x[-1] == pytest.approx(0.5 / 10)
        for name, image in (("noisy", series["noisy"][tilt].values), ("reference b", recorded[tilt])):
            _, power = radial_power_spectrum(np.asarray(image), window=True)
            np.testing.assert_allclose(curves[name].y, power)
    for curves, statistic in ((mean, np.mean), (std, np.std)):
        np.testing.assert_array_equal(curves["faket"].x, [-40, -20, 0, 20, 40])
        np.testing.assert_allclose(curves["reference b"].y, statistic(recorded[:], axis=(1, 2)), rtol=1e-5)
        np.testing.assert_allclose(curves["faket"].y, statistic(series["faket"], axis=(1, 2)), rtol=1e-5)
        np.testing.assert_allclose(curves["noisy"].y, statistic(series["noisy"], axis=(1, 2)), rtol=1e-5)


def test_resynthesised_noisy_equals_the_kept_one(tiny_dataset: faket_dask.Dataset) -> None:
    completed = CompletedUnits.read(plan_spec(tiny_dataset.spec))
    for name, series in tiny_dataset.spec.series_by_name.items():
        [noisy] = [panel.image for panel in collect_panels(completed, series, 3) if panel.kind == "noisy"]
        np.testing.assert_array_equal(noisy, tiny_dataset.open(name)["noisy"].values[3])


def test_overlays_lie_on_particles_at_every_angle(tiny_dataset: faket_dask.Dataset) -> None:
    """Beads are the darkest things in a projection, so their circles must be centred on dark pixels."""
    beads = 0
    for name, series in tiny_dataset.spec.series_by_name.items():
        stack = tiny_dataset.open(name)["noiseless"].values
        table = tiny_dataset.particles(name)
        for tilt, angle in enumerate(
            tiny_dataset.spec.geometry.acquisition(tiny_dataset.series[0]).tilt_angles
        ):
            circles = particle_overlays(tiny_dataset.spec, series.specimen, table, float(angle))
            for circle in circles:
                if circle.class_name == "fiducial" and 0 <= circle.x < 80:
                    assert stack[tilt, int(circle.y), int(circle.x)] < np.quantile(stack[tilt], 0.05)
                    beads += 1
    assert beads > 5


def test_particles_are_counted_in_the_specimen_and_in_view(
    tiny_dataset: faket_dask.Dataset, page: Page
) -> None:
    name = "specimen-000__b"
    table = tiny_dataset.particles(name)
    x = tiny_dataset.open(name)["x"].values
    inside = (table.centre_A[:, 0] > x[0] - 5) & (table.centre_A[:, 0] < x[-1] + 5)
    part = page.words[page.words.index("in the field of view") :]
    for particle, total in table.counts().items():
        in_view = int((table.class_name[inside] == particle).sum())
        assert f"{particle}{total}{in_view}" in part.replace(" ", "")


def test_missing_picture_is_replaced_by_the_reason(copied: Path) -> None:
    flat, steep = 2, 4
    for marker in (f"synthesise/specimen-000__b/{flat}", f"simulate/reference-b/{steep}"):
        (copied / f"progress/{marker}.json").unlink()
    page = rewritten(parse(small_document(copied), copied))
    assert "incomplete: 2 of" in page.words
    assert f"synthesise specimen-000__b {flat} is not done" in page.words
    assert f"simulate reference-b {steep} is not done" in page.words
    damaged, whole = page.images("specimen-000__b"), page.images("specimen-001__a")
    assert "faket tilt at 0°" not in damaged
    assert "faket tilt at +40°" in damaged
    assert "reference tilt at +40°" not in damaged
    assert "faket tilt at 0°" in whole


def test_report_of_empty_data_set_is_written(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    config = parse(small_document(tmp_path / "data"), tmp_path)
    spec = DatasetSpec(config, tiny_dataset.spec.inputs)
    spec.write()
    page = rewritten(config)
    assert "incomplete" in page.words
    assert not page.images("specimen-000__b")


def test_failures_are_listed_with_their_causes(copied: Path) -> None:
    (copied / "progress/project/specimen-000/1.json").unlink()
    failed = UnitFailed(Unit("project", Item("specimen-000"), 1), "ValueError: <cosmic> ray", final=True)
    page = rewritten(parse(small_document(copied), copied), failures=[failed])
    assert "project specimen-000 1: ValueError: <cosmic> ray" in page.words


def test_large_data_set_is_listed_whole_and_shown_in_part(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "SERIES_IN_FULL", 3)
    page = rewritten(parse(small_document(copied, specimen={"count": 40}), copied))
    assert len({where for _, _, where in page.elements if where}) == 3
    assert "The first 3 of 40 series are shown in full" in page.words
    assert "specimen-039__a" in page.words


def test_recorded_references_and_blends_are_shown(
    tiny_dataset: faket_dask.Dataset, one_worker: Client, tmp_path: Path
) -> None:
    recorded = tmp_path / "recorded.mrc"
    benchmark = tiny_dataset.open("specimen-000__b")["benchmark"].values
    wider = np.concatenate([benchmark, benchmark[:, :, ::-1]], axis=2)
    with mrcfile.new(recorded) as file:
        file.set_data(wider)
        file.set_image_stack()
        file.voxel_size = 10
    document = small_document(
        tmp_path / "data",
        specimen={"count": 1},
        references=[
            {"name": "recorded", "stack": str(recorded), "tilt_angles": [-50, -21, 3, 21, 50]},
            {"kind": "simulated", "name": "made"},
            {"kind": "blend", "name": "both", "weights": {"recorded": 3, "made": 1}},
        ],
        noise={"statistics": "given", "given": {"signal_scale": [0.4], "noise_scale": [0.9]}, "order": 1},
        outputs={"modalities": ["noisy"], "report": True},
    )
    dataset = faket_dask.run(parse(document, tmp_path), one_worker)
    page = read_page(dataset.spec.folder.report)
    assert "75% recorded, 25% made" in page.words
    images = page.images("specimen-000__both")
    assert decoded(images["reference tilt at +3°"]).shape == (96, 80)
    assert decoded(images["reference tilt at 0°"]).shape == (96, 80)
    assert "faket tilt at 0°" not in images
    recorded.unlink()
    moved = rewritten(dataset.spec.config)
    assert "cannot be read" in moved.words
    assert "reference tilt at +3°" not in moved.images("specimen-000__both")


@pytest.mark.parametrize(
    ("angles", "shown"),
    [
        ([-60, -30, 0, 30, 60], (2, 4)),
        ([-66, -3, 57], (1, 0)),
        ([10.0], (0,)),
        ([-60.01, 0.2, 60.009], (1, 0)),
    ],
)
def test_flattest_and_steepest_tilt_are_shown(angles: list[float], shown: tuple[int, ...]) -> None:
    assert choose_tilts(np.asarray(angles)) == shown


def test_averaging_keeps_the_mean_of_complete_blocks() -> None:
    image = np.random.default_rng(0).random((13, 11), dtype=np.float32)
    small = average_blocks(image, 3)
    assert small.shape == (4, 3)
    assert small.mean() == pytest.approx(image[:12, :9].mean(), rel=1e-6)
